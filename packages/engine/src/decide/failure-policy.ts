// What becomes of a step that failed for good: a result, a case for the desk, or the end of the run.
import { type CaseReason, type EventOf, type Failure, failure } from '@stepfleet/contracts'
import type { StepPlan } from '../definition/plan.ts'
import { parsePath } from '../state/paths.ts'
import { openCase } from '../state/state.ts'
import { emit, planOf, type Turn } from '../turn.ts'

export const caseId = (turn: Turn): string => `esc_${turn.state.run}_${turn.state.version + 1}`

export const caseReason = (cause: Failure): CaseReason => {
  if (cause.code === 'poison_step') return 'poison_step'
  if (cause.code === 'deadline_exceeded') return 'deadline_exceeded'
  if (cause.code === 'engine_failure') return 'engine_failure'
  if (cause.class === 'ambiguous') return 'ambiguous_state'
  return cause.class === 'transient' ? 'max_retries_exceeded' : 'permanent_failure'
}

/** Opens a case: the step waits for a decision. Who was asked already is asked again under the same case. */
export const escalate = (turn: Turn, path: string, cause: Failure): void => {
  const step = turn.state.steps.get(path)
  const id = (step && openCase(step)) ?? caseId(turn)
  emit(turn, { type: 'step.escalated', path, case: id, reason: caseReason(cause), failure: cause })
}

/** Closes the open case of a step, if it has one: it was decided, or there is nothing left to decide. */
export const closeCase = (
  turn: Turn,
  path: string,
  how: { action: EventOf<'escalation.resolved'>['action']; by: string; reason?: string | undefined },
): void => {
  const step = turn.state.steps.get(path)
  const open = step && openCase(step)
  if (!open) return
  const { action, by, reason } = how
  emit(turn, { type: 'escalation.resolved', path, case: open, action, by, ...(reason === undefined ? {} : { reason }) })
}

/** The step's policy; parts of an item of a settled join fail as results, and an agent's turn fails its agent. */
const policyOf = (turn: Turn, path: string): StepPlan['onFailure'] => {
  const { node, role } = parsePath(path)
  const plan = planOf(turn.plan, node)
  return plan.each?.join === 'settled' && role !== 'step' ? 'continue' : plan.onFailure
}

/** Ends a step as failed; the run goes on when the failure is a result to somebody, else it ends too. */
export const failStep = (turn: Turn, path: string, cause: Failure): void => {
  const isResult = parsePath(path).role === 'tool' || policyOf(turn, path) === 'continue'
  closeCase(turn, path, { action: 'fail', by: 'engine', reason: cause.message })
  emit(turn, { type: 'step.failed', path, failure: cause })
  if (!isResult) emit(turn, { type: 'run.failed', failure: cause, path })
}

/** Codes that a person decided already: asking again would be asking twice. */
const DECIDED: ReadonlySet<string> = new Set(['gate_rejected', 'failed_by_operator'])

/**
 * A tool of an agent: the model reads of the failure, unless nobody knows what happened, or a tool of effect
 * `once` was called and may not be called again.
 */
const settleTool = (turn: Turn, path: string, cause: Failure): void => {
  const step = turn.state.steps.get(path)
  const called = step?.effect === 'once' && step.attempts.length > 0 && cause.code !== 'tool_input_invalid'
  if (cause.class === 'ambiguous' || (called && !DECIDED.has(cause.code))) escalate(turn, path, cause)
  else failStep(turn, path, cause)
}

/** Applies the policy of a step that failed for good. */
export const settleFailure = (turn: Turn, path: string, cause: Failure): void => {
  if (parsePath(path).role === 'tool') settleTool(turn, path, cause)
  else if (policyOf(turn, path) === 'escalate' && !DECIDED.has(cause.code)) escalate(turn, path, cause)
  else failStep(turn, path, cause)
}

/** What an expression that could not be evaluated fails with. */
export const expressionFailure = (place: string, message: string): Failure =>
  failure('expression_failed', `${place}: ${message}`)
