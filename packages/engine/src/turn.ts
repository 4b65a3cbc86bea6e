// A turn: one command judged and decided on, and the facts it leads to. Each fact is folded as it is made, so
// what is decided next sees it.
import {
  type Actor,
  defaultPrices,
  EVENT_VERSION,
  type Event,
  type EventBody,
  type Failure,
  type Json,
  LIMITS,
  type LlmInput,
  type Payload,
  type PriceList,
  type StepDefinition,
  type ToolInput,
  type ToolManifest,
} from '@stepfleet/contracts'
import type { Plan, ScopePlan, StepPlan } from './definition/plan.ts'
import { fold } from './state/fold.ts'
import type { RunState, StepState } from './state/state.ts'
import { armAllTimers, armTimers } from './state/timers.ts'

/** Payloads that live outside the state, and how large ones get there. Deterministic: the name is the hash. */
export interface Values {
  /** The value of a payload, or undefined when it has to be loaded first. */
  load(payload: Payload): Json | undefined
  /** Inline, or a blob that the driver writes before the append. */
  pack(value: Json): Payload
  /** SHA-256 of a text, lower-case hex. */
  digest(text: string): string
}

/** A budget that holds for a call: of its agent, its run, its workflow in this day, its namespace in this day. */
export interface BudgetCap {
  scope: 'agent' | 'run' | 'workflow' | 'namespace'
  /** null: not limited. */
  microUsd: number | null
  tokens: number | null
}
/** The budget that a call would pass. Amounts are tokens or micro-dollars. */
export interface BudgetOver {
  scope: BudgetCap['scope']
  unit: 'usd' | 'tokens'
  cap: number
  spent: number
  /** By calls that are not settled. */
  reserved: number
  needed: number
}

/**
 * What the engine asks of the world before it can decide: a place under a limit of the fleet, a cached output, or that
 * what a call may cost is reserved. Asking twice is harmless: a holder that has a place is granted it again.
 */
export type Ask =
  | { kind: 'limit'; key: string; limit: number; perMs: number | null; path: string }
  | { kind: 'cache'; key: string }
  | {
      kind: 'budget'
      workflow: string
      /** Path of the agent whose own budget holds, among others. */
      agent?: string
      holder: string
      tokens: number
      microUsd: number
      caps: BudgetCap[]
    }
export type Answer =
  | { kind: 'limit'; granted: true }
  /** `why` says what is full, and does not change from one time to the next. */
  | { kind: 'limit'; granted: false; why: string; againInMs: number }
  | { kind: 'cache'; found: { value: Json } | null }
  | { kind: 'budget'; granted: true }
  /** `pending`: it would fit if calls under way used nothing. */
  | { kind: 'budget'; granted: false; over: BudgetOver; pending: boolean }

/** How the code of a run goes on, once it is told of the top-level steps that ended after `fromSeq`, up to `toSeq`. */
export interface CodeQuestion {
  /** 0: the code has not begun in this process. */
  fromSeq: number
  toSeq: number
}
export interface CodeAnswer {
  toSeq: number
  /** The code ran from its start: what it asked for is all that it asks for until `toSeq`. */
  replayed: boolean
  /** Checked by `checkAsked`, but for those that the journal has. */
  asked: readonly { name: string; step: StepDefinition }[]
  state:
    | { status: 'waiting' }
    | { status: 'returned'; output: Json }
    /** `step`: it failed, and the code did not catch it. */
    | { status: 'threw'; failure: Failure; step: string | null }
}

/** What model calls cost, and whether the namespace has a budget of its own. */
export interface Spending {
  prices: PriceList
  capped: boolean
}

