// What is known of a step's output before it runs, as a JSON Schema: the fields that expressions may mention.
import type { Json, StepDefinition } from '@stepfleet/contracts'
import { isMap } from '../../expressions/values.ts'

const TEXT: Json = { type: 'string' }
const NUMBER: Json = { type: 'number' }
const LIST: Json = { type: 'array' }
const objectOf = (properties: Record<string, Json>): Json => ({ type: 'object', properties })

/** How the value of an expression or literal is known; null: it may be anything. */
export type SchemaOf = (value: Json) => Json | null
/** How the output of a step inside of a block is known. */
export type InnerOf = (name: string, step: StepDefinition) => Json | null

export const ERROR = objectOf({ code: TEXT, class: TEXT, message: TEXT })
/** `by`, `reason` and `edits` may be null. */
const APPROVAL = objectOf({ approved: { type: 'boolean' }, by: {}, at: {}, reason: {}, edits: {} })
const WAIT = objectOf({ at: {} })
const DETACHED = objectOf({ run: TEXT })
/** The body is JSON or text, as the answer says. */
const HTTP = objectOf({ status: NUMBER, headers: { type: 'object' }, body: {} })

/** A block gives what its `output` is, else its steps' outputs by their names. */
const ofBlock = (step: StepDefinition, schemaOf: SchemaOf, innerOf: InnerOf): Json | null => {
  if (step.output !== undefined) return schemaOf(step.output)
  const inner = Object.entries(step.steps ?? {})
  return objectOf(Object.fromEntries(inner.map(([name, one]) => [name, innerOf(name, one) ?? {}])))
}

/** Of a `value` its fields are told, not its own kind: a literal often stands in for what is written later. */
const fieldsOf = (schema: Json | null): Json | null =>
  schema !== null && isMap(schema) && schema.properties !== undefined ? { properties: schema.properties } : null

/** What one item or iteration of a step gives; null: not known, as `use` or a fallback may have given another. */
export const bodyOutput = (step: StepDefinition, schemaOf: SchemaOf, innerOf: InnerOf): Json | null => {
  if (typeof step.on_failure === 'object' || step.fallback) return null
  const model = step.llm ?? step.agent
  if (model) return model.output ?? TEXT
  if (step.tool === 'http') return HTTP
  if (step.approval) return APPROVAL
  if (step.wait !== undefined) return WAIT
  if (typeof step.signal === 'object' && step.signal.schema) return step.signal.schema
  if (typeof step.run === 'object' && step.run.detach) return DETACHED
  if (step.value !== undefined) return fieldsOf(schemaOf(step.value))
  return step.steps ? ofBlock(step, schemaOf, innerOf) : null
}

/** What a step gives when `body` is known of each of its items. */
export const joinedOutput = (step: StepDefinition, body: Json | null): Json | null => {
  if (typeof step.on_failure === 'object') return null
  if (step.each === undefined) return body
  const isAny = typeof step.each === 'object' && step.each.join === 'any'
  return isAny ? objectOf({ index: NUMBER, output: body ?? {} }) : LIST
}

/** The fields of a step beside its output. */
export const STEP_FACTS: Readonly<Record<string, Json>> = {
  status: TEXT,
  error: ERROR,
  cost: objectOf({ usd: NUMBER }),
}

/** The run as expressions see it; `now` is in milliseconds. */
export const RUN = { id: TEXT, namespace: TEXT, workflow: TEXT, startedAt: TEXT, now: NUMBER } as const
export const RUN_SCHEMA: Json = objectOf(RUN)
export const INDEX: Json = NUMBER
