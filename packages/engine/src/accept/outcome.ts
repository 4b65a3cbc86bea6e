// Outcomes and losses. Whoever answers first wins: the first `done` of a step counts, from whatever attempt or
// delivery; what comes after it was paid all the same and is noted.
import { type CommandOf, type Failure, failure, type Outcome, type Usage, type Verdict } from '@stepfleet/contracts'
import { callbackMs, openAttempt } from '../decide/callback.ts'
import { finishStep } from '../decide/confidence.ts'
import { closeCase } from '../decide/failure-policy.ts'
import { nextWay } from '../decide/fallback.ts'
import { isBody } from '../decide/layers.ts'
import { retryAt } from '../decide/retry.ts'
import { retryOfTool, retryPolicy } from '../definition/compile/defaults.ts'
import type { RetryPolicy } from '../definition/plan.ts'
import { parsePath } from '../state/paths.ts'
import {
  type AttemptState,
  isEnded,
  isWhole,
  lastAttempt,
  lossesOf,
  POISON_LOSSES,
  runHasEnded,
  type StepState,
} from '../state/state.ts'
import { emit, planOf, type Turn } from '../turn.ts'
import { applied } from './verdict.ts'

const noteCost = (turn: Turn, outcome: Outcome, record: AttemptState | undefined, why: string): void => {
  if (!outcome.usage || !record || record.reported.includes(outcome.delivery)) return
  const { path, attempt, delivery, usage } = outcome
  emit(turn, { type: 'cost.noted', path, attempt, delivery, usage, why })
}

/** A step that was given up, and whose effect is to be undone if the run is, may be told to have happened. */
export const mayHaveHappened = (turn: Turn, step: StepState): boolean =>
  (step.phase === 'cancelled' || step.phase === 'failed') &&
  step.happened === null &&
  !runHasEnded(turn.state) &&
  planOf(turn.plan, step.node).compensated &&
  isBody(turn.plan, step)

const happen = (turn: Turn, outcome: Outcome, record: AttemptState): void => {
  const { path, attempt, delivery, result, usage } = outcome
  if (result.status !== 'done') return
  const paid = usage === undefined || record.reported.includes(delivery) ? {} : { usage }
  emit(turn, { type: 'step.happened', path, attempt, delivery, output: result.output, ...paid })
}

/** What the answer cost, unless it was counted before. */
const unpaid = (step: StepState, { attempt, delivery, usage }: Outcome): { usage?: Usage } => {
  const record = step.attempts.find((one) => one.attempt === attempt)
  return usage === undefined || record?.reported.includes(delivery) ? {} : { usage }
}

const complete = (turn: Turn, step: StepState, outcome: Outcome): void => {
  if (outcome.result.status !== 'done') return
  closeCase(turn, step.path, { action: 'late_result', by: outcome.worker, reason: 'the task answered after all' })
  finishStep(turn, step, outcome.result.output, {
    attempt: outcome.attempt,
    delivery: outcome.delivery,
    worker: outcome.worker,
    startedAtMs: outcome.claimedAtMs,
    ...unpaid(step, outcome),
  })
}

/**
 * The policy of a step; an agent's inline tool may have one of its own. The effect of a module tool is known only
 * once it was dispatched: `once` is tried once, unless the definition says otherwise.
 */
const policyOf = (turn: Turn, step: StepState): RetryPolicy => {
  const plan = planOf(turn.plan, step.node)
  const { defaults } = turn.plan.definition
  if (step.role === 'tool' && plan.body.kind === 'agent') {
    const own = plan.body.tools.find((tool) => tool.name === step.tool)?.retry
    return own ?? retryPolicy(undefined, defaults?.retry, step.effect, retryOfTool(step.tool ?? undefined))
  }
  const undeclaredOnce = plan.effect === null && step.effect === 'once' && !plan.retryDeclared
  return undeclaredOnce ? { ...plan.retry, attempts: 1 } : plan.retry
}

/** When a step must have ended, with what is around it; Redis milliseconds. */
const deadlineOf = (turn: Turn, step: StepState): number => {
  let first = turn.state.closing ? null : turn.state.deadlineAtMs
  for (let at: string | null = step.path; at !== null; at = parsePath(at).parent) {
    const around = turn.state.steps.get(at)
    const deadlineMs = around && isWhole(around) ? planOf(turn.plan, around.node).deadlineMs : null
    if (around && deadlineMs !== null) first = Math.min(first ?? Infinity, around.readyAtMs + deadlineMs)
    // what it undoes, with all around that, has ended
    if (parsePath(at).role === 'compensation') break
  }
  return first ?? Infinity
}

const tooLate = (cause: Failure, waitMs: number): Failure => {
  const message = `${cause.message}; the next attempt, in ${Math.ceil(waitMs / 1_000)} s, would come after the deadline`
  return { ...cause, message: message.slice(0, 2_000) }
}

