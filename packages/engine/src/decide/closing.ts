// closing: how a run fails or is cancelled. When something it has done can be undone, that comes first: one
// compensation after another, in reverse order of completion; then the run ends.
import { type Failure, failure } from '@stepfleet/contracts'
import { undoPath } from '../state/paths.ts'
import { type Closing, hasCompleted, isEnded, type RunState, type StepState } from '../state/state.ts'
import { emit, type Looked, planOf, type Turn } from '../turn.ts'
import { isBody } from './layers.ts'
import { start } from './start.ts'

type End =
  | { to: 'failed'; failure: Failure; path?: string | undefined }
  | { to: 'cancelled'; by: string; reason?: string | undefined }

const canBeUndone = (turn: Turn, step: StepState): boolean => planOf(turn.plan, step.node).compensated

/** The event by which it has taken effect. */
const doneSeq = (step: StepState): number => (hasCompleted(step) ? step.endSeq : step.happened?.seq) ?? 0

/** It completed, or has happened after it was given up, and what undoes it has not ended. */
const isToUndo = (turn: Turn, step: StepState): boolean => {
  if (!(hasCompleted(step) || step.happened) || !canBeUndone(turn, step) || !isBody(turn.plan, step)) return false
  const undo = turn.state.steps.get(undoPath(step.path))
  return !undo || !isEnded(undo)
}

/** What is done in place of a step is undone by what undoes the step. */
const standsInForWhatCan = (turn: Turn, { role, parent }: StepState): boolean => {
  const replaced = role === 'fallback' ? turn.state.steps.get(parent ?? '') : undefined
  return replaced !== undefined && canBeUndone(turn, replaced)
}

/** It is out, or nobody knows what became of it: it may have happened. */
const mayHappen = (turn: Turn, step: StepState): boolean =>
  (canBeUndone(turn, step) || standsInForWhatCan(turn, step)) &&
  step.role !== 'turn' &&
  step.role !== 'tool' &&
  (step.phase === 'scheduled' || step.callback !== null || step.case?.reason === 'ambiguous_state')

const endRun = (turn: Turn, end: End): void => {
  if (end.to === 'failed') {
    const { failure: cause, path } = end
    emit(turn, { type: 'run.failed', failure: cause, ...(path === undefined ? {} : { path }) })
  } else {
    const { by, reason } = end
    emit(turn, { type: 'run.cancelled', by, ...(reason === undefined ? {} : { reason }) })
  }
}

/** Ends the run, or begins to undo what it has done. A run that does that already goes on with it. */
export const closeOrUndo = (turn: Turn, end: End): void => {
  const { plan, state } = turn
  if (state.closing || state.endedAtMs !== null) return
  const awaited: string[] = []
  let undo = false
  if (plan.compensates) {
    for (const step of state.steps.values()) {
      if (!isEnded(step) && mayHappen(turn, step)) awaited.push(step.path)
      else if (isToUndo(turn, step)) undo = true
    }
  }
  if (undo || awaited.length > 0) emit(turn, { type: 'run.compensating', awaited, ...end })
  else endRun(turn, end)
}

/** What is left to undo, the next one last: the one that is being undone, then the newest. */
const undoOf = (turn: Turn): string[] => {
  const isBegun = (step: StepState): number => Number(turn.state.steps.has(undoPath(step.path)))
  return [...turn.state.steps.values()]
    .filter((step) => isToUndo(turn, step))
    .sort((a, b) => isBegun(a) - isBegun(b) || doneSeq(a) - doneSeq(b))
    .map((step) => step.path)
}

const endOf = (closing: Closing): End =>
  closing.to === 'failed'
    ? {
        to: 'failed',
        failure: closing.failure ?? failure('engine_failure', 'the cause was not recorded'),
        path: closing.path ?? undefined,
      }
    : { to: 'cancelled', by: closing.by ?? '', reason: closing.reason ?? undefined }

/** Ends a run that closes at once: what is not undone yet stays done. */
export const closeNow = (turn: Turn, closing: Closing): void => endRun(turn, endOf(closing))

/** The next compensation, when the last has ended and nothing is awaited any more; then the end. */
export const advanceClosing = (turn: Turn, closing: Closing): Looked => {
  const { state } = turn
  if (closing.awaited.some((path) => isOpen(state, path))) return 'done'
  state.undo ??= undoOf(turn)
  for (let path = state.undo.at(-1); path !== undefined; path = state.undo.at(-1)) {
    const undo = state.steps.get(undoPath(path))
    if (!undo) return start(turn, undoPath(path))
    if (!isEnded(undo)) return 'done'
    state.undo.pop()
  }
  closeNow(turn, closing)
  return 'done'
}

const isOpen = (state: RunState, path: string): boolean => {
  const step = state.steps.get(path)
  return step !== undefined && !isEnded(step)
}

/** A step that is still of interest while its run closes. */
export const mattersToClosing = (closing: Closing, step: StepState): boolean =>
  step.role === 'compensation' || closing.awaited.includes(step.path)
