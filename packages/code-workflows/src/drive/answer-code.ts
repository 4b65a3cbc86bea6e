// Between the engine's questions about the code of a run and the host that runs it: what the code is told, and what
// becomes of what it says. Orchestrator and simulator answer by this, so a replay is the same in both.
import { failure, type Json, type Payload, type StepDefinition } from '@stepfleet/contracts'
import {
  type CodeAnswer,
  type CodePlan,
  type CodeQuestion,
  checkAsked,
  type RunState,
  type StepState,
  type Turn,
} from '@stepfleet/engine'
import type { AdvanceCall, Advanced, CodeHost } from '../host/host.ts'
import type { EndedStep } from '../host/protocol.ts'

/** A run whose steps its code asks for, and where its payloads are. */
export interface CodeOf {
  ns: string
  run: string
  state: RunState
  plan: CodePlan
  /** Before they are loaded. */
  fetch(payloads: readonly Payload[]): Promise<void>
  /** The value of a payload that has been fetched. */
  load(payload: Payload): Json
}

/** After a load: the steps that the journal says were asked for become known to the plan. */
export const learnAsked = async (run: CodeOf): Promise<void> => {
  const { asked } = run.state
  await run.fetch([...asked.values()])
  for (const [name, payload] of asked) {
    // the parsing edge: it was checked before it was written
    run.plan.learn(name, run.load(payload) as StepDefinition)
  }
}

/** What the code is told of a step. A failure with a value in its place has one; an operator's skip gives null. */
const resultOf = (run: CodeOf, { phase, output, failure: cause }: StepState): EndedStep['result'] => {
  if (output !== null) {
    return { status: phase === 'overridden' ? 'overridden' : 'completed', output: run.load(output) }
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

const callOf = async (run: CodeOf, { fromSeq, toSeq }: CodeQuestion): Promise<AdvanceCall> => {
  const { state, plan } = run
  const steps = endedSince(state, fromSeq, toSeq)
  const outputs = steps.flatMap(({ output }) => (output ? [output] : []))
  // only code that begins is given its input
  await run.fetch(fromSeq === 0 ? [state.input, ...outputs] : outputs)
  return {
    ns: run.ns,
    run: run.run,
    hash: plan.hash,
    bundle: plan.bundle,
    input: fromSeq === 0 ? run.load(state.input) : null,
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
export const answerCode = async (host: Pick<CodeHost, 'advance'>, run: CodeOf, turn: Turn): Promise<void> => {
  const { question } = turn.code
  turn.code.question = null
  if (!question) return
  let { fromSeq } = question
  let advanced = await host.advance(await callOf(run, question))
  if (advanced === 'lost') {
    fromSeq = 0
    advanced = await host.advance(await callOf(run, { ...question, fromSeq }))
  }
  if (advanced === 'lost') throw new Error(`the code of run ${run.run} could not be begun`)
  // a host that could not run it at all says nothing of what the code asks for
  const replayed = fromSeq === 0 && advanced.seq > 0
  turn.code.answer = { toSeq: question.toSeq, replayed, ...checkAll(run.state, advanced) }
}
