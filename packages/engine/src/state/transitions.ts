// transitions: how a step or a run moves from one phase to another, with all that hangs on it. Used by fold alone.
import { type Failure, failure, type Payload, type RunStatus } from '@stepfleet/contracts'
import { isInside } from './paths.ts'
import { blankStep, isEnded, lastAttempt, openCase, type Phase, type RunState, type StepState } from './state.ts'

const parentOf = (state: RunState, step: StepState): StepState | undefined =>
  step.parent === null ? undefined : state.steps.get(step.parent)

/** The step of an event; made by the first event that names it. */
export const stepOf = (state: RunState, path: string, atMs: number): StepState => {
  const known = state.steps.get(path)
  if (known) return known
  const step = blankStep(path, atMs)
  state.steps.set(path, step)
  const parent = parentOf(state, step)
  if (parent) parent.open += 1
  return step
}

const bucket = (phase: Phase): keyof RunState['counts'] | null => {
  if (phase === 'scheduled') return 'scheduled'
  if (phase === 'escalated') return 'escalated'
  return phase === 'waiting' || phase === 'retrying' ? 'waiting' : null
}

/** An open composite is neither in flight nor waiting: its parts are. */
const counts = (step: StepState): boolean => step.opening?.kind !== 'each' && step.opening?.kind !== 'agent'

/** Moves a step to a phase: the counts, what is out, and the agenda follow. */
export const enter = (state: RunState, step: StepState, phase: Phase): void => {
  const from = counts(step) || step.phase === 'escalated' ? bucket(step.phase) : null
  const to = counts(step) || phase === 'escalated' ? bucket(phase) : null
  if (from) state.counts[from] -= 1
  if (to) state.counts[to] += 1
  if (step.phase === 'scheduled' && phase !== 'scheduled') state.outChanges.set(step.path, null)
  step.phase = phase
  state.agenda.add(step.path)
}

/** Cancels what is open inside a composite. */
export const cancelInside = (state: RunState, composite: StepState, atMs: number): void => {
  if (composite.open === 0) return
  for (const step of state.steps.values()) {
    if (isInside(step.path, composite.path) && !isEnded(step)) end(state, step, 'cancelled', atMs)
  }
}

/** Ends a step: its composite, or the run, is looked at next. */
export const end = (
  state: RunState,
  step: StepState,
  phase: Phase,
  atMs: number,
  output: Payload | null = null,
): void => {
  // what completes has nothing open inside
  if (phase !== 'completed') cancelInside(state, step, atMs)
  enter(state, step, phase)
  step.output = output
  step.endedAtMs = atMs
  step.endSeq = state.version
  // a case that was open when its step was cancelled stays on it, so that the desk can be told
  if (phase !== 'cancelled') step.case = null
  else if (openCase(step)) state.cutCases += 1
  stopListening(state, step)
  state.items.delete(step.path)
  const parent = parentOf(state, step)
  if (!parent) {
    state.topEnded += 1
    return
  }
  parent.open -= 1
  if (parent.each && step.role === 'item') parent.each.ended += 1
  state.agenda.add(parent.path)
}

/** A signal step begins to wait. */
export const listen = (state: RunState, step: StepState): void => {
  if (step.opening?.kind !== 'signal') return
  const waiting = state.signalWaiters.get(step.opening.name)
  if (waiting) waiting.add(step.path)
  else state.signalWaiters.set(step.opening.name, new Set([step.path]))
}

/** The first that waits for a signal is looked at. */
export const wakeListener = (state: RunState, name: string): void => {
  const [first] = state.signalWaiters.get(name) ?? []
  if (first !== undefined) state.agenda.add(first)
}

/** A signal step waits no more; what is left in the buffer is for the next one. */
const stopListening = (state: RunState, step: StepState): void => {
  if (step.opening?.kind !== 'signal') return
  const { name } = step.opening
  const waiting = state.signalWaiters.get(name)
  waiting?.delete(step.path)
  if (waiting?.size === 0) state.signalWaiters.delete(name)
  if (state.signals.has(name)) wakeListener(state, name)
}

/** Ends the run: what is open is cancelled, what is transient is gone. */
export const closeRun = (state: RunState, status: RunStatus, atMs: number): void => {
  state.status = status
  state.endedAtMs = atMs
  for (const step of state.steps.values()) {
    if (isEnded(step)) continue
    if (openCase(step)) state.cutCases += 1
    step.phase = 'cancelled'
    step.endedAtMs = atMs
    step.endSeq = state.version
  }
  state.counts = { scheduled: 0, waiting: 0, escalated: 0 }
  for (const transient of [
    state.agenda,
    state.backlog,
    state.timers,
    state.outChanges,
    state.items,
    state.signalWaiters,
  ]) {
    transient.clear()
  }
  state.nextWakeMs = null
}

/** A step that may begin anew: an open composite goes on, everything else starts again. What it has behind it stays. */
const begin = (state: RunState, step: StepState): void => {
  step.endedAtMs = null
  step.endSeq = null
  step.notBeforeMs = null
  step.heldWhy = null
  step.case = null
  // who was asked and did not open the gate is asked again
  if (!step.gateOpen) step.approval = null
  const composite = step.opening?.kind === 'each' || step.opening?.kind === 'agent'
  if (!composite) step.opening = null
  enter(state, step, composite ? 'waiting' : 'pending')
}

/**
 * What asking for the whole does not decide: a failure of a part that nobody has decided on, and a part of effect
 * `once` that was out when it was cancelled, so that nobody knows whether it happened.
 */
const undecided = (inner: StepState): Failure | null => {
  const last = lastAttempt(inner)
  if (last?.outcome === 'failed' && last.retryAtMs === null) return inner.failure
  if (last?.outcome !== 'out' || inner.effect !== 'once') return null
  return failure('outcome_unknown', 'it was out when the step around it was given up; whether it happened is not known')
}

/** Opens a step again, and what was cancelled inside it. */
export const reopen = (state: RunState, step: StepState, atMs: number): void => {
  begin(state, step)
  step.readyAtMs = atMs
  if (!step.opening) return
  if (step.each) step.each.cursor = 0
  for (const inner of state.steps.values()) {
    if (inner.phase !== 'cancelled' || !isInside(inner.path, step.path)) continue
    const parent = parentOf(state, inner)
    if (parent) parent.open += 1
    if (parent?.each && inner.role === 'item') parent.each.ended -= 1
    if (openCase(inner)) state.cutCases -= 1
    begin(state, inner)
    inner.failure = undecided(inner)
    if (inner.failure) enter(state, inner, 'failing')
  }
}
