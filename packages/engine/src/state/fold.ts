// fold: one event onto the state. The only code that changes what a run is; it judges nothing and knows no plan.
// The state is handed over: fold changes it in place and is deterministic in (state, event).
import type { Event, EventOf, EventType, RunStatus } from '@stepfleet/contracts'
import { raiseBudget, spend } from './spending.ts'
import {
  type AttemptState,
  addWaste,
  isComposite,
  isEnded,
  isHeld,
  lastAttempt,
  type RunState,
  type StepState,
} from './state.ts'
import {
  askAgain,
  cancelInside,
  closeRun,
  cutAllBut,
  end,
  enter,
  listen,
  reopen,
  standIn,
  stepOf,
  wakeListener,
} from './transitions.ts'

const attemptOf = (step: StepState, attempt: number): AttemptState | undefined =>
  step.attempts.find((record) => record.attempt === attempt)

const closeAttempt = (
  step: StepState,
  event: EventOf<'step.completed'> | EventOf<'step.answered'> | EventOf<'step.attempt_failed'>,
  outcome: 'completed' | 'failed',
): void => {
  const record = event.attempt === undefined ? undefined : attemptOf(step, event.attempt)
  if (!record) return
  record.outcome = outcome
  record.endedAtMs = event.atMs
  record.worker = event.worker ?? record.worker
  record.startedAtMs = event.startedAtMs ?? record.startedAtMs
  record.usage = event.usage ?? null
  if (event.delivery !== undefined) record.reported.push(event.delivery)
}

const consumeSignal = (state: RunState, step: StepState): void => {
  if (step.opening?.kind !== 'signal') return
  const buffer = state.signals.get(step.opening.name)
  buffer?.shift()
  if (buffer?.length === 0) state.signals.delete(step.opening.name)
}

/** A delivery of an attempt begins: that of the last one, or a new one. */
const beginAttempt = (step: StepState, event: EventOf<'step.dispatched'> | EventOf<'callback.opened'>): void => {
  step.effect = event.effect
  step.tool = event.tool ?? null
  step.notBeforeMs = null
  step.heldWhy = null
  step.edition = event.edition ?? step.edition
  const same = attemptOf(step, event.attempt)
  if (same) {
    same.delivery = event.delivery
    same.sentAtMs = event.atMs
  } else {
    step.attempts.push({
      attempt: event.attempt,
      delivery: event.delivery,
      losses: 0,
      dropped: 0,
      dispatchedAtMs: event.atMs,
      sentAtMs: event.atMs,
      startedAtMs: null,
      endedAtMs: null,
      worker: null,
      failure: null,
      usage: null,
      retryAtMs: null,
      reported: [],
      outcome: 'out',
    })
  }
}

const dispatched = (state: RunState, event: EventOf<'step.dispatched'>): void => {
  const step = stepOf(state, event.path, event.atMs)
  enter(state, step, 'scheduled')
  step.queue = event.queue
  step.timeoutMs = event.timeoutMs
  state.outChanges.set(step.path, { attempt: event.attempt, delivery: event.delivery })
  beginAttempt(step, event)
}

type CallbackEvent = EventOf<'callback.opened'> | EventOf<'callback.told'> | EventOf<'callback.alive'>

/** The step waits for an answer from outside: since the first of these of an attempt, until what the last one says. */
const awaitCallback = (state: RunState, event: CallbackEvent): StepState => {
  const step = stepOf(state, event.path, event.atMs)
  const sinceMs = step.callback?.sinceMs ?? event.atMs
  enter(state, step, 'waiting')
  step.callback = { sinceMs, untilMs: event.untilMs }
  step.notBeforeMs = null
  step.heldWhy = null
  return step
}

/** A new series of attempts; what a composite had cancelled inside it may start again. */
const retried = (state: RunState, event: EventOf<'step.retried'>): void => {
  const step = stepOf(state, event.path, event.atMs)
  const isDoubted = step.failure?.code === 'low_confidence'
  step.attemptsBefore = lastAttempt(step)?.attempt ?? 0
  step.roundsBefore = step.rounds
  step.failure = null
  step.unknown = false
  if (event.edit) {
    step.edit = { ...step.edit, ...event.edit }
    step.edition += 1
    step.editedAfter = step.attemptsBefore
  }
  reopen(state, step, event.atMs)
  if (isDoubted && step.opening?.kind === 'agent') askAgain(state, step)
}

/** Another model has attempts of its own. */
const goOnWith = (state: RunState, step: StepState, model: string): void => {
  step.model = model
  const last = lastAttempt(step)
  // an attempt that nobody began goes on, as its first
  step.attemptsBefore = (last?.attempt ?? 0) - (last?.outcome === 'out' ? 1 : 0)
  step.failure = null
  enter(state, step, 'pending')
}

