// Checks values against JSON Schemas (2020-12) of the workflow's author.
import type { Json, ProblemError } from '@stepfleet/contracts'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

export type JsonSchema = Record<string, Json>

const MAX_ERRORS = 20

export interface SchemaChecks {
  /** Where the value breaks the schema, at most 20 places below `place`; empty: it fits. Throws for a schema that is none. */
  check(schema: JsonSchema, value: Json, place: string): ProblemError[]
}

const unescaped = (segment: string): string => segment.replaceAll('~1', '/').replaceAll('~0', '~')

export const createSchemaChecks = (): SchemaChecks => {
  const compiled = new Map<string, ValidateFunction>()

  const compile = (schema: JsonSchema): ValidateFunction => {
    const key = JSON.stringify(schema)
    const known = compiled.get(key)
    if (known) return known
    // a fresh instance for each: two schemas may carry the same $id
    const ajv = new Ajv2020({ allErrors: true, strict: false, logger: false })
    addFormats.default(ajv)
    const check = ajv.compile(schema)
    // an async validator answers with a promise, which would pass everything
    if ('$async' in check) throw new Error('$async schemas are not supported')
    compiled.set(key, check)
    return check
  }

  return {
    check: (schema, value, place) => {
      const check = compile(schema)
      if (check(value)) return []
      return (check.errors ?? []).slice(0, MAX_ERRORS).map(({ instancePath, keyword, message }) => ({
        path: [place, ...instancePath.split('/').slice(1).map(unescaped)].filter((part) => part !== '').join('.'),
        code: keyword,
        message: message ?? `breaks ${keyword}`,
      }))
    },
  }
}

/** Problems in one line. */
export const inWords = (problems: readonly ProblemError[]): string =>
  problems
    .slice(0, 3)
    .map(({ path, message }) => (path === '' ? message : `${path} ${message}`))
    .join('; ')
