// accept: judges a command against the state. What it asks for becomes facts, or it is refused with the reason.
import type { Command, CommandOf, EventBody, Verdict } from '@stepfleet/contracts'
import { closeNow, closeOrUndo } from '../decide/closing.ts'
import { emit, type Turn } from '../turn.ts'
import { acceptBudget } from './budget.ts'
import { acceptCallback } from './callback.ts'
import { acceptChild } from './child.ts'
import { acceptApprove, acceptFail, acceptOverride, acceptRetry, acceptSkip } from './operator.ts'
import { acceptLost, acceptOutcome } from './outcome.ts'
import { applied, refused, refuseEnded } from './verdict.ts'
import { acceptWake, type Observations } from './wake.ts'

const acceptStart = (turn: Turn, command: CommandOf<'start'>): Verdict => {
  if (turn.state.version === 0) {
    const { workflow, input, labels, priority, env, trace, parent } = command
    const budget = { ...turn.plan.definition.budget, ...command.budget }
    const limitMs = command.deadlineMs ?? turn.plan.deadlineMs
    emit(turn, {
      type: 'run.started',
      workflow,
      input,
      labels,
      priority,
      env,
      ...(trace ? { trace } : {}),
      ...(parent ? { parent } : {}),
      ...(limitMs === null ? {} : { deadlineAtMs: turn.nowMs + limitMs }),
      ...(Object.keys(budget).length === 0 ? {} : { budget }),
    })
  }
  return applied(turn)
}

/** A change of the whole run by a person; an ended run refuses it. */
const onRun = (turn: Turn, refusal: Verdict | null, body: EventBody): Verdict => {
  if (refusal) return refusal
  emit(turn, body)
  return applied(turn)
}

const why = (command: { reason?: string | undefined }) =>
  command.reason === undefined ? {} : { reason: command.reason }

const acceptSignal = (turn: Turn, command: CommandOf<'signal'>): Verdict =>
  onRun(turn, refuseEnded(turn), { type: 'signal.received', name: command.name, payload: command.payload })

const acceptPause = (turn: Turn, command: CommandOf<'pause'>): Verdict => {
  const refusal = refuseEnded(turn) ?? (turn.state.paused ? refused('run_paused', 'the run is paused already') : null)
  return onRun(turn, refusal, { type: 'run.paused', by: command.by.id, ...why(command) })
}

const acceptResume = (turn: Turn, command: CommandOf<'resume'>): Verdict => {
  const refusal = refuseEnded(turn) ?? (turn.state.paused ? null : refused('run_not_paused', 'the run is not paused'))
  return onRun(turn, refusal, { type: 'run.resumed', by: command.by.id, ...why(command) })
}

/** Undoes what was done, unless the caller says not to; a run that undoes already can be ended at once. */
const acceptCancel = (turn: Turn, command: CommandOf<'cancel'>): Verdict => {
  const over = refuseEnded(turn)
  if (over) return over
  const { closing } = turn.state
  if (closing && command.compensate !== false) {
    const message = 'the run undoes what it has done already; cancel it with compensate=false to end it at once'
    return refused('run_closing', message)
  }
  if (closing) closeNow(turn, closing)
  else if (command.compensate === false) emit(turn, { type: 'run.cancelled', by: command.by.id, ...why(command) })
  else closeOrUndo(turn, { to: 'cancelled', by: command.by.id, reason: command.reason })
  return applied(turn)
}

/** Judges a command. The facts are in `turn.events`; `decide` follows. */
export const accept = (turn: Turn, command: Command, observed: Observations = new Map()): Verdict => {
  if (command.type !== 'start' && turn.state.version === 0) return refused('unknown_run', 'the run has not started')
  switch (command.type) {
    case 'start':
      return acceptStart(turn, command)
    case 'outcome':
      return acceptOutcome(turn, command.outcome)
    case 'child':
      return acceptChild(turn, command)
    case 'callback':
      return acceptCallback(turn, command)
    case 'lost':
      return acceptLost(turn, command)
    case 'wake':
      return acceptWake(turn, observed, command.paths)
    case 'signal':
      return acceptSignal(turn, command)
    case 'cancel':
      return acceptCancel(turn, command)
    case 'budget':
      return acceptBudget(turn, command)
    case 'pause':
      return acceptPause(turn, command)
    case 'resume':
      return acceptResume(turn, command)
    case 'approve':
      return acceptApprove(turn, command)
    case 'retry':
      return acceptRetry(turn, command)
    case 'skip':
      return acceptSkip(turn, command)
    case 'override':
      return acceptOverride(turn, command)
    case 'fail':
      return acceptFail(turn, command)
  }
}
