// Users' JSON Schemas (2020-12): whether they compile, and where a value breaks them.
import type { Json, ProblemError } from '@stepfleet/contracts'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import ajvFormats from 'ajv-formats'

/** Errors listed for one value; more help nobody. */
const MAX_ERRORS = 50
/** Compiled schemas kept, the oldest use goes first. */
const MAX_COMPILED = 500

export type JsonSchema = Record<string, Json>

export interface SchemaChecks {
  /** Why the schema is none, or null. */
  compileError(schema: JsonSchema): string | null
  /** Every place (dotted, below `place`) where the value breaks the schema. The schema must compile. */
  check(schema: JsonSchema, value: Json, place: string): ProblemError[]
}

const unescaped = (segment: string): string => segment.replaceAll('~1', '/').replaceAll('~0', '~')

const errorOf = (error: ErrorObject, place: string): ProblemError => {
  const path = [place, ...error.instancePath.split('/').slice(1).map(unescaped)].filter((part) => part !== '').join('.')
  const params: Record<string, unknown> = error.params
  const of = (name: string): string => String(params[name])
  switch (error.keyword) {
    case 'required':
      return { path: `${path}.${of('missingProperty')}`, code: 'missing', message: 'is required' }
    case 'additionalProperties':
      return {
        path: `${path}.${of('additionalProperty')}`,
        code: 'unknown_field',
        message: 'the schema has no such field',
      }
    case 'unevaluatedProperties':
      return {
        path: `${path}.${of('unevaluatedProperty')}`,
        code: 'unknown_field',
        message: 'the schema has no such field',
      }
    case 'enum':
      return { path, code: 'invalid_value', message: `must be one of ${JSON.stringify(params.allowedValues)}` }
    case 'const':
      return { path, code: 'invalid_value', message: `must be ${JSON.stringify(params.allowedValue)}` }
    case 'type':
      return { path, code: 'wrong_type', message: `must be ${String(params.type).replaceAll(',', ' or ')}` }
    default:
      return { path, code: error.keyword, message: error.message ?? `breaks ${error.keyword}` }
  }
}

export const createSchemaChecks = (): SchemaChecks => {
  // `strict: false`: unknown keywords are annotations, as the standard says. Schemas are not added by $id, so two
  // that carry the same one do not collide.
  const ajv = new Ajv2020({ allErrors: true, strict: false, addUsedSchema: false, logger: false })
  ajvFormats.default(ajv)
  const compiled = new Map<string, ValidateFunction>()

  const compile = (schema: JsonSchema): ValidateFunction => {
    const key = JSON.stringify(schema)
    const known = compiled.get(key)
    compiled.delete(key)
    const check = known ?? ajv.compile(schema)
    // an async validator answers with a promise, which would pass everything
    if ('$async' in check) throw new Error('$async schemas are not supported')
    // ajv keeps what it compiled by identity; we keep it by content
    ajv.removeSchema(schema)
    compiled.set(key, check)
    const oldest = compiled.keys().next().value
    if (compiled.size > MAX_COMPILED && oldest !== undefined) compiled.delete(oldest)
    return check
  }

  return {
    compileError: (schema) => {
      try {
        compile(schema)
        return null
      } catch (error) {
        return error instanceof Error ? error.message : 'not a JSON Schema'
      }
    },
    check: (schema, value, place) => {
      const check = compile(schema)
      if (check(value)) return []
      return (check.errors ?? []).slice(0, MAX_ERRORS).map((error) => errorOf(error, place))
    },
  }
}
