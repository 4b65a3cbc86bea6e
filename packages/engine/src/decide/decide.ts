// decide: what follows from the facts. It works off the agenda: the paths that the last facts touched. Its cost
// is that of what changed, never that of the run.
import { parsePath } from '../state/paths.ts'
import { isEnded, isOpen, type StepState } from '../state/state.ts'
import { emit, isCrowded, type Looked, type Turn } from '../turn.ts'
import { advanceAgent } from './agent.ts'
import { advanceBlock } from './block.ts'
import { advanceClosing, mattersToClosing } from './closing.ts'
import { judge } from './confidence.ts'
import { advanceEach } from './each.ts'
import { settleFailure } from './failure-policy.ts'
import { advanceFallback } from './fallback.ts'
import { beginStep, considerPath, finishRun, followUp, lookAtScope } from './graph.ts'
import { admitRun } from './limits.ts'
import { advanceRepeat } from './repeat.ts'
import { start } from './start.ts'

/**
 * Decides until nothing new follows, or the turn is full; then the run is woken at once (`wakeAt`). When `turn.missing` or `turn.asks` are not empty afterwards, the driver loads
 * those blobs, answers those asks, and calls again; what waited for them is still on the agenda.
 */
export const decide = (turn: Turn): void => {
  const { state } = turn
  if (state.paused) {
    // nothing new begins; resuming looks at everything
    state.agenda.clear()
    state.unfinished = false
    return
  }
  const { waiting } = turn
  // what was asked for is answered: those who asked go first, before others are let in from behind
  const again = [...waiting]
  waiting.clear()
  const look = (path: string): void => {
    if (lookAt(turn, path) === 'wait') waiting.add(path)
  }
  for (const path of again) if (state.endedAtMs === null && state.agenda.delete(path)) look(path)
  for (let path = next(turn); path !== undefined; path = next(turn)) look(path)
  state.unfinished = state.endedAtMs === null && state.agenda.size > 0
  if (state.endedAtMs === null) for (const path of waiting) state.agenda.add(path)
}

/** What is looked at next: while places are free, those that were held back come first, in their order. */
const next = (turn: Turn): string | undefined => {
  const { state } = turn
  if (state.endedAtMs !== null || turn.events.length >= turn.mostEvents) return undefined
  const from = state.backlog.size > 0 && !isCrowded(turn) ? state.backlog : state.agenda
  const [path] = from
  if (path !== undefined) from.delete(path)
  return path
}

const lookAt = (turn: Turn, path: string): Looked => {
  const { closing } = turn.state
  if (closing && path === '') return advanceClosing(turn, closing)
  if (path === '') return lookAtRun(turn)
  if (path.endsWith('/')) return closing ? 'done' : lookAtScope(turn, path.slice(0, -1))
  const step = turn.state.steps.get(path)
  if (closing && !(step ? mattersToClosing(closing, step) : parsePath(path).role === 'compensation')) return 'done'
  return step ? lookAtStep(turn, step) : startUnknown(turn, path)
}

const lookAtStep = (turn: Turn, step: StepState): Looked => {
  const { path } = step
  if (isEnded(step)) return step.role === 'step' && !turn.state.closing ? followUp(turn, step) : 'done'
  if (step.phase === 'judging') return judge(turn, step)
  if (step.phase === 'failing') {
    if (step.failure) settleFailure(turn, path, step.failure)
    return 'done'
  }
  if (step.waitsForRoom) return 'done'
  if (step.phase === 'pending' || isRipe(turn, step)) {
    return hasBegun(step) ? start(turn, path) : beginStep(turn, path)
  }
  return step.phase === 'waiting' ? lookAtOpen(turn, step) : 'done'
}

/** A retry or a held delivery whose time has come. */
const isRipe = (turn: Turn, step: StepState): boolean =>
  step.phase === 'retrying' && ((step.notBeforeMs ?? 0) <= turn.nowMs || turn.state.nudged.has(step.path))

/** Its condition, if it has one, was judged. */
const hasBegun = (step: StepState): boolean =>
  step.role !== 'step' || step.attempts.length > 0 || step.opening !== null || step.gateOpen || step.heldWhy !== null

/** A path without a record: a ready task that the limit held back. */
const startUnknown = (turn: Turn, path: string): Looked => {
  const { role, parent } = parsePath(path)
  if (role === 'compensation') return start(turn, path)
  const around = parent === null ? undefined : turn.state.steps.get(parent)
  if (role === 'fallback') return around?.fallback?.path === path ? start(turn, path) : 'done'
  if (parent !== null && !(around && isOpen(around))) return 'done'
  return role === 'step' ? considerPath(turn, path) : start(turn, path)
}

/** The run itself: it may have to wait for a place, then its steps begin. */
const lookAtRun = (turn: Turn): Looked => {
  const { state, plan } = turn
  if (state.steps.size === 0 && plan.limits.length > 0) {
    const admitted = admitRun(turn)
    if (admitted !== 'granted') return admitted
  }
  const looked = lookAtScope(turn, '')
  return looked === 'wait' ? looked : finishRun(turn)
}

/** A composite or waiting step that something happened to. */
const lookAtOpen = (turn: Turn, step: StepState): Looked => {
  if (step.fallback) return advanceFallback(turn, step, step.fallback.path)
  switch (step.opening?.kind) {
    case 'each':
      return advanceEach(turn, step)
    case 'repeat':
      return advanceRepeat(turn, step)
    case 'block':
      return advanceBlock(turn, step)
    case 'agent':
      return advanceAgent(turn, step)
    case 'signal': {
      const payload = turn.state.signals.get(step.opening.name)?.[0]
      if (payload) emit(turn, { type: 'step.completed', path: step.path, output: payload })
      return 'done'
    }
    case 'wait':
    case 'run':
    case undefined:
      return 'done'
  }
}
