// The plan: a definition compiled for the engine. Derived from the definition alone, so it is never stored.
import type { Definition, Effect, FailureCode, Json, RunBudget, StepDefinition, Thinking } from '@stepfleet/contracts'

/** A step and field that an expression mentions, `steps.<step>.<field>`. */
export interface StepMention {
  step: string
  field: 'output' | 'status' | 'error' | 'cost'
}

export type Rendered = { ok: true; value: Json } | { ok: false; message: string }

/** The names an expression can see. Only what it mentions has to be there. */
export interface Scope {
  input?: Json
  steps?: Record<string, { output?: Json; status?: string; error?: Json; cost?: Json }>
  /** `item` under its name (`each.as` renames it), `index`, `args`, `run`, `env`, … */
  [name: string]: Json | Scope['steps']
}

/** A JSON value with `${{ … }}` in its strings, compiled. Rendering is pure and bounded. */
export interface Template {
  readonly source: Json
  /** True when it holds no expression. */
  readonly constant: boolean
  readonly mentions: readonly StepMention[]
  /** Every other top-level name it uses: `input`, `item`, `index`, `run`, `env`, `secrets`, … */
  readonly names: readonly string[]
  /**
   * The value. A string that is one expression keeps its type, else the parts are joined as text.
   * Secrets render to markers: `{"$secret": "X"}`, `{"$concat": ["Bearer ", {"$secret": "X"}]}`.
   */
  render(scope: Scope): Rendered
}

export interface RetryPolicy {
  /** 1 to 10, all attempts together. */
  attempts: number
  initialMs: number
  factor: number
  maxMs: number
  never: readonly FailureCode[]
  /** null: every failure that may be. */
  only: readonly FailureCode[] | null
}

export interface ModelSettings {
  max_tokens?: number | undefined
  temperature?: number | undefined
  top_p?: number | undefined
  top_k?: number | undefined
  stop?: string[] | undefined
  thinking?: Thinking | undefined
  cache?: boolean | undefined
}

export interface LlmBody {
  kind: 'llm'
  model: string
  /** Models to go on with, in this order. */
  fallback: readonly string[]
  system: Template | null
  messages: readonly { role: 'user' | 'assistant'; content: Template }[]
  /** JSON Schema of the answer; null: text. */
  output: Record<string, Json> | null
  settings: ModelSettings
}

/** What an inline tool of an agent does. */
export type AgentToolAction = { kind: 'tool'; tool: string; with: Template } | RunBody | ApprovalBody

export interface AgentTool {
  name: string
  /** null: a module tool; description and schema come from the workers' manifest. */
  declared: { description: string; input: Record<string, Json>; action: AgentToolAction } | null
  effect: Effect | null
  gate: boolean
  timeoutMs: number | null
  retry: RetryPolicy | null
}

export interface AgentBody {
  kind: 'agent'
  model: string
  /** Models to go on with, in this order. */
  fallback: readonly string[]
  system: Template | null
  prompt: Template
  output: Record<string, Json> | null
  settings: ModelSettings
  maxTurns: number
  /** Turns in a row that may ask for the same. */
  maxIdentical: number
  tools: readonly AgentTool[]
  /** Of all its calls; null: nothing is said. */
  budget: RunBudget | null
}

export interface ApprovalBody {
  kind: 'approval'
  show: Template | null
  assignee: string | null
  expiresMs: number | null
  onExpiry: 'reject' | 'approve' | 'escalate'
}

/** A child workflow. */
export interface RunBody {
  kind: 'run'
  /** `name` or `name@3` */
  workflow: string
  /** null: nothing is said of it; a tool use gives its arguments, a step null. */
  input: Template | null
  detach: boolean
}

export type StepBody =
  | LlmBody
  | AgentBody
  | ApprovalBody
  | RunBody
  | { kind: 'tool'; tool: string; with: Template }
  /** `mode: for`: a duration text; `until`: an RFC 3339 time or epoch milliseconds. */
  | { kind: 'wait'; mode: 'for' | 'until'; time: Template }
  | { kind: 'signal'; name: Template; schema: Record<string, Json> | null; timeoutMs: number | null }
  | { kind: 'value'; value: Template }
  /** Its steps are the scope of its own id; null output: a map of their outputs. */
  | { kind: 'block'; output: Template | null }

export interface EachPlan {
  in: Template
  /** The name the item has in expressions. */
  as: string
  concurrency: number
  join: 'all' | 'any' | 'settled' | { atLeast: number }
}

export interface RepeatPlan {
  until: Template | null
  max: number
  onMax: 'complete' | 'fail'
}

/** A limit that is kept outside of the run, for the whole fleet. */
export interface LimitPlan {
  key: Template
  limit: number
  /** null: at a time; else starts in any so many milliseconds. */
  perMs: number | null
}

export interface StepPlan {
  /** Where it stands in the definition: `mail`, `block/inner`, `mail/compensate-1`. */
  id: string
  /** Id of the block it stands in; empty at the top. */
  scope: string
  name: string
  body: StepBody
  /** Steps of the same scope it waits for: those its expressions mention and those in `needs`. No repeats. */
  needs: readonly string[]
  /** Those of `needs` that may be skipped, as long as one of them has completed. */
  needsAny: readonly string[]
  condition: Template | null
  each: EachPlan | null
  repeat: RepeatPlan | null
  retry: RetryPolicy
  /** Its own retry was declared, and not only a default. */
  retryDeclared: boolean
  /** Of one attempt. */
  timeoutMs: number
  /** From when the step was first ready, with everything in it. */
  deadlineMs: number | null
  /** As declared; null: from the tool's manifest or the kind's default. */
  effect: Effect | null
  gate: boolean
  /** null: nothing was said, which is `escalate` unless a step around it takes failures as results. */
  onFailure: 'escalate' | 'fail' | 'continue' | { use: Json } | null
  /** null: that of the run. */
  priority: number | null
  limits: readonly LimitPlan[]
  cache: { key: Template | null; ttlMs: number } | null
  /** It has a compensation: the step of id `<id>/compensate-1`. */
  compensated: boolean
  /** Another step is done in its place when it fails: the one of id `<id>/fallback-1`. */
  hasFallback: boolean
  confidence: { min: number; from: Template } | null
}

/** The steps of the definition, or of one block, by their ids in the order of the definition. */
export interface ScopePlan {
  names: ReadonlySet<string>
  /** Step name → the names of the steps that wait for it. */
  dependents: ReadonlyMap<string, readonly string[]>
}

/** A workflow that is code: its steps are learnt as the code asks for them, so its plan belongs to one run. */
export interface CodePlan {
  /** SHA-256 of the bundle. */
  hash: string
  bundle: string
  /** The steps that were learnt, as they were asked for. */
  asked: ReadonlyMap<string, StepDefinition>
  /** Adds a step that `checkAsked` has accepted. */
  learn(name: string, step: StepDefinition): void
}

export interface Plan {
  hash: string
  name: string
  definition: Definition
  /** All steps, nested ones and compensations too, by id. */
  steps: ReadonlyMap<string, StepPlan>
  /** By id of the block; empty: the top. */
  scopes: ReadonlyMap<string, ScopePlan>
  /** Some step has a limit. */
  limited: boolean
  /** Some step has a compensation. */
  compensates: boolean
  /** Some agent has a budget of its own. */
  agentBudgets: boolean
  /** From the start of a run. */
  deadlineMs: number | null
  /** Of runs. */
  limits: readonly LimitPlan[]
  /** The run's output; null: a map of all steps' outputs. */
  output: Template | null
  /** Null for a graph of steps. */
  code: CodePlan | null
}
