// The state of a run: the fold of its journal. What is marked transient is derived again after a load and is
// never stored: losing it costs time, never truth.
import type {
  AgentToolBinding,
  BudgetDefinition,
  Carrier,
  CaseReason,
  Cost,
  Edit,
  Effect,
  Failure,
  Json,
  Opening,
  Parent,
  Payload,
  RunBudget,
  RunStatus,
  StepStatus,
  Usage,
  Waste,
  WorkflowRef,
} from '@stepfleet/contracts'
import { parsePath, type Role } from './paths.ts'

/**
 * Status of a step inside the engine.
 *
 * - `pending`: may start; the next decide starts it. Entered by a retry, a lost delivery, an approved gate.
 * - `scheduled`: a task is out. Left by an outcome, a loss, a time-out, an operator.
 * - `retrying`: the next attempt or delivery waits for its time, or for something outside the run.
 * - `waiting`: a composite, an approval, a wait, a signal, a callback or a child run that is open.
 * - `judging`: an answer is in, and its confidence not yet judged.
 * - `failing`: failed for good, its policy not yet applied. Never survives a decide.
 * - `escalated`: a case is open. Left by its resolution, or by a late result.
 * - ended: `completed failed skipped overridden cancelled compensated`; only `completed` and `overridden` are left, for
 *   `compensated`, and what was cancelled or failed inside of something that is asked for again begins anew.
 */
export type Phase = Exclude<StepStatus, 'running'> | 'judging' | 'failing'

export interface AttemptState {
  attempt: number
  /** Deliveries so far; the last one is the one that counts. */
  delivery: number
  /** Deliveries whose worker died. */
  losses: number
  /** Deliveries that left their queue, and no worker began them. */
  dropped: number
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
  /** Turn of an agent, or iteration, from 1. */
  turn: number | null
  readyAtMs: number
  endedAtMs: number | null
  /** Sequence of the event that ended it. */
  endSeq: number | null
  /** Direct parts of a composite that have not ended, that have, and of those the ones that completed. */
  open: number
  ended: number
  completed: number
  /** Items that are to begin anew when there is room for them. */
  held: number
  /** It is one of those. */
  waitsForRoom: boolean
  opening: Opening | null
  /** Items of an `each` below this have been started. Not a fact: 0 after a load. */
  cursor: number
  /** Newest turn of an agent, or iteration; 0 before the first. */
  rounds: number
  /** Of those, the ones before an operator asked for a new series. */
  roundsBefore: number
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
  /** Since when and until when its last attempt waits for an answer from outside; null: it does not. */
  callback: { sinceMs: number; untilMs: number } | null
  /** The gate has been approved. */
  gateOpen: boolean
  edit: Edit | null
  edition: number
  /** Answers of attempts up to this one are to an input that was edited since. */
  editedAfter: number
  output: Payload | null
  failure: Failure | null
  /** An agent's, as a person has raised it; null: as its definition says. */
  budget: RunBudget | null
  /** The model it went on with; null: the one of its definition. */
  model: string | null
  /** What is done in its place, and why; null: nothing is. */
  fallback: { path: string; failure: Failure } | null
  /** How often it went on with its fallback. */
  fallbacks: number
  /** An answer that was not sure enough, or is not judged yet. */
  answer: Payload | null
  /** It has happened, whatever has become of it: what it gave, and the event that says so. */
  happened: { output: Payload; seq: number } | null
  /** It failed, and what is around it failed with it. */
  outward: boolean
  /** It was asked for again with what is around it, and nobody knows whether its effect happened. */
  unknown: boolean
  case: { id: string; reason: CaseReason; openedAtMs: number } | null
  cases: number
}

export type TimerKind = 'retry' | 'check' | 'wait' | 'signal' | 'callback' | 'expiry' | 'deadline'
export interface Timer {
  path: string
  kind: TimerKind
  atMs: number
}

/** A run on its way to its end: what has completed is undone first. */
export interface Closing {
  to: 'failed' | 'cancelled'
  /** Tasks that were not cancelled: should they have happened, they are undone too. */
  awaited: string[]
  failure: Failure | null
  path: string | null
  by: string | null
  reason: string | null
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
  parent: Parent | null
  deadlineAtMs: number | null
  /** What it may spend; null: nothing is said. */
  budget: BudgetDefinition | null
  /** What it had spent when its first cap of its own was set. */
  uncounted: { tokens: number; microUsd: number }
  /** Deliveries that were out then: nothing was reserved for them, so what they use is added to that. */
  unreserved: string[]
  /** What it waits for before it begins, in words. */
  heldWhy: string | null
  closing: Closing | null
  paused: { by: string; reason: string | null; atMs: number } | null
  output: Payload | null
  failure: Failure | null
  failedStep: string | null
  steps: Map<string, StepState>
  /** Top-level steps that have ended. */
  topEnded: number
  /** Definitions of the steps that the code of the run asked for, by name, in the order it did. */
  asked: Map<string, Payload>
  /** Steps that only hold others. */
  composites: number
  /** Child runs that were waited for, ended ones too. */
  children: number
  /** Signals received and not consumed, first in first out. */
  signals: Map<string, Payload[]>
  counts: { scheduled: number; waiting: number; escalated: number }
  /** Steps that were cancelled while a case of theirs was open. */
  cutCases: number
  cost: Cost
  waste: Waste

