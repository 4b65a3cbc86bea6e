// transitions: how a step or a run moves from one phase to another, with all that hangs on it. Used by fold alone.
import { type Failure, failure, type Payload, type RunStatus } from '@stepfleet/contracts'
import { isInside, turnPath } from './paths.ts'
import {
  blankStep,
  hasCompleted,
  isComposite,
  isEnded,
  lastAttempt,
  openCase,
  type Phase,
  type RunState,
  type StepState,
} from './state.ts'

/** What a step is a part of. What undoes a step is no part of it: that one has ended. */
const parentOf = (state: RunState, step: StepState): StepState | undefined =>
  step.parent === null || step.role === 'compensation' ? undefined : state.steps.get(step.parent)

/** The step of an event; made by the first event that names it. */
export const stepOf = (state: RunState, path: string, atMs: number): StepState => {
  const known = state.steps.get(path)
  if (known) return known
  const step = blankStep(path, atMs)
  state.steps.set(path, step)
  const parent = parentOf(state, step)
  if (!parent) return step
  parent.open += 1
  if (step.role === 'turn' || step.role === 'iteration') parent.rounds = Math.max(parent.rounds, step.turn ?? 0)
  return step
}

const bucket = (phase: Phase): keyof RunState['counts'] | null => {
  if (phase === 'scheduled') return 'scheduled'
  if (phase === 'escalated') return 'escalated'
  return phase === 'waiting' || phase === 'retrying' ? 'waiting' : null
}

/** An item that waited for its turn begins, or ends without. */
const leaveRoom = (state: RunState, item: StepState): void => {
  item.waitsForRoom = false
  const group = parentOf(state, item)
  if (group) group.held -= 1
}

/** Moves a step to a phase: the counts, what is out, and the agenda follow. */
export const enter = (state: RunState, step: StepState, phase: Phase): void => {
  // an open composite is neither in flight nor waiting: its parts are
  const counts = !isComposite(step)
  const from = counts || step.phase === 'escalated' ? bucket(step.phase) : null
  const to = counts || phase === 'escalated' ? bucket(phase) : null
  if (from) state.counts[from] -= 1
  if (to) state.counts[to] += 1
  if (step.phase === 'scheduled' && phase !== 'scheduled') state.outChanges.set(step.path, null)
  if (step.waitsForRoom) leaveRoom(state, step)
  if (phase !== 'waiting') step.callback = null
  step.phase = phase
  state.nudged.delete(step.path)
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
  cancelInside(state, step, atMs)
  enter(state, step, phase)
  step.output = output
  step.endedAtMs = atMs
  step.endSeq = state.version
  // a case that was open when its step was cancelled stays on it, so that the desk can be told
  if (phase !== 'cancelled') step.case = null
  else if (openCase(step)) state.cutCases += 1
  stopListening(state, step)
  state.items.delete(step.path)
  tellParent(state, step)
}

