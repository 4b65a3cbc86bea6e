// The plan: a definition compiled for the engine. Derived from the definition alone, so it is never stored.
import type { Definition, Effect, FailureCode, Json } from '@stepfleet/contracts'

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
}

export interface ModelSettings {
  max_tokens?: number | undefined
  temperature?: number | undefined
  top_p?: number | undefined
  top_k?: number | undefined
  stop?: string[] | undefined
}

export interface LlmBody {
  kind: 'llm'
  model: string
  system: Template | null
  messages: readonly { role: 'user' | 'assistant'; content: Template }[]
  /** JSON Schema of the answer; null: text. */
  output: Record<string, Json> | null
  settings: ModelSettings
}

export interface AgentTool {
  name: string
  /** null: a module tool; description and schema come from the workers' manifest. */
  declared: { description: string; input: Record<string, Json>; tool: string; with: Template } | null
  effect: Effect | null
  gate: boolean
  timeoutMs: number | null
  retry: RetryPolicy | null
}

export interface AgentBody {
  kind: 'agent'
  model: string
  system: Template | null
  prompt: Template
  output: Record<string, Json> | null
  settings: ModelSettings
  maxTurns: number
  tools: readonly AgentTool[]
}

export type StepBody =
  | LlmBody
  | AgentBody
  | { kind: 'tool'; tool: string; with: Template }
  | {
      kind: 'approval'
      show: Template | null
      assignee: string | null
      expiresMs: number | null
      onExpiry: 'reject' | 'approve' | 'escalate'
    }
  /** `mode: for`: a duration text; `until`: an RFC 3339 time or epoch milliseconds. */
  | { kind: 'wait'; mode: 'for' | 'until'; time: Template }
  | { kind: 'signal'; name: Template; schema: Record<string, Json> | null; timeoutMs: number | null }
  | { kind: 'value'; value: Template }

export interface EachPlan {
  in: Template
  /** The name the item has in expressions. */
  as: string
  concurrency: number
  join: 'all' | 'settled'
}

export interface StepPlan {
  name: string
  body: StepBody
  /** Steps it waits for: those its expressions mention and those in `needs`. Same scope, no repeats. */
  needs: readonly string[]
  condition: Template | null
  each: EachPlan | null
  retry: RetryPolicy
  /** Of one attempt. */
  timeoutMs: number
  /** From when the step was first ready, with everything in it. */
  deadlineMs: number | null
  /** As declared; null: from the tool's manifest or the kind's default. */
  effect: Effect | null
  gate: boolean
  onFailure: 'escalate' | 'fail' | 'continue'
}

export interface Plan {
  hash: string
  name: string
  definition: Definition
  /** In the order of the definition. */
  steps: ReadonlyMap<string, StepPlan>
  /** Step → the steps that wait for it. */
  dependents: ReadonlyMap<string, readonly string[]>
  /** The run's output; null: a map of all steps' outputs. */
  output: Template | null
}
