// Checks values against JSON Schemas (2020-12) of the workflow's author.
import type { Json } from '@stepfleet/contracts'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

export type JsonSchema = { [key: string]: Json }

const MAX_COMPILED = 500
const MAX_ERRORS = 20

export interface SchemaChecks {
  /** What does not fit, at most 20 lines like `/items/0/score must be <= 1`; empty: it fits. Throws for a schema that is none. */
  errors(schema: JsonSchema, value: Json): string[]
}

export const createSchemaChecks = (): SchemaChecks => {
  const compiled = new Map<string, ValidateFunction>()

  const compile = (schema: JsonSchema): ValidateFunction => {
    const key = JSON.stringify(schema)
    const known = compiled.get(key)
    if (known) return known
    // a fresh instance for each: two schemas may carry the same $id, and one instance keeps all it ever saw
    const ajv = new Ajv2020({ allErrors: true, strict: false, logger: false })
    addFormats.default(ajv)
    const check = ajv.compile(schema)
    // an async validator answers with a promise, which would pass everything
    if ('$async' in check) throw new Error('$async schemas are not supported')
    compiled.set(key, check)
    const oldest = compiled.keys().next().value
    if (compiled.size > MAX_COMPILED && oldest !== undefined) compiled.delete(oldest)
    return check
  }

  return {
    errors: (schema, value) => {
      const check = compile(schema)
      if (check(value)) return []
      return (check.errors ?? [])
        .slice(0, MAX_ERRORS)
        .map(({ instancePath, message }) => `${instancePath || 'the value'} ${message}`)
    },
  }
}
