// Timers: when a run must be looked at again though nobody sends anything. All of them follow from the plan and
// the state, so none is stored; a run has one wake in Redis, the earliest of them or earlier.
import type { Plan } from '../definition/plan.ts'
import { isInside } from './paths.ts'
import {
  isEnded,
  isHeld,
  isWhole,
  lastAttempt,
  type RunState,
  type StepState,
  type Timer,
  type TimerKind,
} from './state.ts'

/**
 * The first look at a task that is out comes after this, or after its time-out if that is shorter. A worker that
 * dies between taking a job and claiming it leaves no other trace.
 */
export const FIRST_CHECK_MS = 5_000
/** Later looks at a task that still waits in its queue. */
export const NEXT_CHECK_MS = 15_000
/** A worker enforces the time-out itself; the engine only follows up on one that did not. */
export const TIMEOUT_GRACE_MS = 5_000

const key = (kind: TimerKind, path: string): string => `${kind} ${path}`

const set = (state: RunState, kind: TimerKind, path: string, atMs: number | null): void => {
  if (atMs === null) {
    state.timers.delete(key(kind, path))
    return
  }
  state.timers.set(key(kind, path), { path, kind, atMs })
  if (state.nextWakeMs === null || atMs < state.nextWakeMs) state.nextWakeMs = atMs
}

const checkAt = (step: StepState): number | null => {
  const record = lastAttempt(step)
  if (step.phase !== 'scheduled' || !record || step.timeoutMs === null) return null
  return record.sentAtMs + Math.min(FIRST_CHECK_MS, step.timeoutMs)
}

const openUntil = (step: StepState): number | null => {
  if (step.phase !== 'waiting' || !step.opening) return null
  if (step.opening.kind === 'wait' || step.opening.kind === 'signal') return step.opening.untilMs
  return null
}

const KINDS: readonly TimerKind[] = ['retry', 'check', 'wait', 'signal', 'callback', 'expiry', 'deadline']

/** Sets the timers of a step to what its state asks for. */
export const armTimers = (plan: Plan, state: RunState, path: string): void => {
  const step = state.steps.get(path)
  if (!step || isEnded(step) || state.endedAtMs !== null) {
    for (const kind of KINDS) state.timers.delete(key(kind, path))
    return
  }
  const asking = step.phase === 'waiting' && step.approval !== null && !step.approval.given
  const deadlineMs = isWhole(step) ? (plan.steps.get(step.node)?.deadlineMs ?? null) : null
  set(state, 'retry', path, step.phase === 'retrying' ? step.notBeforeMs : null)
  set(state, 'check', path, checkAt(step))
  set(state, 'wait', path, step.opening?.kind === 'wait' ? openUntil(step) : null)
  set(state, 'signal', path, step.opening?.kind === 'signal' ? openUntil(step) : null)
  set(state, 'callback', path, step.callback?.untilMs ?? null)
  set(state, 'expiry', path, asking ? (step.approval?.expiresAtMs ?? null) : null)
  set(state, 'deadline', path, deadlineMs === null || step.phase === 'escalated' ? null : step.readyAtMs + deadlineMs)
}

/** Sets the timer of the run itself. */
export const armRun = (state: RunState): void => {
  const over = state.endedAtMs !== null || state.closing !== null
  set(state, 'deadline', '', over ? null : state.deadlineAtMs)
  set(state, 'retry', '', !over && isHeld(state) ? state.lastAtMs : null)
}

/** Looks at a task again later. Not a fact: after a load the first look simply comes early. */
export const armCheck = (state: RunState, path: string, atMs: number): void => set(state, 'check', path, atMs)

/**
 * Looks at a step ('' is the run itself) that could not begin again later, because something outside the run is not
 * there yet. Not a fact: after a load it is looked at anyhow.
 */
export const lookAgain = (state: RunState, path: string, atMs: number): void => set(state, 'retry', path, atMs)

/** Takes out what is ripe, in order of time, and sets the next wake anew. */
export const takeRipe = (state: RunState, nowMs: number): Timer[] => {
  const ripe: Timer[] = []
  let next: number | null = null
  for (const [name, timer] of state.timers) {
    if (timer.atMs <= nowMs) {
      ripe.push(timer)
      state.timers.delete(name)
    } else if (next === null || timer.atMs < next) next = timer.atMs
  }
  state.nextWakeMs = next
  return ripe.sort((a, b) => a.atMs - b.atMs || (a.path < b.path ? -1 : 1))
}

/** Tasks that are out, of a step or inside of it. It looks at every step: ask only when it matters. */
export const tasksOut = (state: RunState, path: string): string[] =>
  [...state.steps.values()]
    .filter((step) => step.phase === 'scheduled' && (step.path === path || isInside(step.path, path)))
    .map((step) => step.path)

/** Paths of tasks that a wake at this time will look at: the driver reads their `out` fields first. */
export const dueChecks = (state: RunState, nowMs: number): string[] => {
  const paths = new Set<string>()
  for (const { kind, path, atMs } of state.timers.values()) {
    if (atMs > nowMs) continue
    if (kind === 'check') paths.add(path)
    if (kind === 'deadline' && path !== '') for (const task of tasksOut(state, path)) paths.add(task)
  }
  return [...paths]
}

/** When the run must be woken, Redis milliseconds. May be early, never late. */
export const wakeAt = (state: RunState): number | null => {
  if (state.endedAtMs !== null) return null
  // the last turn was full: what is left is decided at once
  return state.unfinished ? state.lastAtMs : state.nextWakeMs
}

/** After a load. */
export const armAllTimers = (plan: Plan, state: RunState): void => {
  state.timers.clear()
  state.nextWakeMs = null
  armRun(state)
  for (const path of state.steps.keys()) armTimers(plan, state, path)
}
