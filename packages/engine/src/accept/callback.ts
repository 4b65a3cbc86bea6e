// Answers from outside. Whoever answers first wins: the worker's word that the outside was told is not waited for. An
// answer counts while its attempt is under way; after that it is refused, since somebody counts on what was decided.
import { type CallbackAnswer, type CommandOf, FAILURE_CODES, failure, type Verdict } from '@stepfleet/contracts'
import { callbackMs, openAttempt } from '../decide/callback.ts'
import { finishStep } from '../decide/confidence.ts'
import { closeCase } from '../decide/failure-policy.ts'
import { type AttemptState, isEnded, lastAttempt, type StepState } from '../state/state.ts'
import { emit, type Turn } from '../turn.ts'
import { failAttempt, mayHaveHappened } from './outcome.ts'
import { applied, refused, refuseEnded } from './verdict.ts'

type Callback = CommandOf<'callback'>
type AnswerOf<S extends CallbackAnswer['status']> = Extract<CallbackAnswer, { status: S }>

/** A sign of life that moves the time by less than this part of it is no fact: a journal is no log of heartbeats. */
const LEAST_MOVE = 1 / 100

/** Nobody knows what became of the last attempt, and a person is asked: who did the work knows best. */
const isDoubted = (step: StepState): boolean =>
  step.phase === 'escalated' &&
  step.case?.reason === 'ambiguous_state' &&
  lastAttempt(step)?.failure?.class === 'ambiguous'

const complete = (turn: Turn, step: StepState, record: AttemptState, { output }: AnswerOf<'completed'>): void => {
  const { attempt, delivery } = record
  closeCase(turn, step.path, {
    action: 'late_result',
    by: turn.actor.id,
    reason: 'the callback was answered after all',
  })
  finishStep(turn, step, output, { attempt, delivery })
}

/** As for tools: in a step of effect `once` only a class says that nothing has happened. */
const classOf = (step: StepState, { code, class: said }: AnswerOf<'failed'>) => {
  if (said !== undefined) return said
  const usual = FAILURE_CODES[code]
  return step.effect === 'once' && usual === 'transient' ? 'ambiguous' : usual
}

const fail = (turn: Turn, step: StepState, answer: AnswerOf<'failed'>): void => {
  const { code, message, details } = answer
  const more = { class: classOf(step, answer), ...(details === undefined ? {} : { details }) }
  failAttempt(turn, step, failure(code, message, more))
}

const stayAlive = (turn: Turn, step: StepState, attempt: number, waitMs: number): void => {
  const untilMs = turn.nowMs + waitMs
  if (step.callback !== null && untilMs - step.callback.untilMs < waitMs * LEAST_MOVE) return
  emit(turn, { type: 'callback.alive', path: step.path, attempt, untilMs })
}

const refuseOver = (step: StepState, attempt: number): Verdict => {
  if (isEnded(step)) return refused('step_ended', `step ${step.path} is ${step.phase} already`)
  const newest = lastAttempt(step)?.attempt ?? 0
  const instead = newest > attempt ? `; attempt ${newest} has a token of its own` : ''
  return refused('step_not_waiting', `attempt ${attempt} of step ${step.path} is over${instead}`)
}

/** It was given up, and has happened all the same: it is undone with the rest, should the run be undone. */
const happen = (turn: Turn, step: StepState, record: AttemptState, { output }: AnswerOf<'completed'>): Verdict => {
  const { attempt, delivery } = record
  emit(turn, { type: 'step.happened', path: step.path, attempt, delivery, output })
  return applied(turn)
}

export const acceptCallback = (turn: Turn, command: Callback): Verdict => {
  const { path, attempt, startedAtMs, answer } = command
  const over = refuseEnded(turn)
  if (over) return over
  const step = turn.state.steps.get(path)
  const record = step?.attempts.find((one) => one.attempt === attempt)
  const waitMs = step ? callbackMs(turn.plan, step) : null
  if (!step || !record || waitMs === null || startedAtMs !== turn.state.startedAtMs)
    return refused(
      'step_not_waiting',
      `the run does not wait for this: it was started anew, or lost what it knew of it`,
    )
  const isLast = lastAttempt(step) === record
  if (answer.status === 'completed') {
    if (isEnded(step) && isLast && mayHaveHappened(turn, step)) return happen(turn, step, record, answer)
    const counts = openAttempt(step) === attempt || (isLast && isDoubted(step))
    if (isEnded(step) || !counts) return refuseOver(step, attempt)
    complete(turn, step, record, answer)
    return applied(turn)
  }
  if (isEnded(step) || openAttempt(step) !== attempt) return refuseOver(step, attempt)
  if (step.phase === 'escalated') return refused('step_not_waiting', `a person decides on step ${path} now`)
  if (answer.status === 'failed') fail(turn, step, answer)
  else stayAlive(turn, step, attempt, waitMs)
  return applied(turn)
}
