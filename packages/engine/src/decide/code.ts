// code: a run whose steps its code asks for. The code is told how steps ended, in the order of the journal; what it asks
// for becomes facts. The code itself runs elsewhere: here is only what follows from what it says.
import { type Failure, failure, type Json } from '@stepfleet/contracts'
import { compareAsk } from '../definition/compare-ask.ts'
import type { CodePlan } from '../definition/plan.ts'
import type { RunState } from '../state/state.ts'
import { type CodeAnswer, emit, type Looked, stepAt, type Turn } from '../turn.ts'
import { closeOrUndo } from './closing.ts'
import { completeRun } from './graph.ts'

/** The run begins with event 1, so code that was told of no step stands there. */
const BEGUN = 1

const lastEnd = (turn: Turn): number => {
  const last = turn.state.topEnds.at(-1)
  return last === undefined ? BEGUN : (stepAt(turn, last).endSeq ?? BEGUN)
}

/** Tells the code what ended since it was told last. */
export const advanceCode = (turn: Turn, code: CodePlan): Looked => {
  const { state, code: channel } = turn
  for (;;) {
    if (state.endedAtMs !== null || state.closing) return 'done'
    if (channel.answer) {
      const { answer } = channel
      channel.answer = null
      state.codeSeq = answer.toSeq
      take(turn, code, answer)
      continue
    }
    const toSeq = lastEnd(turn)
    if (toSeq === state.codeSeq) return 'done'
    channel.question ??= { fromSeq: state.codeSeq, toSeq }
    return 'wait'
  }
}

const fail = (turn: Turn, cause: Failure, path?: string): void =>
  closeOrUndo(turn, { to: 'failed', failure: cause, path })

/** What a replay asks for must be what the journal says was asked for. */
const changeOf = (
  state: RunState,
  code: CodePlan,
  { asked, replayed }: CodeAnswer,
): { step: string; why: string } | null => {
  for (const { name, step } of asked) {
    const journal = code.asked.get(name)
    // definitions are JSON: they were parsed from it
    const why = journal ? compareAsk(name, journal as Json, step as Json) : null
    if (why !== null) return { step: name, why }
  }
  if (!replayed) return null
  const names = new Set(asked.map(({ name }) => name))
  for (const name of state.asked.keys()) {
    if (!names.has(name)) return { step: name, why: `step ${name}: the code does not ask for it any more` }
  }
  return null
}

const take = (turn: Turn, code: CodePlan, answer: CodeAnswer): void => {
  const { state } = turn
  const change = changeOf(state, code, answer)
  if (change) {
    const why = `the code does not do what it did before: ${change.why}`
    fail(turn, failure('code_changed', why), state.steps.has(change.step) ? change.step : undefined)
    return
  }
  if (answer.state.status === 'returned') {
    completeRun(turn, answer.state.output)
    return
  }
  if (answer.state.status === 'threw') {
    fail(turn, answer.state.failure, answer.state.step ?? undefined)
    return
  }
  askFor(turn, code, answer)
  if (state.asked.size === state.topEnds.length && lastEnd(turn) === state.codeSeq) {
    fail(turn, failure('code_failed', 'the code waits, but for no step: nothing would ever wake it'))
  }
}

const askFor = (turn: Turn, code: CodePlan, { asked }: CodeAnswer): void => {
  for (const { name, step } of asked) {
    if (turn.state.asked.has(name)) continue
    // definitions are JSON: they were parsed from it
    emit(turn, { type: 'step.asked', path: name, step: turn.values.pack(step as Json) })
    code.learn(name, step)
    turn.state.agenda.add(name)
  }
}
