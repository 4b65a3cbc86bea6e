// What the real API answers with 400 although the request parses: unpaired tool calls, schemas it cannot hold a model to.
import { isObject, type Json, type JsonObject } from '../json.ts'
import { type Block, blocksOf, type MessagesRequest } from './anthropic-request.ts'

interface Turn {
  role: string
  blocks: Block[]
}

/** Messages with neighbours of one role joined, as the API reads them. */
const turnsOf = (request: MessagesRequest): Turn[] => {
  const turns: Turn[] = []
  for (const { role, content } of request.messages) {
    const last = turns.at(-1)
    if (last?.role === role) last.blocks.push(...blocksOf(content))
    else turns.push({ role, blocks: [...blocksOf(content)] })
  }
  return turns
}

const idsOf = (turn: Turn | undefined, type: string, field: string): string[] =>
  (turn?.blocks ?? []).filter((part) => part.type === type).map((part) => String(part[field]))

/** Why the conversation does not pair each tool use with exactly one result, or null. */
const unpaired = (turns: readonly Turn[]): string | null => {
  for (const [index, turn] of turns.entries()) {
    const next = turns[index + 1]
    const asked = turn.role === 'assistant' ? idsOf(turn, 'tool_use', 'id') : []
    const answered = idsOf(next, 'tool_result', 'tool_use_id')
    const missing = asked.filter((id) => !answered.includes(id))
    if (missing.length > 0)
      return `messages.${index}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${missing.join(', ')}`
    if (new Set(answered).size !== answered.length)
      return `messages.${index + 1}: each \`tool_use\` must have a single \`tool_result\``
    const strange = answered.filter((id) => !asked.includes(id))
    if (strange.length > 0)
      return `messages.${index + 1}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${strange.join(', ')}`
  }
  return null
}

const UNSUPPORTED: Record<string, readonly string[]> = {
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  string: ['minLength', 'maxLength'],
  array: ['maxItems', 'uniqueItems', 'contains', 'prefixItems'],
  object: ['minProperties', 'maxProperties', 'patternProperties', 'propertyNames'],
}

const childrenOf = (schema: JsonObject): Json[] => [
  ...[schema.properties, schema.$defs].flatMap((named) => (isObject(named) ? Object.values(named) : [])),
  ...[schema.anyOf, schema.allOf].flatMap((list) => (Array.isArray(list) ? list : [])),
  ...(schema.items === undefined ? [] : [schema.items]),
]

/** Why a schema cannot be an output format, or null. */
export const unsupportedSchema = (schema: Json): string | null => {
  if (!isObject(schema)) return 'output_config.format.schema: a schema is an object'
  const type = typeof schema.type === 'string' ? schema.type : ''
  if (type === 'object' && schema.additionalProperties !== false)
    return "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"
  const bad = (UNSUPPORTED[type] ?? []).find((word) => word in schema)
  if (bad) return `output_config.format.schema: For '${type}' type, property '${bad}' is not supported`
  if (type === 'array' && typeof schema.minItems === 'number' && schema.minItems > 1)
    return "output_config.format.schema: For 'array' type, 'minItems' values other than 0 or 1 are not supported"
  for (const child of childrenOf(schema)) {
    const why = unsupportedSchema(child)
    if (why) return why
  }
  return null
}

/** The message of the 400 this request earns, or null. */
export const refusal = (request: MessagesRequest): string | null => {
  const turns = turnsOf(request)
  const empty = turns.findIndex((turn) => turn.blocks.length === 0)
  if (empty >= 0) return `messages.${empty}: all messages must have non-empty content`
  const format = request.output_config?.format
  return unpaired(turns) ?? (format ? unsupportedSchema(format.schema) : null)
}
