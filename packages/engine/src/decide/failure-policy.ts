// What becomes of a step that failed for good: a result, a case for the desk, a failure of what is around it, or the
// end of the run.
import { type CaseReason, type EventOf, type Failure, failure, type Json } from '@stepfleet/contracts'
import { fallbackAround, parsePath, stepAround } from '../state/paths.ts'
import { isEnded, openCase } from '../state/state.ts'
import { emit, planOf, type Turn } from '../turn.ts'
import { closeOrUndo } from './closing.ts'
import { goOn, nextWay } from './fallback.ts'
import { blockAround, isTakenAround, takesFailures } from './layers.ts'

export const caseId = (turn: Turn): string => `esc_${turn.state.run}_${turn.state.version + 1}`

export const caseReason = (cause: Failure): CaseReason => {
  if (cause.code === 'poison_step') return 'poison_step'
  if (cause.code === 'deadline_exceeded') return 'deadline_exceeded'
  if (cause.code === 'engine_failure') return 'engine_failure'
  if (cause.code === 'low_confidence') return 'low_confidence'
  if (cause.code === 'budget_exceeded') return 'budget_exceeded'
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

/** `result`: somebody takes the failure as one. */
type Policy = 'escalate' | 'fail' | 'result' | { use: Json }

/** The policy of a layer of a step, as its definition says. Null: nothing is said. */
const saidOf = (turn: Turn, path: string): Policy | null => {
  const { node, role } = parsePath(path)
  // what is done in place of a step, with its turns, is judged as the step would be
  const replaced = role === 'fallback' || role === 'turn' ? fallbackAround(path) : null
  if (replaced !== null) return saidOf(turn, replaced)
  const plan = planOf(turn.plan, node)
  if (takesFailures(plan) && role !== 'step') return 'result'
  return plan.onFailure === 'continue' ? 'result' : plan.onFailure
}

/** Something around the step has a fallback, which takes the failure. */
const isReplacedAround = (turn: Turn, path: string, cause: Failure): boolean => {
  const { role, parent } = parsePath(path)
  if (role === 'turn' && parent !== null && nextWay(turn, parent, cause)) return true
  for (let at = blockAround(path); at !== null; at = blockAround(at)) if (nextWay(turn, at, cause)) return true
  return false
}

/** Of the step that failed. What is around it is asked only for what it says. */
const policyOf = (turn: Turn, path: string, cause: Failure): Policy => {
  const { role } = parsePath(path)
  // what is still out while a run closes is waited for, and no more than that
  if (turn.state.closing?.awaited.includes(path)) return 'result'
  if (role === 'compensation') return 'escalate'
  const said = saidOf(turn, path)
  // nobody knows whether it happened: the run may fail for it, but not before somebody has looked
  if (said === 'fail' && cause.class === 'ambiguous') return 'escalate'
  if (said !== null) return said
  return isTakenAround(turn.plan, path) || isReplacedAround(turn, path, cause) ? 'fail' : 'escalate'
}

const failed = (turn: Turn, path: string, cause: Failure, more: { use?: Json; outward?: true } = {}): void => {
  const { use, outward } = more
  closeCase(turn, path, { action: 'fail', by: 'engine', reason: cause.message })
  const output = use === undefined ? {} : { output: turn.values.pack(use) }
  emit(turn, { type: 'step.failed', path, failure: cause, ...output, ...(outward ? { outward } : {}) })
}

/** Fails one layer; true: somebody has taken it. An iteration, a turn or a fallback is none to anybody: what it is part of is. */
const failLayer = (turn: Turn, path: string, cause: Failure, policy: Policy): boolean => {
  const { role } = parsePath(path)
  const isWhole = role !== 'iteration' && role !== 'turn' && role !== 'fallback'
  // code is told of every failure, and says itself what becomes of it
  const isResult = policy === 'result' || role === 'compensation' || (turn.plan.code && typeof policy !== 'object')
  if (isWhole && isResult) failed(turn, path, cause)
  else if (isWhole && typeof policy === 'object') failed(turn, path, cause, { use: policy.use })
  else {
    failed(turn, path, cause, { outward: true })
    return false
  }
  return true
}

/**
 * Applies the policy of a step, and when it fails that of what is around it, from the inside out, until something takes
 * the failure. Nothing does: the run fails. `decided`: a person has said that the step fails, and is not asked again.
 */
const settle = (turn: Turn, path: string, cause: Failure, decided: boolean): void => {
  const whole = stepAround(path)
  for (let at: string | null = path; at !== null; at = parsePath(at).parent) {
    const around = turn.state.steps.get(at)
    // it was cancelled while this was waited for
    if (at !== path && around && isEnded(around)) return
    if (at !== path && goOn(turn, at, cause)) return
    const policy: Policy = at === path ? policyOf(turn, at, cause) : (saidOf(turn, at) ?? 'fail')
    const isDecided = decided && stepAround(at) === whole
    if (policy === 'escalate' && !isDecided) {
      escalate(turn, at, cause)
      return
    }
    if (failLayer(turn, at, cause, policy)) return
  }
  closeOrUndo(turn, { to: 'failed', failure: cause, path })
}

/** Ends a step as failed because a person says so. */
export const failStep = (turn: Turn, path: string, cause: Failure): void => {
  if (parsePath(path).role === 'tool') failed(turn, path, cause)
  else settle(turn, path, cause, true)
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
  else failed(turn, path, cause)
}

/** Nobody knows whether it happened, and what follows depends on it: it is to be undone, or was asked for again. */
const isForAPerson = (turn: Turn, path: string): boolean =>
  turn.state.closing !== null || turn.state.steps.get(path)?.unknown === true

/** Applies the policy of a step that failed for good. */
export const settleFailure = (turn: Turn, path: string, cause: Failure): void => {
  if (goOn(turn, path, cause)) return
  if (parsePath(path).role === 'tool') settleTool(turn, path, cause)
  else if (cause.class === 'ambiguous' && isForAPerson(turn, path)) escalate(turn, path, cause)
  else settle(turn, path, cause, DECIDED.has(cause.code))
}

/** What an expression that could not be evaluated fails with. */
export const expressionFailure = (place: string, message: string): Failure =>
  failure('expression_failed', `${place}: ${message}`)
