// A light check of users' JSON Schemas (2020-12), and what a schema says about the fields of a value.

import type { Json } from '@stepfleet/contracts'
import { nearest } from '@stepfleet/contracts'
import { kindOfSchema } from '../../expressions/types.ts'
import { isMap, type JsonMap, kindOf } from '../../expressions/values.ts'
import type { Findings, Path } from './findings.ts'

const TYPES = ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']

type Check = (value: Json, path: Path, findings: Findings, root: Json) => void

const report = (path: Path, message: string, findings: Findings, suggestion?: string | null): void =>
  findings.error(path, 'invalid_schema', message, suggestion)

const checkType: Check = (value, path, findings) => {
  const types = Array.isArray(value) ? value : [value]
  for (const type of types) {
    if (typeof type === 'string' && TYPES.includes(type)) continue
    const near = typeof type === 'string' ? nearest(type, TYPES) : null
    report(path, `a type is one of ${TYPES.join(', ')}`, findings, near)
  }
}

const schemaMap: Check = (value, path, findings, root) => {
  if (!isMap(value)) return report(path, `must be a map of schemas, got ${kindOf(value)}`, findings)
  for (const [key, schema] of Object.entries(value)) checkSchemaAt(schema, [...path, key], findings, root)
}

const schemaList: Check = (value, path, findings, root) => {
  if (!Array.isArray(value) || value.length === 0) return report(path, 'must be a list of schemas, not empty', findings)
  for (const [at, schema] of value.entries()) checkSchemaAt(schema, [...path, at], findings, root)
}

const textList: Check = (value, path, findings) => {
  const fine = Array.isArray(value) && value.every((name) => typeof name === 'string')
  if (!fine) report(path, 'must be a list of texts', findings)
}

const count: Check = (value, path, findings) => {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    report(path, 'must be a whole number, 0 or more', findings)
  }
}

const ofKind =
  (kind: 'number' | 'string' | 'boolean'): Check =>
  (value, path, findings) => {
    const words = { number: 'a number', string: 'text', boolean: 'true or false' }
    if (typeof value !== kind) report(path, `must be ${words[kind]}, got ${kindOf(value)}`, findings)
  }

const pattern: Check = (value, path, findings) => {
  if (typeof value !== 'string') return report(path, `must be text, got ${kindOf(value)}`, findings)
  try {
    new RegExp(value, 'u')
  } catch {
    report(path, 'not a regular expression', findings)
  }
}

const enumeration: Check = (value, path, findings) => {
  if (!Array.isArray(value) || value.length === 0) report(path, 'must be a list of values, not empty', findings)
}

/** `#/a/b` inside the same schema; other documents are never fetched. */
const reference: Check = (value, path, findings, root) => {
  if (typeof value !== 'string') return report(path, `must be text, got ${kindOf(value)}`, findings)
  if (!value.startsWith('#')) return report(path, 'only references inside the same schema (#/…) are followed', findings)
  if (!value.startsWith('#/')) return
  let target: Json | undefined = root
  for (const token of value.slice(2).split('/')) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~')
    if (Array.isArray(target)) target = target[Number(key)]
    else target = target !== undefined && isMap(target) && Object.hasOwn(target, key) ? target[key] : undefined
  }
  if (target === undefined) report(path, `\`${value}\` leads to nothing in this schema`, findings)
}

const anything: Check = () => undefined
const oneSchema: Check = (value, path, findings, root) => checkSchemaAt(value, path, findings, root)

const group = (names: string, check: Check): [string, Check][] => names.split(' ').map((name) => [name, check])

const KEYWORDS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ...group('type', checkType),
  ...group('properties patternProperties $defs definitions dependentSchemas', schemaMap),
  ...group('items additionalProperties propertyNames contains not if then else', oneSchema),
  ...group('unevaluatedItems unevaluatedProperties contentSchema', oneSchema),
  ...group('allOf anyOf oneOf prefixItems', schemaList),
  ...group('required', textList),
  ...group('minLength maxLength minItems maxItems minProperties maxProperties minContains maxContains', count),
  ...group('minimum maximum exclusiveMinimum exclusiveMaximum multipleOf', ofKind('number')),
  ...group('title description format $schema $id $anchor $comment $dynamicAnchor', ofKind('string')),
  ...group('contentEncoding contentMediaType', ofKind('string')),
  ...group('uniqueItems deprecated readOnly writeOnly', ofKind('boolean')),
  ...group('pattern', pattern),
  ...group('enum', enumeration),
  ...group('$ref $dynamicRef', reference),
  ...group('const default examples dependentRequired $vocabulary', anything),
])

