// defineTool: a tool written as code, served by tool-workers under its name.
import {
  durationSchema,
  type Effect,
  effectSchema,
  type Json,
  parseDurationMs,
  STEP_NAME,
  type ToolManifest,
} from '@stepfleet/contracts'
import { z } from 'zod'

/** The same symbol in every copy of this package: the worker's copy knows what another copy made. */
const TOOL: unique symbol = Symbol.for('stepfleet.tool')

export type JsonObject = { [key: string]: Json }
/** A zod 4 schema, or a JSON Schema (2020-12). The root is an object: `with` is one. */
export type ToolSchema = z.ZodType | JsonObject

export interface ToolLog {
  debug(message: string, fields?: Record<string, unknown>): void
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
}

export interface ToolContext {
  /** Aborts on timeout, cancel and drain. A tool that goes on after it works for nothing: its result is dropped. */
  signal: AbortSignal
  /**
   * The same for every attempt and delivery of the step: hand it on as the idempotency key. Only an operator's
   * edit of the input makes a new one.
   */
  effectKey: string
  /** From 1. */
  attempt: number
  /** Lines carry run, step and attempt; secret values are blotted out. */
  log: ToolLog
  /** The values of the names declared in `secrets`. */
  secrets: Readonly<Record<string, string>>
}

type InputOf<S> = S extends z.ZodType ? z.output<S> : JsonObject
type ResultOf<S> = S extends z.ZodType ? z.input<S> : unknown

export interface ToolDefinition<I extends ToolSchema, O extends ToolSchema> {
  /** `^[a-z][a-z0-9_]{0,47}$`; unique in a worker. */
  name: string
  /** What a model reads to decide whether to call it. */
  description: string
  input: I
  /** When given, a result that breaks it is `tool_output_invalid`. */
  output?: O
  /** `read`: free to repeat; `idempotent`: repeat with the same effect key; `once`: never repeated. */
  effect: Effect
  /** Of one attempt, for example `30s`; a step's own timeout wins. */
  timeout?: string
  /** Names of secrets it is given in `context.secrets`. */
  secrets?: readonly string[]
  /** The result is any value that JSON can carry. An error thrown here fails the attempt; see ToolError. */
  run(input: InputOf<I>, context: ToolContext): Promise<ResultOf<O>> | ResultOf<O>
}

export type Checked = { ok: true; value: unknown } | { ok: false; problem: string }

/** A schema ready for the worker. */
export interface ToolCheck {
  jsonSchema: JsonObject
  /** zod's own check; null: the worker checks by `jsonSchema`. */
  parse: ((value: unknown) => Promise<Checked>) | null
}

/** What defineTool makes and a tool-worker loads. */
export interface Tool {
  readonly [TOOL]: 1
  readonly manifest: ToolManifest
  readonly input: ToolCheck
  readonly output: ToolCheck | null
  /** `input` has passed `input`. */
  run(input: unknown, context: ToolContext): Promise<unknown>
}

/** True for what any copy of this package's defineTool made. */
export const isTool = (value: unknown): value is Tool => typeof value === 'object' && value !== null && TOOL in value

const isZod = (schema: ToolSchema): schema is z.ZodType => '_zod' in schema

const definitionSchema = z.strictObject({
  name: z.string().regex(STEP_NAME, 'a tool name is a lower case letter, then letters, digits and _'),
  description: z.string().min(1, 'a model needs a description to choose by'),
  input: z.custom<ToolSchema>(
    (value) => typeof value === 'object' && value !== null,
    'a zod or JSON Schema is required',
  ),
  output: z.custom<ToolSchema>((value) => typeof value === 'object' && value !== null).optional(),
  effect: effectSchema,
  timeout: durationSchema.refine((text) => parseDurationMs(text) !== 0, 'a tool needs more time than none').optional(),
  secrets: z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/)).optional(),
  run: z.custom((value) => typeof value === 'function', 'a function is required'),
})

const issuesOf = (error: z.core.$ZodError): string =>
  error.issues
    .slice(0, 5)
    .map((issue) => (issue.path.length > 0 ? `${issue.path.join('.')}: ${issue.message}` : issue.message))
    .join('; ')

const checkOf = (schema: ToolSchema, io: 'input' | 'output'): ToolCheck => {
  if (!isZod(schema)) return { jsonSchema: schema, parse: null }
  // a JSON round trip: zod answers a typed object, the manifest carries plain JSON
  const { $schema: _, ...jsonSchema }: JsonObject = JSON.parse(JSON.stringify(z.toJSONSchema(schema, { io })))
  const parse = async (value: unknown): Promise<Checked> => {
    const result = await schema.safeParseAsync(value)
    return result.success ? { ok: true, value: result.data } : { ok: false, problem: issuesOf(result.error) }
  }
  return { jsonSchema, parse }
}

/**
 * Makes a tool of a definition.
 * @throws Error that names the tool and the field when the definition is wrong; unknown fields are refused.
 */
export const defineTool = <I extends ToolSchema, O extends ToolSchema = JsonObject>(
  definition: ToolDefinition<I, O>,
): Tool => {
  const refuse = (problem: string): never => {
    throw new Error(`defineTool(${String(definition?.name)}): ${problem}`)
  }
  const checked = definitionSchema.safeParse(definition)
  if (!checked.success) return refuse(issuesOf(checked.error))
  const { name, description, effect, timeout, secrets } = checked.data
  const schemaOf = (field: 'input' | 'output', schema: ToolSchema): ToolCheck => {
    try {
      return checkOf(schema, field)
    } catch (error) {
      return refuse(`${field}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  const input = schemaOf('input', checked.data.input)
  if (input.jsonSchema.type !== 'object') refuse('input: the root of the schema is an object, since `with` is one')
  const timeoutMs = timeout === undefined ? null : parseDurationMs(timeout)
  return {
    [TOOL]: 1,
    manifest: {
      spec: { name, description, input: input.jsonSchema },
      effect,
      ...(timeoutMs === null ? {} : { timeoutMs }),
      secrets: secrets ?? [],
    },
    input,
    output: checked.data.output === undefined ? null : schemaOf('output', checked.data.output),
    // the parsing edge: the worker has checked the value against this very schema
    run: async (value, context) => definition.run(value as InputOf<I>, context),
  }
}