/** An answer to a person's question: a plain approval completes by a fact of its own, a gate opens or fails. */
const approvalGiven = (state: RunState, event: EventOf<'approval.given'>): void => {
  const step = stepOf(state, event.path, event.atMs)
  if (!step.approval) return
  step.approval.given = true
  step.case = null
  if (!step.approval.gate || !event.approved) return
  step.gateOpen = true
  const { edits } = event
  if (edits !== undefined && edits !== null && typeof edits === 'object' && !Array.isArray(edits)) {
    step.edit = { ...step.edit, with: edits }
  }
  // its deadline had run out while it waited for the answer
  if (step.phase === 'escalated') step.readyAtMs = event.atMs
  enter(state, step, 'pending')
}

const lookAtEverything = (state: RunState): void => {
  state.agenda.add('')
  for (const step of state.steps.values()) {
    if (isEnded(step)) continue
    step.cursor = 0
    state.agenda.add(step.path)
    if (step.opening?.kind === 'block') state.agenda.add(`${step.path}/`)
  }
}

type Folders = { [T in EventType]: (state: RunState, event: EventOf<T>) => void }

const folders: Folders = {
  'run.started': (state, event) => {
    state.workflow = event.workflow
    state.input = event.input
    state.labels = event.labels
    state.priority = event.priority
    state.env = event.env
    state.trace = event.trace ?? null
    state.parent = event.parent ?? null
    state.deadlineAtMs = event.deadlineAtMs ?? null
    state.budget = event.budget ?? null
    state.startedAtMs = event.atMs
    state.agenda.add('')
  },
  'run.held': (state, event) => {
    state.heldWhy = event.why
  },
  'step.asked': (state, event) => {
    state.asked.set(event.path, event.step)
  },
  'step.opened': (state, event) => {
    const step = stepOf(state, event.path, event.atMs)
    // it may have waited until now, and only then counted as such
    enter(state, step, 'pending')
    step.opening = event.opening
    if (isComposite(step)) state.composites += 1
    if (event.opening.kind === 'run' && !event.opening.detach) state.children += 1
    listen(state, step)
    enter(state, step, 'waiting')
    if (event.opening.kind === 'block') state.agenda.add(`${step.path}/`)
  },
  'step.dispatched': dispatched,
  'callback.opened': (state, event) => {
    const step = awaitCallback(state, event)
    beginAttempt(step, event)
    const record = attemptOf(step, event.attempt)
    if (record) record.startedAtMs = event.atMs
  },
  'callback.told': (state, event) => {
    const record = attemptOf(awaitCallback(state, event), event.attempt)
    if (!record) return
    record.worker = event.worker
    record.startedAtMs = event.startedAtMs
  },
  'callback.alive': (state, event) => void awaitCallback(state, event),
  'step.lost': (state, event) => {
    const step = stepOf(state, event.path, event.atMs)
    const record = attemptOf(step, event.attempt)
    if (record && event.cause === 'worker') record.losses += 1
    if (record && event.cause === 'queue') record.dropped += 1
    if (event.cause === 'worker' && step.tool === null) state.waste.lostCalls += 1
    step.notBeforeMs = event.nextAtMs ?? null
    step.heldWhy = event.why ?? null
    enter(state, step, event.nextAtMs ? 'retrying' : 'pending')
  },
  'step.held': (state, event) => {
    const step = stepOf(state, event.path, event.atMs)
    step.heldWhy = event.why
    step.notBeforeMs = event.nextAtMs
    enter(state, step, 'retrying')
  },
  'step.attempt_failed': (state, event) => {
    const step = stepOf(state, event.path, event.atMs)
    closeAttempt(step, event, 'failed')
    const record = attemptOf(step, event.attempt)
    if (record) {
      record.failure = event.failure
      record.retryAtMs = event.retryAtMs ?? null
    }
    spend(state, event)
    step.failure = event.failure
    step.notBeforeMs = event.retryAtMs ?? null
    enter(state, step, event.retryAtMs === undefined ? 'failing' : 'retrying')
  },
  'step.completed': (state, event) => {
    const step = stepOf(state, event.path, event.atMs)
    closeAttempt(step, event, 'completed')
    spend(state, event)
    consumeSignal(state, step)
    step.failure = null
    // the step was given up while this was waited for: it has happened in its place
    if (step.role === 'fallback' && state.closing) {
      stepOf(state, step.parent ?? '', event.atMs).happened = { output: event.output, seq: event.seq }
      state.undo = null
    }
    // an agent stays with the model that answered
    if (step.role === 'turn' && step.model !== null) stepOf(state, step.parent ?? '', event.atMs).model = step.model
    end(state, step, 'completed', event.atMs, event.output)
  },
  'step.answered': (state, event) => {
    const step = stepOf(state, event.path, event.atMs)
    closeAttempt(step, event, 'completed')
    spend(state, event)
    step.answer = event.output
    // whatever is thought of the answer, what the step does is done
    step.happened = { output: event.output, seq: event.seq }
    step.failure = null
    enter(state, step, 'judging')
  },
  'step.fallback': (state, event) => {
    const step = stepOf(state, event.path, event.atMs)
    const { to, failure, atMs } = event
    if ('model' in to) goOnWith(state, step, to.model)
    else standIn(state, step, to.step, failure, atMs)
  },
  'step.failed': (state, event) => {
    const step = stepOf(state, event.path, event.atMs)
    step.failure = event.failure
    step.outward = event.outward ?? false
    end(state, step, 'failed', event.atMs, event.output)
  },
  'step.skipped': (state, event) => end(state, stepOf(state, event.path, event.atMs), 'skipped', event.atMs),
  'step.overridden': (state, event) => {
    const step = stepOf(state, event.path, event.atMs)
    step.failure = null
    end(state, step, 'overridden', event.atMs, event.output)
  },
  'step.retried': retried,
  'step.escalated': (state, event) => {
    const step = stepOf(state, event.path, event.atMs)
    cancelInside(state, step, event.atMs)
    enter(state, step, 'escalated')
    step.failure = event.failure ?? step.failure
    step.case = { id: event.case, reason: event.reason, openedAtMs: event.atMs }
    step.cases += 1
  },
  'escalation.resolved': (state, event) => {
    const step = stepOf(state, event.path, event.atMs)
    step.case = null
    if (step.approval?.case === event.case) step.approval.given = true
  },
  'approval.asked': (state, event) => {
    const step = stepOf(state, event.path, event.atMs)
    step.approval = {
      case: event.case,
      gate: event.gate,
      expiresAtMs: event.expiresAtMs ?? null,
      onExpiry: event.onExpiry,
      askedAtMs: event.atMs,
      given: false,
    }
    enter(state, step, 'waiting')
  },
  'approval.given': approvalGiven,
  'signal.received': (state, event) => {
    const buffer = state.signals.get(event.name)
    if (buffer) buffer.push(event.payload)
    else state.signals.set(event.name, [event.payload])
    wakeListener(state, event.name)
  },
  'step.budget_raised': (state, event) => {
    const step = stepOf(state, event.path, event.atMs)
    step.budget = { ...step.budget, ...event.budget }
  },
  'run.budget_raised': (state, event) => raiseBudget(state, event.budget),
  'run.paused': (state, event) => {
    state.paused = { by: event.by, reason: event.reason ?? null, atMs: event.atMs }
  },
  'run.resumed': (state) => {
    state.paused = null
    lookAtEverything(state)
  },
  'cost.noted': (state, event) => {
    spend(state, event)
    addWaste(state.waste, event.usage)
    attemptOf(stepOf(state, event.path, event.atMs), event.attempt)?.reported.push(event.delivery)
  },
  'step.happened': (state, event) => {
    const step = stepOf(state, event.path, event.atMs)
    spend(state, event)
    attemptOf(step, event.attempt)?.reported.push(event.delivery)
    step.happened = { output: event.output, seq: event.seq }
    if (!state.closing) return
    state.undo = null
    state.agenda.add('')
  },
  'run.compensating': (state, event) => {
    const { to, awaited } = event
    state.closing = {
      to,
      awaited,
      failure: event.failure ?? null,
      path: event.path ?? null,
      by: event.by ?? null,
      reason: event.reason ?? null,
    }
    cutAllBut(state, new Set(awaited), event.atMs)
  },
  'run.completed': (state, event) => {
    state.output = event.output
    closeRun(state, 'completed', event.atMs)
  },
  'run.failed': (state, event) => {
    state.failure = event.failure
    state.failedStep = event.path ?? null
    closeRun(state, 'failed', event.atMs)
  },
  'run.cancelled': (state, event) => closeRun(state, 'cancelled', event.atMs),
}

