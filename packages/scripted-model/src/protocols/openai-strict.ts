// The subset of JSON Schema that OpenAI can hold a model to: `strict: true` in tools and in response formats.
import { isObject, type Json, type JsonObject } from '../json.ts'

interface Child {
  schema: Json
  context: readonly string[]
}

const childrenOf = (schema: JsonObject, context: readonly string[]): Child[] => [
  ...['properties', '$defs'].flatMap((word) => {
    const named = schema[word]
    return isObject(named)
      ? Object.entries(named).map(([name, child]) => ({ schema: child, context: [...context, word, name] }))
      : []
  }),
  ...(Array.isArray(schema.anyOf)
    ? schema.anyOf.map((child, index) => ({ schema: child, context: [...context, 'anyOf', String(index)] }))
    : []),
  ...(schema.items === undefined ? [] : [{ schema: schema.items, context: [...context, 'items'] }]),
]

const UNSUPPORTED = ['allOf', 'oneOf', 'not', 'if', 'patternProperties', 'dependentRequired', 'dependentSchemas']

const isObjectType = ({ type }: JsonObject): boolean =>
  type === 'object' || (Array.isArray(type) && type.includes('object'))

const objectError = (schema: JsonObject, where: string): string | null => {
  if (schema.additionalProperties !== false)
    return `${where}, 'additionalProperties' is required to be supplied and to be false.`
  const names = Object.keys(isObject(schema.properties) ? schema.properties : {})
  const required = Array.isArray(schema.required) ? schema.required : []
  const missing = names.find((name) => !required.includes(name))
  return missing === undefined
    ? null
    : `${where}, 'required' is required to be supplied and to be an array including every key in properties. Missing '${missing}'.`
}

const errorAt = (schema: Json, context: readonly string[]): string | null => {
  const where = `In context=(${context.map((part) => `'${part}'`).join(', ')})`
  if (!isObject(schema)) return `${where}, schema must be an object.`
  const bad = UNSUPPORTED.find((word) => word in schema)
  if (bad) return `${where}, '${bad}' is not permitted.`
  const own = isObjectType(schema) ? objectError(schema, where) : null
  if (own) return own
  for (const child of childrenOf(schema, context)) {
    const why = errorAt(child.schema, child.context)
    if (why) return why
  }
  return null
}

/** Why a schema cannot be strict, or null. */
export const strictSchemaError = (schema: JsonObject): string | null =>
  isObjectType(schema) ? errorAt(schema, []) : `schema must be a JSON Schema of 'type: "object"'.`
