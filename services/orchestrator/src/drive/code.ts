// code: between the engine's questions about a run's code and the host of its thread.
import { failure, isBlob, type Json, type Payload, type StepDefinition } from '@stepfleet/contracts'
import {
  type CodeAnswer,
  type CodePlan,
  type CodeQuestion,
  checkAsked,
  type RunState,
  type StepState,
  type Turn,
} from '@stepfleet/engine'
import type { AdvanceCall, Advanced, CodeHost } from '../code/host.ts'
import type { EndedStep } from '../code/protocol.ts'
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

const fetchAll = async (store: Store, { ns, run, values }: Run, payloads: readonly Payload[]): Promise<void> => {
  const missing = payloads.flatMap((payload) =>
    isBlob(payload) && values.load(payload) === undefined ? [payload.blob] : [],
  )
  await values.fetch(store, ns, run, new Set(missing))
}

/** The value of a payload that has been fetched. */
const loadedValue = ({ values, run }: Run, payload: Payload): Json => {
  const value = values.load(payload)
  if (value === undefined) throw new Error(`a payload of run ${run} was not fetched`)
  return value
}

/** After a load: the steps that the journal says were asked for become known to the plan. */
export const learnAsked = async (store: Store, run: Run, plan: CodePlan): Promise<void> => {
  const { asked } = run.state
  await fetchAll(store, run, [...asked.values()])
  for (const [name, payload] of asked) {
    // the parsing edge: it was checked before it was written
    plan.learn(name, loadedValue(run, payload) as StepDefinition)
  }
}

/** What the code is told of a step. A failure with a value in its place has one; an operator's skip gives null. */
const resultOf = (run: Run, { phase, output, failure: cause }: StepState): EndedStep['result'] => {
  if (output !== null) {
    return { status: phase === 'overridden' ? 'overridden' : 'completed', output: loadedValue(run, output) }
  }
  if (phase === 'failed' && cause) return { status: 'failed', failure: cause }
  return { status: 'skipped' }
}

/** The steps that ended after a point, in the order they did. */
const endedSince = ({ steps, topEnds }: RunState, fromSeq: number, toSeq: number): StepState[] => {
  const ended: StepState[] = []
  for (let at = topEnds.length - 1; at >= 0; at -= 1) {
    const step = steps.get(topEnds[at] ?? '')
    if (!step || (step.endSeq ?? 0) <= fromSeq) break
    if ((step.endSeq ?? 0) <= toSeq) ended.push(step)
  }
  return ended.reverse()
}

const callOf = async (
  store: Store,
  run: LoadedRun,
  code: CodePlan,
  { fromSeq, toSeq }: CodeQuestion,
): Promise<AdvanceCall> => {
  const { state } = run
  const steps = endedSince(state, fromSeq, toSeq)
  const outputs = steps.flatMap(({ output }) => (output ? [output] : []))
  // only code that begins is given its input
  await fetchAll(store, run, fromSeq === 0 ? [state.input, ...outputs] : outputs)
  return {
    ns: run.ns,
    run: run.run,
    hash: code.hash,
    bundle: code.bundle,
    input: fromSeq === 0 ? loadedValue(run, state.input) : null,
    startedAtMs: state.startedAtMs,
    fromSeq,
    ended: steps.map((step) => ({
      name: step.path,
      seq: step.endSeq ?? 0,
      atMs: step.endedAtMs ?? 0,
      result: resultOf(run, step),
    })),
  }
}

/** What the code asks for that the journal has not is checked; what is wrong with it is the code's mistake. */
const checkAll = ({ asked: known }: RunState, { asked, state }: Advanced): Pick<CodeAnswer, 'asked' | 'state'> => {
  const accepted: CodeAnswer['asked'][number][] = []
  for (const { name, step } of asked) {
    // what the journal has is only compared with it
    const checked = known.has(name) ? ({ ok: true, step: step as StepDefinition } as const) : checkAsked(name, step)
    if (checked.ok) accepted.push({ name, step: checked.step })
    else {
      return {
        asked: accepted,
        state: { status: 'threw', failure: failure('code_failed', checked.message), step: null },
      }
    }
  }
  return { asked: accepted, state }
}

/** Answers the engine's question about the code of a run; where its instance is gone, by a replay. */
export const answerCode = async (deps: CodeDeps, run: LoadedRun, turn: Turn): Promise<void> => {
  const { question } = turn.code
  const { code } = run.plan
  turn.code.question = null
  if (!question || !code) return
  let { fromSeq } = question
  let advanced = await deps.code.advance(await callOf(deps.store, run, code, question))
  if (advanced === 'lost') {
    fromSeq = 0
    advanced = await deps.code.advance(await callOf(deps.store, run, code, { ...question, fromSeq }))
  }
  if (advanced === 'lost') throw new Error(`the code of run ${run.run} could not be begun`)
  // a host that could not run it at all says nothing of what the code asks for
  const replayed = fromSeq === 0 && advanced.seq > 0
  turn.code.answer = { toSeq: question.toSeq, replayed, ...checkAll(run.state, advanced) }
}
