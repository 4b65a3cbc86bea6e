// Outcomes and losses. Whoever answers first wins: the first `done` of a step counts, from whatever attempt or
// delivery; what comes after it was paid all the same and is noted.
import { type CommandOf, type Failure, failure, type Outcome, type Usage, type Verdict } from '@stepfleet/contracts'
import { closeCase } from '../decide/failure-policy.ts'
import { retryAt } from '../decide/retry.ts'
import { retryPolicy } from '../definition/compile/defaults.ts'
import type { RetryPolicy } from '../definition/plan.ts'
import {
  type AttemptState,
  isEnded,
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

/** What the answer cost, unless it was counted before. */
const unpaid = (step: StepState, { attempt, delivery, usage }: Outcome): { usage?: Usage } => {
  const record = step.attempts.find((one) => one.attempt === attempt)
  return usage === undefined || record?.reported.includes(delivery) ? {} : { usage }
}

const complete = (turn: Turn, step: StepState, outcome: Outcome): void => {
  if (outcome.result.status !== 'done') return
  closeCase(turn, step.path, { action: 'late_result', by: outcome.worker, reason: 'the task answered after all' })
  emit(turn, {
    type: 'step.completed',
    path: step.path,
    output: outcome.result.output,
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
    return own ?? retryPolicy(undefined, defaults?.retry, step.effect)
  }
  const undeclaredOnce = plan.effect === null && step.effect === 'once' && !plan.retryDeclared
  return undeclaredOnce ? { ...plan.retry, attempts: 1 } : plan.retry
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
  const next = final
    ? null
    : retryAt(policyOf(turn, step), {
        failure: cause,
        effect: step.effect ?? 'once',
        used: attempt - step.attemptsBefore,
        seed: `${ns}~${run}.${step.path}.${attempt}`,
        nowMs: turn.nowMs,
      })
  const { outcome } = more
  emit(turn, {
    type: 'step.attempt_failed',
    path: step.path,
    attempt,
    failure: cause,
    ...(next === null ? {} : { retryAtMs: next }),
    ...(outcome ? { delivery: outcome.delivery, worker: outcome.worker, startedAtMs: outcome.claimedAtMs } : {}),
    ...(outcome ? unpaid(step, outcome) : {}),
  })
}

const release = (turn: Turn, step: StepState, outcome: Outcome): void => {
  if (outcome.result.status !== 'released') return
  const { why, retryAfterMs } = outcome.result
  emit(turn, {
    type: 'step.lost',
    path: step.path,
    attempt: outcome.attempt,
    delivery: outcome.delivery,
    cause: 'released',
    worker: outcome.worker,
    why,
    ...(retryAfterMs > 0 ? { nextAtMs: turn.nowMs + retryAfterMs } : {}),
  })
}

/** True when this delivery is the one that is out. */
const isOut = (step: StepState, attempt: number, delivery: number): boolean => {
  const last = lastAttempt(step)
  return step.phase === 'scheduled' && last?.attempt === attempt && last.delivery === delivery
}

export const acceptOutcome = (turn: Turn, outcome: Outcome): Verdict => {
  const step = turn.state.steps.get(outcome.path)
  const record = step?.attempts.find((attempt) => attempt.attempt === outcome.attempt)
  if (!step || !record) return applied(turn)
  if (isEnded(step)) noteCost(turn, outcome, record, `the step was ${step.phase} already`)
  else if (outcome.attempt <= step.editedAfter) noteCost(turn, outcome, record, 'its input was edited since')
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
