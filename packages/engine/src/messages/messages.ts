// messages: what must leave because of a fact. Made from the state alone, so a message that was lost is made again,
// the same, and publishing it twice is harmless.
import {
  type Command,
  ESCALATIONS_QUEUE,
  type EscalationNotice,
  type Event,
  type EventOf,
  effectKey,
  type Json,
  type LlmInput,
  type Payload,
  type Task,
  type ToolInput,
  taskId,
} from '@stepfleet/contracts'
import { parsePath } from '../state/paths.ts'
import { lastAttempt, type StepState } from '../state/state.ts'
import { planOf, type Turn } from '../turn.ts'
import { budgetMessages, type Settle, unusedReservations } from './budgets.ts'
import { type ChildStart, childMessages } from './children.ts'
import { inputOf } from './inputs.ts'
import { noticesOf } from './notices.ts'
import { cacheMessages, placeMessages, unusedPlaces } from './places.ts'

/** A job to publish. */
export type Job =
  | { kind: 'task'; queue: string; id: string; priority: number; payload: Task }
  | { kind: 'notice'; queue: string; id: string; priority: number; payload: EscalationNotice }

/** What must leave because of a fact. Each may leave twice. */
export type Message =
  | Job
  /** A child run to start; its input lies with the parent. */
  | { kind: 'start'; child: ChildStart }
  /** A command to another run; payloads it names lie with this one. */
  | { kind: 'command'; command: Command }
  /** A place under a limit is given back. */
  | { kind: 'release'; key: string; path: string }
  /** A finished output, to be taken again for a while. */
  | { kind: 'cache'; key: string; ttlMs: number; output: Payload }
  /** What a model call used, of what was reserved for it. */
  | Settle

/** The task of a dispatched step as it is out now; null: a payload must be loaded first. */
const taskOf = (turn: Turn, event: EventOf<'step.dispatched'>, input: LlmInput | ToolInput): Message => {
  const { ns, run, priority, trace } = turn.state
  const ref = { ns, run, path: event.path, attempt: event.attempt, delivery: event.delivery }
  const task: Task = {
    ...ref,
    kind: event.tool === undefined ? 'llm' : 'tool',
    effect: event.effect,
    effectKey: effectKey(ns, run, event.path, event.edition),
    timeoutMs: event.timeoutMs,
    workflow: turn.plan.name,
    input: turn.values.pack(input as Json),
    ...(trace ? { trace } : {}),
  }
  const own = planOf(turn.plan, parsePath(event.path).node).priority
  return { kind: 'task', queue: event.queue, id: taskId(ref), priority: own ?? priority, payload: task }
}

/** Still worth sending: the very delivery of the event is out. */
const isStillOut = (step: StepState | undefined, event: EventOf<'step.dispatched'>): boolean => {
  const last = step && lastAttempt(step)
  return step?.phase === 'scheduled' && last?.attempt === event.attempt && last.delivery === event.delivery
}

const NOTICE_PRIORITY = 3

const taskMessages = (turn: Turn, event: EventOf<'step.dispatched'>): Message[] => {
  const step = turn.state.steps.get(event.path)
  if (!step || !isStillOut(step, event)) return []
  const known = turn.inputs.get(event.seq)
  if (known) return [taskOf(turn, event, known)]
  const input = inputOf(turn, step)
  return input?.ok ? [taskOf(turn, event, input.value)] : []
}

const noticeMessage = (notice: EscalationNotice): Message => ({
  kind: 'notice',
  queue: ESCALATIONS_QUEUE,
  id: `${notice.ns}~${notice.case}.${notice.type}`,
  priority: NOTICE_PRIORITY,
  payload: notice,
})

/** The messages of a fact; empty when nothing has to leave (any more). `turn.missing` names payloads to load first. */
export const messagesOf = (turn: Turn, event: Event): Message[] => {
  if (event.type === 'step.dispatched') return taskMessages(turn, event)
  return [
    ...noticesOf(turn, event).map(noticeMessage),
    ...childMessages(turn, event),
    ...placeMessages(turn, event),
    ...cacheMessages(turn, event),
    ...budgetMessages(turn, event),
  ]
}

/** What was granted in this turn, and is not used after all. */
export const unusedAnswers = (turn: Turn): Message[] => [...unusedPlaces(turn), ...unusedReservations(turn)]
