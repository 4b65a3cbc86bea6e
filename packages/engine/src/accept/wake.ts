// Wakes: timers that have come due. A timer is never a fact; what follows from it is.
import { failure, type Json, type Observation, type Verdict } from '@stepfleet/contracts'
import { closeOrUndo } from '../decide/closing.ts'
import { settleFailure } from '../decide/failure-policy.ts'
import {
  isEnded,
  lastAttempt,
  MOST_DROPPED,
  openCase,
  runHasEnded,
  type StepState,
  type Timer,
} from '../state/state.ts'
import { armCheck, NEXT_CHECK_MS, TIMEOUT_GRACE_MS, takeRipe, tasksOut } from '../state/timers.ts'
import { emit, planOf, type Turn } from '../turn.ts'
import { failAttempt } from './outcome.ts'
import { applied } from './verdict.ts'

/** What the driver saw of the tasks that a wake looks at, by path. */
export type Observations = ReadonlyMap<string, Observation>

/** A task that reported is in the mailbox; this is how long until it is looked at again all the same. */
const REPORTED_CHECK_MS = 5_000

/** Decides on a task that is out, by what was seen of it. A backlog times nothing out: time runs from the claim. */
const check = (turn: Turn, step: StepState, seen: Observation | undefined): void => {
  const last = lastAttempt(step)
  if (step.phase !== 'scheduled' || !last) return
  const { path } = step
  if (!seen || seen.reported) {
    armCheck(turn.state, path, turn.nowMs + (seen ? REPORTED_CHECK_MS : NEXT_CHECK_MS))
    return
  }
  if (seen.claimedAtMs === null) {
    if (!seen.jobMissing) {
      armCheck(turn.state, path, turn.nowMs + NEXT_CHECK_MS)
      return
    }
    const { attempt, delivery } = last
    if (last.dropped + 1 >= MOST_DROPPED) {
      const message = `its job left the queue ${MOST_DROPPED} times and no worker began it: workers may not be able to read it`
      failAttempt(turn, step, failure('worker_lost', message), { final: true })
      return
    }
    emit(turn, { type: 'step.lost', path, attempt, delivery, cause: 'queue', why: 'its job was gone from the queue' })
    return
  }
  const timeoutMs = step.timeoutMs ?? 0
  const deadlineMs = seen.claimedAtMs + timeoutMs + TIMEOUT_GRACE_MS
  if (turn.nowMs < deadlineMs) {
    armCheck(turn.state, path, deadlineMs)
    return
  }
  timeOut(turn, step, `no answer within ${timeoutMs} ms of the claim`, seen.begun)
}

const timeOut = (turn: Turn, step: StepState, message: string, begun: boolean): void => {
  const unknown = step.effect === 'once' && begun
  failAttempt(turn, step, unknown ? failure('outcome_unknown', message) : failure('timeout', message))
}

/** Nobody outside has answered. */
const stopWaiting = (turn: Turn, step: StepState): void => {
  if (step.callback === null) return
  const { sinceMs, untilMs } = step.callback
  const [since, until] = [sinceMs, untilMs].map((atMs) => new Date(atMs).toISOString())
  timeOut(turn, step, `nobody answered the callback, asked for at ${since}, by ${until}`, true)
}

const expire = (turn: Turn, step: StepState): void => {
  const { approval, path } = step
  if (!approval || approval.given || step.phase !== 'waiting') return
  if (approval.onExpiry === 'escalate') {
    const cause = failure('deadline_exceeded', 'nobody answered the approval in time')
    emit(turn, { type: 'step.escalated', path, case: approval.case, reason: 'requires_human', failure: cause })
    return
  }
  giveApproval(turn, step, {
    approved: approval.onExpiry === 'approve',
    by: 'expiry',
    reason: 'nobody answered in time',
  })
}

