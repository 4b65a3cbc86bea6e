// The state of a run: the fold of its journal. What is marked transient is derived again after a load and is
// never stored: losing it costs time, never truth.
import type {
  AgentToolBinding,
  Carrier,
  CaseReason,
  Cost,
  Edit,
  Effect,
  Failure,
  Json,
  Opening,
  Payload,
  RunStatus,
  StepStatus,
  Usage,
  WorkflowRef,
} from '@stepfleet/contracts'
import { parsePath, type Role } from './paths.ts'

/**
 * Status of a step inside the engine.
 *
 * - `pending`: may start; the next decide starts it. Entered by a retry, a lost delivery, an approved gate.
 * - `scheduled`: a task is out. Left by an outcome, a loss, a time-out, an operator.
 * - `retrying`: the next attempt or delivery waits for its time, or for something outside the run.
 * - `waiting`: a composite, an approval, a wait or a signal that is open.
 * - `failing`: failed for good, its policy not yet applied. Never survives a decide.
 * - `escalated`: a case is open. Left by its resolution, or by a late result.
 * - ended: `completed failed skipped overridden cancelled`; nothing leaves these.
 */
export type Phase = Exclude<StepStatus, 'running'> | 'failing'

export interface AttemptState {
  attempt: number
  /** Deliveries so far; the last one is the one that counts. */
  delivery: number
  /** Deliveries whose worker died. */
  losses: number
  dispatchedAtMs: number
  /** When the last delivery went out. */
  sentAtMs: number
  startedAtMs: number | null
  endedAtMs: number | null
  worker: string | null
  failure: Failure | null
  usage: Usage | null
  retryAtMs: number | null
  /** Deliveries whose outcome is recorded; a repeat of one adds no cost. */
  reported: number[]
  outcome: 'out' | 'completed' | 'failed'
}

export interface ApprovalState {
  case: string
  gate: boolean
  expiresAtMs: number | null
  onExpiry: 'reject' | 'approve' | 'escalate'
  askedAtMs: number
  given: boolean
}

/** Progress of an `each`. */
export interface EachState {
  count: number
  /** Items below this index have been started. */
  cursor: number
  ended: number
}

export interface StepState {
  path: string
  /** Path of the composite it belongs to; null at the top. */
  parent: string | null
  /** Name of its plan step. */
  node: string
  role: Role
  phase: Phase
  /** Item number, from 0; or the number of the tool use in its turn. */
  index: number | null
  /** Turn of an agent, from 1. */
  turn: number | null
  readyAtMs: number
  endedAtMs: number | null
  /** Sequence of the event that ended it. */
  endSeq: number | null
  /** Direct parts of a composite that have not ended. */
  open: number
  opening: Opening | null
  each: EachState | null
  /** Newest turn of an agent; 0 before the first. */
  turns: number
  attempts: AttemptState[]
  /** Attempts used up before an operator asked for a new series. */
  attemptsBefore: number
  effect: Effect | null
  queue: string | null
  /** Tool of a tool task; for an agent's tool use, the name the model called. */
  tool: string | null
  timeoutMs: number | null
  /** A delivery goes out not before this time. */
  notBeforeMs: number | null
  /** Why the last delivery came back, in words. */
  heldWhy: string | null
  approval: ApprovalState | null
  /** The gate has been approved. */
  gateOpen: boolean
  edit: Edit | null
  edition: number
  /** Answers of attempts up to this one are to an input that was edited since. */
  editedAfter: number
  output: Payload | null
  failure: Failure | null
  case: { id: string; reason: CaseReason; openedAtMs: number } | null
  cases: number
}

export type TimerKind = 'retry' | 'check' | 'wait' | 'signal' | 'expiry' | 'deadline'
export interface Timer {
  path: string
  kind: TimerKind
  atMs: number
}

export interface RunState {
  ns: string
  run: string
  workflow: WorkflowRef
  status: RunStatus
  /** Sequence of the last event; 0 before the first. */
  version: number
  lastAtMs: number
  startedAtMs: number
  endedAtMs: number | null
  input: Payload
  labels: Record<string, string>
  priority: number
  env: Record<string, string>
  trace: Carrier | null
  paused: { by: string; reason: string | null; atMs: number } | null
  output: Payload | null
  failure: Failure | null
  failedStep: string | null
  steps: Map<string, StepState>
  /** Top-level steps that have ended. */
  topEnded: number
  /** Signals received and not consumed, first in first out. */
  signals: Map<string, Payload[]>
  counts: { scheduled: number; waiting: number; escalated: number }
  /** Steps that were cancelled while a case of theirs was open. */
  cutCases: number
  cost: Cost

