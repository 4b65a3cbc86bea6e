// hold: a step that is ready, but needs something from outside of the run that is not there yet.
import { lookAgain } from '../state/timers.ts'
import { emit, type Looked, type Turn } from '../turn.ts'

/** How long until a tool that no worker serves is looked for again. */
const TOOL_MISSING_MS = 1_000

/** One fact says what is missing, however often it is looked for. */
export const hold = (turn: Turn, path: string, why: string, againInMs: number): Looked => {
  const nextAtMs = turn.nowMs + againInMs
  const step = turn.state.steps.get(path)
  turn.state.nudged.delete(path)
  if (step?.phase === 'retrying' && step.heldWhy === why) lookAgain(turn.state, path, nextAtMs)
  else emit(turn, { type: 'step.held', path, why, nextAtMs })
  return 'done'
}

/** A worker that serves it may be on its way. */
export const holdForTool = (turn: Turn, path: string, tool: string): Looked =>
  hold(turn, path, `no worker serves tool ${tool}`, TOOL_MISSING_MS)