/** Records an answer and what it means: an approval completes, a gate opens or fails its step. */
export const giveApproval = (
  turn: Turn,
  step: StepState,
  answer: { approved: boolean; by: string; reason?: string | undefined; edits?: Json | undefined },
): void => {
  const { path } = step
  const gate = step.approval?.gate ?? false
  const reason = answer.reason === undefined ? {} : { reason: answer.reason }
  const edits = answer.edits === undefined ? {} : { edits: answer.edits }
  emit(turn, {
    type: 'approval.given',
    path,
    case: openCase(step) ?? '',
    approved: answer.approved,
    by: answer.by,
    ...reason,
    ...edits,
  })
  if (gate) {
    if (!answer.approved)
      settleFailure(turn, path, failure('gate_rejected', answer.reason ?? `rejected by ${answer.by}`))
    return
  }
  const output = {
    approved: answer.approved,
    by: answer.by,
    at: new Date(turn.nowMs).toISOString(),
    reason: answer.reason ?? null,
    edits: answer.edits ?? null,
  }
  emit(turn, { type: 'step.completed', path, output: turn.values.pack(output) })
}

/** The run waits for a place, or its time is up. */
const ringRun = (turn: Turn, timer: Timer): void => {
  if (timer.kind === 'retry') turn.state.agenda.add('')
  if (timer.kind !== 'deadline') return
  const { startedAtMs, deadlineAtMs } = turn.state
  const message = `the run was not done within ${(deadlineAtMs ?? 0) - startedAtMs} ms of its start`
  closeOrUndo(turn, { to: 'failed', failure: failure('deadline_exceeded', message) })
}

/** What of a step, or inside of it, is a task of effect `once` that a worker has taken. */
const begunIn = (turn: Turn, path: string, observed: Observations): string | null => {
  const out = tasksOut(turn.state, path).filter((at) => turn.state.steps.get(at)?.effect === 'once')
  return out.find((at) => observed.get(at)?.claimedAtMs !== null) ?? null
}

const ringDeadline = (turn: Turn, step: StepState, observed: Observations): void => {
  // a look at its task, in this very wake, found that nobody knows what became of it: that counts for more
  if (step.phase === 'failing' && step.failure?.class === 'ambiguous') return
  const message = `not done within ${planOf(turn.plan, step.node).deadlineMs} ms of being ready`
  const begun = begunIn(turn, step.path, observed)
  const unknown = failure(
    'outcome_unknown',
    `${message}; ${begun} had begun, and whether its effect happened is not known`,
  )
  if (begun === null) settleFailure(turn, step.path, failure('deadline_exceeded', message))
  else if (begun === step.path) failAttempt(turn, step, unknown, { final: true })
  else settleFailure(turn, step.path, unknown)
}

const ring = (turn: Turn, timer: Timer, observed: Observations): void => {
  const { path } = timer
  if (runHasEnded(turn.state)) return
  if (path === '') {
    ringRun(turn, timer)
    return
  }
  const step = turn.state.steps.get(path)
  // an open case stops every clock: of two that ring together the first has decided
  if (!step || isEnded(step) || step.phase === 'escalated') return
  switch (timer.kind) {
    case 'retry':
      turn.state.agenda.add(path)
      return
    case 'check':
      check(turn, step, observed.get(path))
      return
    case 'wait':
      emit(turn, { type: 'step.completed', path, output: { value: { at: new Date(turn.nowMs).toISOString() } } })
      return
    case 'signal': {
      const name = step.opening?.kind === 'signal' ? step.opening.name : ''
      if (turn.state.signals.has(name)) {
        // it came in time, while the run was paused
        turn.state.agenda.add(path)
        return
      }
      settleFailure(turn, path, failure('signal_timeout', `signal ${name} did not come in time`))
      return
    }
    case 'callback':
      stopWaiting(turn, step)
      return
    case 'expiry':
      expire(turn, step)
      return
    case 'deadline':
      ringDeadline(turn, step, observed)
      return
  }
}

/** `free`: paths of steps (empty: the run) that a place has come free for; they ask again at once. */
export const acceptWake = (turn: Turn, observed: Observations, free: readonly string[] = []): Verdict => {
  for (const path of free) {
    if (path !== '' && turn.state.steps.get(path)?.phase !== 'retrying') continue
    turn.state.nudged.add(path)
    turn.state.agenda.add(path)
  }
  for (const timer of takeRipe(turn.state, turn.nowMs)) ring(turn, timer, observed)
  return applied(turn)
}
