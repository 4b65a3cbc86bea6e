// Users' JSON Schemas (2020-12): whether they compile, and where a value breaks them.
import type { Json, ProblemError } from '@stepfleet/contracts'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import ajvFormats from 'ajv-formats'
import { linearTime } from './patterns.ts'

/** Errors listed for one value; more help nobody. */
const MAX_ERRORS = 50
/** Compiled schemas kept, the oldest use goes first. */
const MAX_COMPILED = 500
/** Characters of a value, as JSON, of which all errors are listed; of a larger one only the first. */
const MAX_FOR_ALL = 262_144

export type JsonSchema = Record<string, Json>

export interface SchemaChecks {
  /** Why the schema is none, or null. */
  compileError(schema: JsonSchema): string | null
  /** Every place (dotted, below `place`) where the value breaks the schema; empty: it fits. Throws for a schema that is none. */
  check(schema: JsonSchema, value: unknown, place?: string): ProblemError[]
}

const unescaped = (segment: string): string => segment.replaceAll('~1', '/').replaceAll('~0', '~')

const errorOf = (error: ErrorObject, place: string): ProblemError => {
  const params: Record<string, unknown> = error.params
  const at = (...more: string[]): string =>
    [place, ...error.instancePath.split('/').slice(1).map(unescaped), ...more].filter((part) => part !== '').join('.')
  const below = (name: string): string => at(String(params[name]))
  const path = at()
  switch (error.keyword) {
    case 'required':
      return { path: below('missingProperty'), code: 'missing', message: 'is required' }
    case 'additionalProperties':
      return {
        path: below('additionalProperty'),
        code: 'unknown_field',
        message: 'the schema has no such field',
      }
    case 'unevaluatedProperties':
      return {
        path: below('unevaluatedProperty'),
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

const createAjv = (allErrors: boolean): Ajv2020 => {
  // `strict: false`: unknown keywords are annotations, as the standard says
  const ajv = new Ajv2020({
    ...{ allErrors, strict: false, logger: false },
    code: { regExp: linearTime },
  })
  ajvFormats.default(ajv)
  return ajv
}

/** A schema, compiled to find the first error, and if need be to find all. */
interface Compiled {
  first: ValidateFunction
  all: () => ValidateFunction
}

const once = <T>(make: () => T): (() => T) => {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/** What is no JSON at all counts as large: nothing can be said of its size. */
const isLarge = (value: unknown): boolean => {
  try {
    return (JSON.stringify(value) ?? '').length > MAX_FOR_ALL
  } catch {
    return true
  }
}

export const createSchemaChecks = (): SchemaChecks => {
  const shared = { first: createAjv(false), all: createAjv(true) }
  const compiled = new Map<string, Compiled>()

  const compileBy = (which: 'first' | 'all', schema: JsonSchema, text: string): ValidateFunction => {
    // an instance keeps every $id that it has seen, also inner ones, and two schemas may carry the same
    const ajv = text.includes('"$id"') ? createAjv(which === 'all') : shared[which]
    const check = ajv.compile(schema)
    // ajv keeps what it compiled by identity; we keep it by content
    ajv.removeSchema(schema)
    // an async validator answers with a promise, which would pass everything
    if ('$async' in check) throw new Error('$async schemas are not supported')
    return check
  }

  const compile = (schema: JsonSchema): Compiled => {
    const text = JSON.stringify(schema)
    const known = compiled.get(text) ?? {
      first: compileBy('first', schema, text),
      all: once(() => compileBy('all', schema, text)),
    }
    compiled.delete(text)
    compiled.set(text, known)
    const oldest = compiled.keys().next().value
    if (compiled.size > MAX_COMPILED && oldest !== undefined) compiled.delete(oldest)
    return known
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
    check: (schema, value, place = '') => {
      const { first, all } = compile(schema)
      if (first(value)) return []
      // a million wrong items would be a million errors
      const check = isLarge(value) ? first : all()
      if (check !== first) check(value)
      return (check.errors ?? []).slice(0, MAX_ERRORS).map((error) => errorOf(error, place))
    },
  }
}

/** Problems in one line each, at most so many: `items.0.score: must be <= 1`. */
export const inWords = (problems: readonly ProblemError[], most = 20): string[] =>
  problems.slice(0, most).map(({ path, message }) => `${path || 'the value'}: ${message}`)