/** A name in `required` that `properties` does not have is most likely a typo that fails every value. */
const checkRequired = (schema: JsonMap, path: Path, findings: Findings): void => {
  const { required, properties } = schema
  if (!Array.isArray(required) || properties === undefined || !isMap(properties)) return
  for (const [at, name] of required.entries()) {
    if (typeof name !== 'string' || Object.hasOwn(properties, name)) continue
    const message = `\`${name}\` is required but not among the properties`
    findings.warn([...path, 'required', at], 'schema_doubtful', message, nearest(name, Object.keys(properties)))
  }
}

const checkSchemaAt: Check = (schema, path, findings, root) => {
  if (typeof schema === 'boolean') return
  if (!isMap(schema)) return report(path, `a schema is a map, got ${kindOf(schema)}`, findings)
  for (const [keyword, value] of Object.entries(schema)) {
    const check = KEYWORDS.get(keyword)
    if (check) check(value, [...path, keyword], findings, root)
    else if (!keyword.startsWith('x-')) {
      const message = `JSON Schema knows no \`${keyword}\`, it checks nothing`
      findings.warn([...path, keyword], 'schema_doubtful', message, nearest(keyword, KEYWORDS.keys()))
    }
  }
  checkRequired(schema, path, findings)
}

/**
 * Checks that a user's schema is well-formed: known types, sub-schemas in the right places, references that
 * lead somewhere. Keywords that JSON Schema does not know are a warning, since they check nothing.
 */
export const checkSchema = (schema: Json, path: Path, findings: Findings): void =>
  checkSchemaAt(schema, path, findings, schema)

/** What a schema cannot be read for: it may allow more than its `properties`. */
const OPEN = ['$ref', '$dynamicRef', 'allOf', 'anyOf', 'oneOf', 'if', 'patternProperties', 'dependentSchemas']

const isClosed = (schema: JsonMap): boolean => !OPEN.some((keyword) => Object.hasOwn(schema, keyword))

/** Set when no value of the schema can have this field. */
export interface MissingField {
  /** Members up to and without the missing one. */
  before: readonly string[]
  name: string
  /** What could have been meant. */
  known: readonly string[]
  /** What has no such member: a map with others, or what has no named members at all. */
  holder: 'map' | 'text' | 'number' | 'boolean' | 'list'
}

/** A schema that tells what its values are by `type` and `properties` alone. */
const plainAt = (schema: Json | undefined): JsonMap | null =>
  schema !== undefined && isMap(schema) && isClosed(schema) ? schema : null

/**
 * The first member of `keys` that the schema does not have, or null. JSON Schema allows further properties
 * unless told otherwise, yet a field that an expression mentions and the schema does not is nearly always a
 * typo: it is an error where `properties` is given, unless `additionalProperties` says outright that there are
 * more (true or a schema).
 */
export const missingField = (schema: Json, keys: readonly string[]): MissingField | null => {
  let at: Json | undefined = schema
  for (const [index, name] of keys.entries()) {
    const plain = plainAt(at)
    if (!plain) return null
    const holder = kindOfSchema(plain)
    const before = keys.slice(0, index)
    if (holder === 'text' || holder === 'number' || holder === 'boolean' || holder === 'list')
      return { before, name, known: [], holder }
    const properties: Json = plain.properties ?? null
    if (!isMap(properties)) return null
    if (!Object.hasOwn(properties, name)) {
      if ((plain.additionalProperties ?? false) !== false) return null
      return { before, name, known: Object.keys(properties), holder: 'map' }
    }
    at = properties[name]
  }
  return null
}

/** The schema of a member, as far as plain `properties` tell; null: it may be anything. */
export const schemaAt = (schema: Json, keys: readonly string[]): Json | null => {
  let at: Json | undefined = schema
  for (const name of keys) {
    const properties: Json | undefined = plainAt(at)?.properties
    at = properties !== undefined && isMap(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined
    if (at === undefined) return null
  }
  return at
}