/** Records a failed attempt and whether another follows. */
export const failAttempt = (
  turn: Turn,
  step: StepState,
  cause: Failure,
  more: { outcome?: Outcome; final?: boolean } = {},
): void => {
  const attempt = lastAttempt(step)?.attempt ?? 1
  const { ns, run } = turn.state
  // what is still out while a run closes is waited for, not tried again
  const final = more.final || (turn.state.closing !== null && step.role !== 'compensation')
  const wanted = final
    ? null
    : retryAt(policyOf(turn, step), {
        failure: cause,
        effect: step.effect ?? 'once',
        used: attempt - step.attemptsBefore,
        seed: `${ns}~${run}.${step.path}.${attempt}`,
        nowMs: turn.nowMs,
      })
  const next = wanted !== null && wanted < deadlineOf(turn, step) ? wanted : null
  const { outcome } = more
  emit(turn, {
    type: 'step.attempt_failed',
    path: step.path,
    attempt,
    failure: wanted === null || next !== null ? cause : tooLate(cause, wanted - turn.nowMs),
    ...(next === null ? {} : { retryAtMs: next }),
    ...(outcome ? { delivery: outcome.delivery, worker: outcome.worker, startedAtMs: outcome.claimedAtMs } : {}),
    ...(outcome ? unpaid(step, outcome) : {}),
  })
}

const release = (turn: Turn, step: StepState, outcome: Outcome): void => {
  if (outcome.result.status !== 'released') return
  const { why, retryAfterMs, reason } = outcome.result
  const cause = failure('circuit_open', why)
  const to = reason === 'circuit_open' ? nextWay(turn, step.path, cause) : null
  emit(turn, {
    type: 'step.lost',
    path: step.path,
    attempt: outcome.attempt,
    delivery: outcome.delivery,
    cause: 'released',
    worker: outcome.worker,
    why,
    ...(retryAfterMs > 0 && to === null ? { nextAtMs: turn.nowMs + retryAfterMs } : {}),
  })
  if (to) emit(turn, { type: 'step.fallback', path: step.path, failure: cause, to })
}

/** True when this delivery is the one that is out. */
const isOut = (step: StepState, attempt: number, delivery: number): boolean => {
  const last = lastAttempt(step)
  return step.phase === 'scheduled' && last?.attempt === attempt && last.delivery === delivery
}

/**
 * The outside has taken a callback. From whatever delivery: one that was thought lost has told it too. The time of the
 * attempt runs from when its worker began.
 */
const hear = (turn: Turn, step: StepState, outcome: Outcome, waitMs: number): void => {
  const isAwaited = openAttempt(step) === outcome.attempt && step.callback === null
  if (!isAwaited || isEnded(step) || step.phase === 'escalated') return
  const { path, attempt, delivery, worker, claimedAtMs } = outcome
  const untilMs = claimedAtMs + waitMs
  emit(turn, { type: 'callback.told', path, attempt, delivery, worker, startedAtMs: claimedAtMs, untilMs })
}

export const acceptOutcome = (turn: Turn, outcome: Outcome): Verdict => {
  const step = turn.state.steps.get(outcome.path)
  const record = step?.attempts.find((attempt) => attempt.attempt === outcome.attempt)
  if (!step || !record) return applied(turn)
  const waitMs = callbackMs(turn.plan, step)
  if (waitMs !== null && outcome.result.status === 'done') {
    hear(turn, step, outcome, waitMs)
    return applied(turn)
  }
  // told a second time, of an attempt that was counted: its answer may be doubted meanwhile
  if (record.outcome === 'completed' && record.reported.includes(outcome.delivery)) return applied(turn)
  if (isEnded(step) && outcome.result.status === 'done' && mayHaveHappened(turn, step)) happen(turn, outcome, record)
  else if (isEnded(step)) noteCost(turn, outcome, record, `the step was ${step.phase} already`)
  else if (outcome.attempt <= step.editedAfter) noteCost(turn, outcome, record, 'its input was edited since')
  // it would have to be judged, and what is done in its place has begun
  else if (step.fallback && planOf(turn.plan, step.node).confidence)
    noteCost(turn, outcome, record, 'its fallback goes on')
  else if (step.answer !== null) noteCost(turn, outcome, record, 'an answer is in already')
  else if (outcome.result.status === 'done') complete(turn, step, outcome)
  else if (!isOut(step, outcome.attempt, outcome.delivery)) noteCost(turn, outcome, record, 'a newer delivery is out')
  else if (outcome.result.status === 'failed') failAttempt(turn, step, outcome.result.failure, { outcome })
  else release(turn, step, outcome)
  return applied(turn)
}

/** A worker died with a task. It costs a delivery, unless the task may not be repeated or kills whoever takes it. */
export const acceptLost = (turn: Turn, lost: CommandOf<'lost'>): Verdict => {
  const step = turn.state.steps.get(lost.path)
  if (!step || runHasEnded(turn.state) || !isOut(step, lost.attempt, lost.delivery)) return applied(turn)
  const losses = lossesOf(step) + 1
  if (step.effect === 'once' && lost.begun) {
    const message = `worker ${lost.worker} died after it had begun; whether the effect happened is not known`
    failAttempt(turn, step, failure('outcome_unknown', message), { final: true })
  } else if (losses >= POISON_LOSSES) {
    const message = `${losses} workers died with this step, the last was ${lost.worker}`
    failAttempt(turn, step, failure('poison_step', message), { final: true })
  } else {
    const { path, attempt, delivery, worker } = lost
    emit(turn, { type: 'step.lost', path, attempt, delivery, cause: 'worker', worker, why: `worker ${worker} died` })
  }
  return applied(turn)
}