  /** transient: top-level steps that have ended, in the order they did. */
  topEnds: string[]
  /** transient: the code of the run was told of what ended up to here; 0: it has not begun in this process. */
  codeSeq: number
  /** transient: paths to look at; the path of a block with a `/` at its end is its scope, '' the run itself. */
  agenda: Set<string>
  /** transient: the last turn was full, and left something on the agenda. */
  unfinished: boolean
  /** transient: ready tasks held back by the limit of tasks out. */
  backlog: Set<string>
  /** transient: steps that wait for others to give back what they had reserved, in the order they asked. */
  unaffordable: Set<string>
  /** transient: held steps that may try again before their time. */
  nudged: Set<string>
  /** transient: what is still to be undone, the next one last; null: not known. */
  undo: string[] | null
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

const ENDED: ReadonlySet<Phase> = new Set(['completed', 'failed', 'skipped', 'overridden', 'cancelled', 'compensated'])
export const isEnded = (step: StepState): boolean => ENDED.has(step.phase)
/** It has an output of its own, made or given. */
export const hasCompleted = (step: StepState): boolean => step.phase === 'completed' || step.phase === 'overridden'
/** It only holds others: it is neither in flight nor waiting itself. */
export const isComposite = ({ opening, fallback }: StepState): boolean =>
  fallback !== null ||
  (opening !== null && opening.kind !== 'wait' && opening.kind !== 'signal' && opening.kind !== 'run')
/** What is inside of it goes on; nothing is done in its place. */
export const isOpen = ({ phase, fallback }: StepState): boolean => phase === 'waiting' && fallback === null
/** A step as the definition has it, with its deadline: no item, iteration, turn or tool use of one. */
export const isWhole = ({ role }: StepState): boolean =>
  role === 'step' || role === 'fallback' || role === 'compensation'
/** Something outside of it must come free before it begins. */
export const isHeld = (state: RunState): boolean => state.heldWhy !== null && state.steps.size === 0
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
  parent: null,
  deadlineAtMs: null,
  budget: null,
  uncounted: { tokens: 0, microUsd: 0 },
  unreserved: [],
  heldWhy: null,
  closing: null,
  paused: null,
  output: null,
  failure: null,
  failedStep: null,
  steps: new Map(),
  topEnded: 0,
  asked: new Map(),
  composites: 0,
  children: 0,
  signals: new Map(),
  counts: { scheduled: 0, waiting: 0, escalated: 0 },
  cutCases: 0,
  cost: emptyCost(),
  waste: { calls: 0, tokens: 0, microUsd: 0, lostCalls: 0 },
  topEnds: [],
  codeSeq: 0,
  agenda: new Set(),
  unfinished: false,
  backlog: new Set(),
  unaffordable: new Set(),
  nudged: new Set(),
  undo: null,
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

/** A task that is dropped so often is one that no worker can read: those of another version, for example. */
export const MOST_DROPPED = 10

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

export const addWaste = (waste: Waste, usage: Usage): void => {
  waste.calls += 1
  waste.tokens += usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens + usage.outputTokens
  waste.microUsd += usage.microUsd ?? 0
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
    ended: 0,
    completed: 0,
    held: 0,
    waitsForRoom: false,
    opening: null,
    cursor: 0,
    rounds: 0,
    roundsBefore: 0,
    attempts: [],
    attemptsBefore: 0,
    effect: null,
    queue: null,
    tool: null,
    timeoutMs: null,
    notBeforeMs: null,
    heldWhy: null,
    approval: null,
    callback: null,
    gateOpen: false,
    edit: null,
    edition: 1,
    editedAfter: 0,
    output: null,
    failure: null,
    budget: null,
    model: null,
    fallback: null,
    fallbacks: 0,
    answer: null,
    happened: null,
    outward: false,
    unknown: false,
    case: null,
    cases: 0,
  }
}

/** The case of a step that waits for somebody: an escalation, or an approval nobody has answered. */
export const openCase = (step: StepState): string | null => {
  if (step.case) return step.case.id
  return step.approval && !step.approval.given ? step.approval.case : null
}
