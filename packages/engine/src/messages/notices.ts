// notices: what the desk is told. A case opens with all that is known of its step, and closes with what was decided.
import type { AttemptView, CaseReason, EscalationNotice, Event, EventOf, Json } from '@stepfleet/contracts'
import { parsePath } from '../state/paths.ts'
import { type AttemptState, openCase, type StepState } from '../state/state.ts'
import { load, type Turn } from '../turn.ts'
import { cutBy } from './cut.ts'
import { inputOf } from './inputs.ts'

/** Attempts of a step as cases and run views show them. */
export const attemptViews = (step: StepState): AttemptView[] => step.attempts.map((record) => attemptView(step, record))

/** A worker has it, or somebody outside. */
const isUnderWay = ({ phase, callback }: StepState): boolean => phase === 'scheduled' || callback !== null

const attemptView = (step: StepState, record: AttemptState): AttemptView => ({
  attempt: record.attempt,
  deliveries: record.delivery,
  status: record.outcome === 'out' ? (isUnderWay(step) ? 'running' : 'lost') : record.outcome,
  dispatchedAtMs: record.dispatchedAtMs,
  startedAtMs: record.startedAtMs,
  endedAtMs: record.endedAtMs,
  worker: record.worker,
  failure: record.failure,
  usage: record.usage,
  retryAtMs: record.retryAtMs,
})

const CASE_INPUT_CHARS = 65_536

/** An input as a case shows it: cut when it is long. */
const shown = (value: Json): Json => {
  const whole = JSON.stringify(value)
  return whole.length <= CASE_INPUT_CHARS ? value : { cut: whole.slice(0, CASE_INPUT_CHARS), length: whole.length }
}

/** A gate guards what cannot be undone; a plain approval waits for a person. */
const reasonOf = (event: EventOf<'step.escalated'> | EventOf<'approval.asked'>): CaseReason => {
  if (event.type === 'step.escalated') return event.reason
  return event.gate ? 'irreversible_action' : 'requires_human'
}

const openedNotice = (
  turn: Turn,
  event: EventOf<'step.escalated'> | EventOf<'approval.asked'>,
): EscalationNotice | null => {
  const { ns, run, trace, steps } = turn.state
  const step = steps.get(event.path)
  const isTask = step !== undefined && (step.attempts.length > 0 || step.approval?.gate === true)
  const input = isTask ? inputOf(turn, step) : null
  // what was asked for a decision on, or the answer that was not sure enough
  const given = 'show' in event ? event.show : (step?.answer ?? undefined)
  const show = given ? load(turn, given) : undefined
  const payload: EscalationNotice = {
    type: 'opened',
    ns,
    run,
    path: event.path,
    case: event.case,
    atMs: event.atMs,
    reason: reasonOf(event),
    workflow: turn.plan.name,
    kind: kindOf(turn, event.path),
    attempts: step ? attemptViews(step) : [],
    input: input?.ok ? shown(input.value) : null,
    ...('failure' in event && event.failure ? { failure: event.failure } : {}),
    ...(show === undefined ? {} : { show }),
    ...('assignee' in event && event.assignee ? { assignee: event.assignee } : {}),
    ...('expiresAtMs' in event && event.expiresAtMs ? { expiresAtMs: event.expiresAtMs } : {}),
    ...(trace ? { trace } : {}),
  }
  if (turn.missing.size > 0) return null
  return payload
}

/** Kind of a step for people: an agent's parts are `llm` and `tool`, a block is `steps`. */
export const kindOf = (turn: Pick<Turn, 'plan'>, path: string): string => {
  const { node, role } = parsePath(path)
  if (role === 'turn') return 'llm'
  if (role === 'tool') return 'tool'
  const kind = turn.plan.steps.get(node)?.body.kind ?? 'unknown'
  return kind === 'block' ? 'steps' : kind
}

const closedNotice = (turn: Turn, event: Event, path: string, caseId: string): EscalationNotice => {
  const { ns, run, trace } = turn.state
  const why = 'reason' in event && typeof event.reason === 'string' ? { why: event.reason } : {}
  return {
    type: 'closed',
    ns,
    run,
    path,
    case: caseId,
    atMs: event.atMs,
    action: actionOf(event),
    by: 'by' in event && typeof event.by === 'string' ? event.by : event.actor.id,
    ...why,
    ...(trace ? { trace } : {}),
  }
}

const actionOf = (event: Event): string => {
  if (event.type === 'escalation.resolved') return event.action
  if (event.type === 'approval.given') return event.approved ? 'approve' : 'reject'
  return event.type
}

/** Cases that were open on what this fact cancelled. */
const cancelledCases = (turn: Turn, event: Event): EscalationNotice[] => {
  if (turn.state.cutCases === 0) return []
  return cutBy(turn, event).flatMap((step) => {
    const open = openCase(step)
    return open ? [closedNotice(turn, event, step.path, open)] : []
  })
}

/** What the desk is told because of a fact. Empty while `turn.missing` names payloads to load. */
export const noticesOf = (turn: Turn, event: Event): EscalationNotice[] => {
  switch (event.type) {
    case 'step.escalated':
    case 'approval.asked': {
      const notice = openedNotice(turn, event)
      const closed = cancelledCases(turn, event)
      return notice ? [notice, ...closed] : closed
    }
    case 'escalation.resolved':
    case 'approval.given':
      return [closedNotice(turn, event, event.path, event.case)]
    default:
      return cancelledCases(turn, event)
  }
}