const tellParent = (state: RunState, step: StepState): void => {
  if (state.closing) state.agenda.add('')
  if (step.role === 'compensation') {
    const undone = hasCompleted(step) ? state.steps.get(step.parent ?? '') : undefined
    if (undone) undone.phase = 'compensated'
    return
  }
  const parent = parentOf(state, step)
  if (!parent) {
    state.topEnded += 1
    state.topEnds.push(step.path)
    return
  }
  parent.open -= 1
  if (step.role !== 'fallback') {
    parent.ended += 1
    if (hasCompleted(step)) parent.completed += 1
  }
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

/** A step that has failed waits for what is done in its place. */
export const standIn = (state: RunState, step: StepState, path: string, cause: Failure, atMs: number): void => {
  cancelInside(state, step, atMs)
  enter(state, step, 'pending')
  stopListening(state, step)
  if (!isComposite(step)) {
    step.opening = null
    state.composites += 1
  }
  step.fallback = { path, failure: cause }
  step.fallbacks += 1
  enter(state, step, 'waiting')
}

/** Cancels what is open, without looking at anything after it. */
const cut = (state: RunState, step: StepState, atMs: number): void => {
  if (openCase(step)) state.cutCases += 1
  if (step.phase === 'scheduled') state.outChanges.set(step.path, null)
  step.callback = null
  step.phase = 'cancelled'
  step.endedAtMs = atMs
  step.endSeq = state.version
}

/** Cancels everything that is open but for what is awaited, and forgets what was to be done next. */
export const cutAllBut = (state: RunState, awaited: ReadonlySet<string>, atMs: number): void => {
  state.counts = { scheduled: 0, waiting: 0, escalated: 0 }
  for (const step of state.steps.values()) {
    if (isEnded(step)) continue
    if (!awaited.has(step.path)) cut(state, step, atMs)
    else {
      const to = bucket(step.phase)
      if (to) state.counts[to] += 1
    }
  }
  for (const transient of [
    state.backlog,
    state.unaffordable,
    state.nudged,
    state.items,
    state.signalWaiters,
    state.timers,
  ]) {
    transient.clear()
  }
  state.nextWakeMs = null
  state.undo = null
  state.agenda.clear()
  state.agenda.add('')
}

/** Ends the run: what is open is cancelled, what is transient is gone. */
export const closeRun = (state: RunState, status: RunStatus, atMs: number): void => {
  cutAllBut(state, new Set(), atMs)
  state.status = status
  state.endedAtMs = atMs
  state.agenda.clear()
  // the append deletes all of `out`
  state.outChanges.clear()
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
  step.cursor = 0
  step.answer = null
  step.model = null
  if (step.fallback) {
    step.fallback = null
    if (!isComposite(step)) state.composites -= 1
  }
  const composite = isComposite(step)
  if (!composite) step.opening = null
  enter(state, step, composite ? 'waiting' : 'pending')
  if (step.opening?.kind === 'block') state.agenda.add(`${step.path}/`)
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

/** A part that failed for good when nobody took it, or an item that a join took as its result, is tried anew. */
const isTriedAnew = (inner: StepState, step: StepState): boolean =>
  inner.phase === 'failed' && (inner.outward || (inner.role === 'item' && inner.parent === step.path))

/** Whether the effect happened is for a person to say, before it is tried anew. */
const isUnknown = (inner: StepState): boolean => inner.effect === 'once' && inner.failure?.class === 'ambiguous'

/** Items begin in order, as far as there is room; what is inside of them is reopened when they do. */
const waitForRoom = (state: RunState, item: StepState, group: StepState): void => {
  enter(state, item, 'pending')
  state.agenda.delete(item.path)
  state.agenda.delete(`${item.path}/`)
  item.waitsForRoom = true
  group.held += 1
}

const reopenPart = (state: RunState, step: StepState, inner: StepState): void => {
  const anew = isTriedAnew(inner, step)
  const parent = parentOf(state, inner)
  // what a person skipped, or gave an output, stays as it is with all that is inside of it
  if ((!anew && inner.phase !== 'cancelled') || parent?.phase !== 'waiting') return
  // the step itself is tried again, and not what was done in its place
  if (inner.role === 'fallback') return
  parent.open += 1
  parent.ended -= 1
  if (!anew && openCase(inner)) state.cutCases -= 1
  begin(state, inner)
  inner.outward = false
  inner.unknown = anew && isUnknown(inner)
  if (anew) inner.attemptsBefore = lastAttempt(inner)?.attempt ?? 0
  if (!inner.unknown) inner.failure = anew ? null : undecided(inner)
  if (inner.failure) enter(state, inner, 'failing')
  else if (inner.role === 'item') waitForRoom(state, inner, parent)
}

/** The answer of an agent was not good enough: its last turn is asked for again. */
export const askAgain = (state: RunState, agent: StepState): void => {
  const turn = state.steps.get(turnPath(agent.path, agent.rounds))
  if (!turn || !isEnded(turn)) return
  agent.open += 1
  agent.ended -= 1
  if (hasCompleted(turn)) agent.completed -= 1
  turn.attemptsBefore = lastAttempt(turn)?.attempt ?? 0
  turn.output = null
  begin(state, turn)
}

/** Opens a step again, and what was cancelled, or failed without being a result, inside it. */
export const reopen = (state: RunState, step: StepState, atMs: number): void => {
  begin(state, step)
  step.readyAtMs = atMs
  if (!step.opening) return
  for (const inner of state.steps.values()) {
    if (isInside(inner.path, step.path)) reopenPart(state, step, inner)
  }
}
