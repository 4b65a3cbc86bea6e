// Run: what the code of a workflow asks for steps with.
import type { Json, StepDefinition } from '@stepfleet/contracts'
import type { z } from 'zod'
import type { Secret } from './literal.ts'
import type { JsonObject } from './schema.ts'

/** What any step may say besides its kind; see the reference of the workflow format. */
export type Modifiers = Pick<
  StepDefinition,
  | 'description'
  | 'retry'
  | 'timeout'
  | 'deadline'
  | 'effect'
  | 'gate'
  | 'on_failure'
  | 'priority'
  | 'concurrency'
  | 'rate'
  | 'cache'
> & { compensate?: Compensate }

/** The `with` of a tool: JSON, with `run.secret` where a secret belongs. */
export type With = { [key: string]: Given }
export type Given = undefined | null | boolean | number | string | Date | Secret | Given[] | { [key: string]: Given }

type Compensate = Omit<NonNullable<StepDefinition['compensate']>, 'with'> & { with?: With }
/** A zod schema (4.2 or later) or a JSON Schema. */
export type OutputSchema = z.ZodType | JsonObject
/** Of a model's answer: text without a schema. */
export type OutputOf<S> = S extends z.ZodType ? z.output<S> : S extends JsonObject ? Json : string

type Body<K extends 'llm' | 'agent' | 'approval'> = NonNullable<StepDefinition[K]>

type ModelStep<K extends 'llm' | 'agent', S> = Omit<Body<K>, 'output' | 'cache'> &
  Omit<Modifiers, 'cache'> & {
    output?: S
    /** true or false: the provider's cache of the prompt; an object: the fleet's cache of finished outputs. */
    cache?: boolean | Modifiers['cache']
  }
export type LlmStep<S extends OutputSchema | undefined> = ModelStep<'llm', S>
export type AgentStep<S extends OutputSchema | undefined> = ModelStep<'agent', S>
export type ToolStep = Modifiers & { tool: string; with?: With }
export type ApprovalStep = Omit<Body<'approval'>, 'show'> & Modifiers & { show?: Given }
/** `10m`, or a time: a Date, epoch milliseconds or an RFC 3339 text. */
export type WaitFor = string | { for: string } | { until: Date | number | string }
/** `timeout`: how long it is waited for. `name`: that of the signal, where it is not the step's. */
export type SignalStep = Omit<Modifiers, 'timeout' | 'retry'> & {
  name?: string
  schema?: OutputSchema
  timeout?: string
}
export type ChildStep = Modifiers & { workflow: string; input?: Given; detach?: boolean }
/** A step of any kind, without what decides when and how often it runs: the code does that. */
export type AnyStep = Omit<
  StepDefinition,
  | 'needs'
  | 'needs_any'
  | 'if'
  | 'each'
  | 'repeat'
  | 'steps'
  | 'output'
  | 'fallback'
  | 'confidence'
  | 'with'
  | 'compensate'
> & { with?: With; compensate?: Compensate }

export interface Approval {
  approved: boolean
  by: string
  /** RFC 3339 */
  at: string
  reason: string | null
  edits: Json
}

/**
 * A run, for its code. A step is known by its name, once per run: the order of the calls does not matter. Its promise
 * gives the step's output; null when an operator skipped it. It rejects with a StepError when the step has failed and
 * `on_failure` is `continue` or `fail`, or a person gave it up; by default a failed step waits for a person.
 * Values are literals: there are no expressions, `${{ }}` is plain text.
 */
export interface Run {
  /** Id of the run. */
  readonly id: string
  llm<S extends OutputSchema | undefined = undefined>(name: string, step: LlmStep<S>): Promise<OutputOf<S>>
  agent<S extends OutputSchema | undefined = undefined>(name: string, step: AgentStep<S>): Promise<OutputOf<S>>
  tool(name: string, step: ToolStep): Promise<Json>
  approval(name: string, step?: ApprovalStep): Promise<Approval>
  /** Holds no worker and no thread. */
  wait(name: string, time: WaitFor): Promise<{ at: string }>
  /** The payload of the next signal of that name that nobody has taken. */
  signal<S extends OutputSchema | undefined = undefined>(
    name: string,
    step?: SignalStep & { schema?: S },
  ): Promise<S extends z.ZodType ? z.output<S> : Json>
  /** The child's output; with `detach` at once `{run}`. */
  child(name: string, step: ChildStep): Promise<Json>
  step(name: string, step: AnyStep): Promise<Json>
  /** As Promise.all. */
  all<T extends readonly unknown[] | []>(promises: T): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }>
  /** Milliseconds since 1970: when the last step ended that the code was told of, at first when the run started. */
  now(): number
  /** In [0, 1), from a sequence that belongs to the run. */
  random(): number
  /** Version 4, from the same sequence. */
  uuid(): string
  /** A secret's value, in the `with` of a tool: `run.secret('TOKEN', { before: 'Bearer ' })`. */
  secret(name: string, around?: { before?: string; after?: string }): Secret
}