/** The status of a run that has not ended, by precedence. */
const openStatus = (state: RunState): RunStatus => {
  if (state.paused) return 'paused'
  if (state.counts.scheduled > 0) return 'running'
  if (state.counts.waiting > 0 || isHeld(state)) return 'waiting'
  return state.counts.escalated > 0 ? 'escalated' : 'running'
}

/** Folds one event. Throws on a gap: a journal with a hole is never taken for a history. */
export const fold = (state: RunState, event: Event): RunState => {
  if (event.seq !== state.version + 1) {
    throw new Error(`journal of ${state.ns}~${state.run}: event ${event.seq} after ${state.version}`)
  }
  state.version = event.seq
  state.lastAtMs = event.atMs
  // the table is exhaustive by type; one cast joins an event with its own folder
  const apply = folders[event.type] as (state: RunState, event: Event) => void
  apply(state, event)
  if (state.endedAtMs === null) state.status = openStatus(state)
  return state
}

/** After a load: everything that has not ended is looked at once; nothing new may come of it. */
export const refreshAgenda = (state: RunState): void => {
  state.agenda.clear()
  state.outChanges.clear()
  state.signalWaiters.clear()
  if (state.endedAtMs !== null || state.version === 0) return
  lookAtEverything(state)
  for (const step of state.steps.values()) {
    if (!isEnded(step)) listen(state, step)
  }
}