  /** transient: paths to look at; '' is the run itself. */
  agenda: Set<string>
  /** transient: ready tasks held back by the limit of tasks out. */
  backlog: Set<string>
  /** transient: by `<kind> <path>`. */
  timers: Map<string, Timer>
  /** transient: a lower bound of the timers' times; null: none. */
  nextWakeMs: number | null
  /** transient: changes to `out` since the last append; null: removed. */
  outChanges: Map<string, { attempt: number; delivery: number } | null>
  /** transient: rendered items of each `each`. */
  items: Map<string, Json[]>
  /** transient: open signal steps by the name they wait for, in the order they opened. */
  signalWaiters: Map<string, Set<string>>
}

const ENDED: ReadonlySet<Phase> = new Set(['completed', 'failed', 'skipped', 'overridden', 'cancelled'])
export const isEnded = (step: StepState): boolean => ENDED.has(step.phase)
export const runHasEnded = (state: RunState): boolean => state.endedAtMs !== null

export const emptyCost = (): Cost => ({
  microUsd: 0,
  inputTokens: 0,
  outputTokens: 0,
  calls: 0,
  unpricedCalls: 0,
  scripted: false,
})

/** A run before its first event. */
export const createState = (ns: string, run: string): RunState => ({
  ns,
  run,
  workflow: { name: '', version: null, hash: '' },
  status: 'queued',
  version: 0,
  lastAtMs: 0,
  startedAtMs: 0,
  endedAtMs: null,
  input: { value: null },
  labels: {},
  priority: 3,
  env: {},
  trace: null,
  paused: null,
  output: null,
  failure: null,
  failedStep: null,
  steps: new Map(),
  topEnded: 0,
  signals: new Map(),
  counts: { scheduled: 0, waiting: 0, escalated: 0 },
  cutCases: 0,
  cost: emptyCost(),
  agenda: new Set(),
  backlog: new Set(),
  timers: new Map(),
  nextWakeMs: null,
  outChanges: new Map(),
  items: new Map(),
  signalWaiters: new Map(),
})

export const lastAttempt = (step: StepState): AttemptState | undefined => step.attempts.at(-1)

/**
 * A step whose worker dies this often is poison. The last of these deliveries ran alone (`suspectQueue`), so a step that
 * only happened to run beside a poison is not condemned with it.
 */
export const POISON_LOSSES = 3

/** Workers that died with the step since a person last asked for it. */
export const lossesOf = (step: StepState): number => {
  let losses = 0
  for (const record of step.attempts) if (record.attempt > step.attemptsBefore) losses += record.losses
  return losses
}

/** Adds what a call used to a sum. */
export const addUsage = (cost: Cost, usage: Usage): void => {
  cost.calls += 1
  cost.inputTokens += usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens
  cost.outputTokens += usage.outputTokens
  if (usage.microUsd === null) cost.unpricedCalls += 1
  else cost.microUsd += usage.microUsd
  if (usage.scripted) cost.scripted = true
}

/** Tools an open agent may call. */
export const agentTools = (step: StepState): readonly AgentToolBinding[] =>
  step.opening?.kind === 'agent' ? step.opening.tools : []

/** A step before its first event. */
export const blankStep = (path: string, atMs: number): StepState => {
  const { node, role, parent, index, turn } = parsePath(path)
  return {
    path,
    parent,
    node,
    role,
    phase: 'pending',
    index,
    turn,
    readyAtMs: atMs,
    endedAtMs: null,
    endSeq: null,
    open: 0,
    opening: null,
    each: null,
    turns: 0,
    attempts: [],
    attemptsBefore: 0,
    effect: null,
    queue: null,
    tool: null,
    timeoutMs: null,
    notBeforeMs: null,
    heldWhy: null,
    approval: null,
    gateOpen: false,
    edit: null,
    edition: 1,
    editedAfter: 0,
    output: null,
    failure: null,
    case: null,
    cases: 0,
  }
}

/** The case of a step that waits for somebody: an escalation, or an approval nobody has answered. */
export const openCase = (step: StepState): string | null => {
  if (step.case) return step.case.id
  return step.approval && !step.approval.given ? step.approval.case : null
}
