// Answers that must fit a JSON Schema: what the provider is asked for, and how what it answers is read and checked.
import { transformJSONSchema } from '@anthropic-ai/sdk/lib/transform-json-schema'
import { failure, type Json } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import { inWords, type JsonSchema, type SchemaChecks } from '@stepfleet/schemas'

/** How an answer is asked for and read. */
export interface OutputContract {
  /** For the provider to hold the model to, an object at its root; null: it cannot say this schema. */
  format: JsonSchema | null
  /** For the system prompt where `format` is null. */
  instruction: string | null
  read(text: string): Read
}
export type Read = { ok: true; value: Json } | { ok: false; errors: string[] }

const WRAPPED = 'value'

const isObject = (value: Json | undefined): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The schema as one of an object: `{value: …}` around what is none. Definitions stay at the root, where references look. */
const wrap = (schema: JsonSchema): JsonSchema => {
  const { $defs, definitions, $schema, $id, ...inner } = schema
  return {
    type: 'object',
    properties: { [WRAPPED]: inner },
    required: [WRAPPED],
    additionalProperties: false,
    ...($defs === undefined ? {} : { $defs }),
    ...(definitions === undefined ? {} : { definitions }),
  }
}

/** Schemas inside a schema, where keywords hold them. */
const childrenOf = (schema: JsonSchema): Json[] => [
  ...['properties', '$defs'].flatMap((word) => (isObject(schema[word]) ? Object.values(schema[word]) : [])),
  ...['anyOf', 'oneOf', 'allOf'].flatMap((word) => (Array.isArray(schema[word]) ? schema[word] : [])),
  ...(schema.items === undefined ? [] : [schema.items]),
]

/**
 * Whether the provider's subset can say what the schema allows. It may be stricter in detail (numbers' bounds become hints in
 * descriptions, and are checked here afterwards), but never so that a fitting answer could not be given at all: it closes every
 * object, so one with free keys would have to stay empty, and it takes no schema that refers to itself.
 */
const expressible = (schema: Json, root: JsonSchema, inside: readonly string[]): boolean => {
  if (!isObject(schema)) return false
  if (typeof schema.$ref === 'string') {
    const name = /^#\/\$defs\/([^/]+)$/.exec(schema.$ref)?.[1]
    const target = name !== undefined && isObject(root.$defs) ? root.$defs[name] : undefined
    return (
      name !== undefined &&
      !inside.includes(name) &&
      target !== undefined &&
      expressible(target, root, [...inside, name])
    )
  }
  const unsaid = [
    'patternProperties',
    'prefixItems',
    'if',
    'not',
    'dependentSchemas',
    'unevaluatedProperties',
    'definitions',
  ]
  if (unsaid.some((word) => word in schema)) return false
  if (schema.type === 'object' && (!isObject(schema.properties) || isOpen(schema.additionalProperties))) return false
  if (schema.type === 'array' && !isObject(schema.items)) return false
  return childrenOf(schema).every((child) => expressible(child, root, inside))
}

const isOpen = (additional: Json | undefined): boolean => additional === true || isObject(additional)

/** The schema in the provider's subset; null when it cannot be said there. */
const formatOf = (schema: JsonSchema): JsonSchema | null => {
  if (!expressible(schema, schema, [])) return null
  try {
    const format: Json = JSON.parse(JSON.stringify(transformJSONSchema(schema)))
    return isObject(format) ? format : null
  } catch {
    // a place without a type: anything fits there, and the subset has no word for that
    return null
  }
}

/** For the system prompt, where the schema is not (or not only) in the request. */
export const instructionOf = (schema: JsonSchema): string =>
  'Answer with nothing but one JSON value, without a fence around it and without a word before or after, that fits this ' +
  `JSON Schema:\n\`\`\`json\n${JSON.stringify(schema)}\n\`\`\``

/** The text without a Markdown fence around all of it: models add one even when they are told not to. */
const unfenced = (text: string): string => /^\s*```(?:json)?\s*\n([\s\S]*?)\n\s*```\s*$/.exec(text)?.[1] ?? text

const parse = (text: string): { value: Json } | null => {
  try {
    return { value: JSON.parse(unfenced(text)) }
  } catch {
    return null
  }
}

/** Throws TaskFailure `bad_request` when the schema itself cannot be used. */
export const outputContract = (schema: JsonSchema, checks: SchemaChecks): OutputContract => {
  const errorsOf = (value: Json): string[] => {
    try {
      return inWords(checks.check(schema, value))
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new TaskFailure(failure('bad_request', `the output schema cannot be used: ${why}`))
    }
  }
  // before anything is paid for
  errorsOf(null)
  const wrapped = schema.type !== 'object'
  const format = formatOf(wrapped ? wrap(schema) : schema)
  return {
    format,
    instruction: format === null ? instructionOf(schema) : null,
    read: (text) => {
      const parsed = parse(text)
      if (!parsed) return { ok: false, errors: ['the answer is not JSON'] }
      const value = unwrap(parsed.value, wrapped && format !== null)
      if (value === undefined)
        return { ok: false, errors: [`the answer must be an object with the one key "${WRAPPED}"`] }
      const errors = errorsOf(value)
      return errors.length === 0 ? { ok: true, value } : { ok: false, errors }
    },
  }
}

const unwrap = (value: Json, wrapped: boolean): Json | undefined => {
  if (!wrapped) return value
  return isObject(value) ? value[WRAPPED] : undefined
}

/** What the model is told when its answer does not fit. */
export const repairPrompt = (errors: readonly string[]): string =>
  `Your answer does not fit the JSON Schema that was asked for:\n${errors.map((error) => `- ${error}`).join('\n')}\n` +
  'Answer again, with the whole corrected JSON and nothing else.'
