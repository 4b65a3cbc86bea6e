// code: the code of a run, with its payloads in the store.
import { answerCode as answer, type CodeHost, type CodeOf, learnAsked as learn } from '@stepfleet/code-workflows'
import { isBlob } from '@stepfleet/contracts'
import type { CodePlan, RunState, Turn } from '@stepfleet/engine'
import type { Store } from '../store/port.ts'
import type { LoadedRun } from './runs.ts'
import type { RunValues } from './values.ts'

export interface CodeDeps {
  store: Store
  code: CodeHost
}

interface Run {
  ns: string
  run: string
  state: RunState
  values: RunValues
}

const codeOf = (store: Store, { ns, run, state, values }: Run, plan: CodePlan): CodeOf => ({
  ...{ ns, run, state, plan },
  fetch: (payloads) => {
    const missing = payloads.flatMap((payload) =>
      isBlob(payload) && values.load(payload) === undefined ? [payload.blob] : [],
    )
    return values.fetch(store, ns, run, new Set(missing))
  },
  load: (payload) => {
    const value = values.load(payload)
    if (value === undefined) throw new Error(`a payload of run ${run} was not fetched`)
    return value
  },
})

/** After a load: the steps that the journal says were asked for become known to the plan. */
export const learnAsked = (store: Store, run: Run, plan: CodePlan): Promise<void> => learn(codeOf(store, run, plan))

/** Answers the engine's question about the code of a run; where its instance is gone, by a replay. */
export const answerCode = async ({ store, code }: CodeDeps, run: LoadedRun, turn: Turn): Promise<void> => {
  if (run.plan.code) await answer(code, codeOf(store, run, run.plan.code), turn)
}