export interface Turn {
  readonly plan: Plan
  readonly state: RunState
  /** Redis time, milliseconds. */
  readonly nowMs: number
  readonly actor: Actor
  /** Id of the command. */
  readonly command: string
  readonly values: Values
  /** Module tools as the workers publish them. */
  readonly tools: ReadonlyMap<string, ToolManifest>
  readonly spending: Spending
  readonly events: Event[]
  /** With so many facts a turn stops; what is left is decided in the next, which follows at once. */
  readonly mostEvents: number
  /** Blobs that must be loaded before the paths in `deferred` can be decided. */
  readonly missing: Set<string>
  /** Paths that wait for those, or for what was asked; each will take one of the places for tasks that are out. */
  readonly waiting: Set<string>
  /** Asked since the driver last looked, by their text; it answers and calls again. */
  readonly asks: Map<string, Ask>
  readonly answers: Map<string, Answer>
  /** Outputs that were made in this turn, by the key of the cache they will lie under. */
  readonly fresh: Map<string, Payload>
  /** As `asks` and `answers`, for the code of the run: a question is taken out, and answered once. */
  readonly code: { question: CodeQuestion | null; answer: CodeAnswer | null }
  /** Inputs rendered for the dispatches of this turn, by sequence number. */
  readonly inputs: Map<number, LlmInput | ToolInput>
}

/** One append should not hold Redis for long, nor be too large for it. */
const MOST_EVENTS = 5_000

/** A turn over a state: what the driver knows, and nothing decided yet. */
export const createTurn = (
  known: Pick<Turn, 'plan' | 'state' | 'nowMs' | 'actor' | 'command' | 'values' | 'tools'> & {
    spending?: Spending
    mostEvents?: number
  },
): Turn => ({
  mostEvents: MOST_EVENTS,
  spending: { prices: defaultPrices, capped: false },
  ...known,
  events: [],
  missing: new Set(),
  waiting: new Set(),
  asks: new Map(),
  answers: new Map(),
  fresh: new Map(),
  code: { question: null, answer: null },
  inputs: new Map(),
})

/** `wait`: a payload must be loaded, or an ask answered, before this can be decided. */
export type Looked = 'done' | 'wait'

/** Makes a fact: folds it and keeps it for the append. Time never runs back within a run. */
export const emit = (turn: Turn, body: EventBody): Event => {
  const { state } = turn
  const event: Event = {
    seq: state.version + 1,
    atMs: Math.max(turn.nowMs, state.lastAtMs),
    v: EVENT_VERSION,
    actor: turn.actor,
    command: turn.command,
    ...body,
  }
  fold(state, event)
  if (body.type === 'run.started' || body.type === 'run.compensating') armAllTimers(turn.plan, state)
  else if ('path' in body && body.path !== undefined) armTimers(turn.plan, state, body.path)
  turn.events.push(event)
  return event
}

/** The value of a payload; when it is not at hand it is noted as missing. */
export const load = (turn: Turn, payload: Payload): Json | undefined => {
  const value = turn.values.load(payload)
  if (value === undefined && 'blob' in payload) turn.missing.add(payload.blob)
  return value
}

/** The answer to an ask; null: the driver must be asked first. */
export const ask = (turn: Turn, question: Ask): Answer | null => {
  const text = JSON.stringify(question)
  const answer = turn.answers.get(text)
  if (!answer) turn.asks.set(text, question)
  return answer ?? null
}

/** No further task can go out: as many are, or are about to. */
export const isCrowded = ({ state, waiting }: Turn): boolean => state.counts.scheduled + waiting.size >= LIMITS.tasksOut

/** The steps of the definition, or of a block by its id. */
export const scopeOf = (plan: Plan, id: string): ScopePlan => {
  const scope = plan.scopes.get(id)
  if (!scope) throw new Error(`workflow ${plan.name} has no block ${id}`)
  return scope
}

/** The plan step of a step. A journal that names a step its plan lacks is a bug, never a guess. */
export const planOf = (plan: Plan, node: string): StepPlan => {
  const step = plan.steps.get(node)
  if (!step) throw new Error(`workflow ${plan.name} has no step ${node}`)
  return step
}

export const stepAt = (turn: Turn, path: string): StepState => {
  const step = turn.state.steps.get(path)
  if (!step) throw new Error(`run ${turn.state.run} has no step ${path}`)
  return step
}
