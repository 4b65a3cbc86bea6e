// Makes up a value for a JSON Schema, for a model that nobody has mocked: the same value each time, and small. Every
// property is there, so that what comes after finds what it mentions; a list that may have one item has one.
import type { Json } from '@stepfleet/contracts'
import type { JsonSchema } from '@stepfleet/schemas'

const FORMATS: Readonly<Record<string, string>> = {
  'date-time': '2026-01-01T00:00:00Z',
  date: '2026-01-01',
  time: '00:00:00Z',
  duration: 'PT1H',
  email: 'someone@example.com',
  hostname: 'example.com',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uri: 'https://example.com/',
  'uri-reference': '/',
  uuid: '00000000-0000-4000-8000-000000000000',
}
/** Tried for a `pattern`, in this order; what fits none of them needs a mock. */
const SAMPLES = [
  'text',
  'Text',
  'a',
  'A',
  '1',
  '12',
  '123',
  '1234',
  '12345',
  'a1',
  'A1',
  'a-1',
  'A-1',
  'ABC',
  'ABC-123',
  '#000000',
  '1.0.0',
]
const DEEPEST = 32

interface Around {
  root: JsonSchema
  /** References that are being followed: what refers to itself ends where it may. */
  inside: readonly string[]
  depth: number
}

const isSchema = (value: Json | undefined): value is JsonSchema =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

const pointed = (root: JsonSchema, reference: string): Json | undefined => {
  if (!reference.startsWith('#')) return undefined
  let at: Json | undefined = root
  for (const part of reference.slice(1).split('/').slice(1)) {
    const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
    at = isSchema(at) ? at[name] : undefined
  }
  return at
}

const numberOf = (value: Json | undefined): number | null => (typeof value === 'number' ? value : null)

/** The least that is allowed, if it is not negative; else the most, or 0. */
const number = (schema: JsonSchema, whole: boolean): number => {
  const step = numberOf(schema.multipleOf) ?? (whole ? 1 : null)
  const above = numberOf(schema.exclusiveMinimum)
  const below = numberOf(schema.exclusiveMaximum)
  const high = numberOf(schema.maximum) ?? below
  // somewhere between the two, where there is no next number
  if (above !== null && step === null) return high === null ? Math.max(0, above + 1) : (above + high) / 2
  const low = numberOf(schema.minimum) ?? (above === null ? null : above + (step ?? 1))
  const wanted = low !== null && low > 0 ? low : high !== null && high <= 0 ? high : 0
  const rounded = step === null ? wanted : Math.ceil(wanted / step) * step
  if (below === null || rounded < below) return rounded
  return step === null ? below - 1 : rounded - step
}

const string = (schema: JsonSchema, name: string): string => {
  const format = typeof schema.format === 'string' ? FORMATS[schema.format] : undefined
  const pattern = typeof schema.pattern === 'string' ? new RegExp(schema.pattern, 'u') : null
  const least = numberOf(schema.minLength) ?? 0
  const most = numberOf(schema.maxLength) ?? Number.POSITIVE_INFINITY
  const fitted = (text: string): string => text.padEnd(least, 'x').slice(0, most)
  const said = format ?? fitted(`some ${name}`)
  if (!pattern || pattern.test(said)) return said
  return SAMPLES.find((sample) => sample.length >= least && sample.length <= most && pattern.test(sample)) ?? said
}

const refersBack = (schema: Json | undefined, around: Around): boolean =>
  isSchema(schema) && typeof schema.$ref === 'string' && around.inside.includes(schema.$ref)

const object = (schema: JsonSchema, around: Around): Json => {
  const properties = isSchema(schema.properties) ? schema.properties : {}
  const required = Array.isArray(schema.required) ? schema.required.filter((name) => typeof name === 'string') : []
  const made: Record<string, Json> = {}
  for (const [name, inner] of Object.entries(properties)) {
    if (!required.includes(name) && (refersBack(inner, around) || around.depth > DEEPEST)) continue
    made[name] = value(inner, around, name)
  }
  for (const name of required)
    if (!(name in made)) made[name] = value(schema.additionalProperties ?? true, around, name)
  return made
}

const array = (schema: JsonSchema, around: Around): Json[] => {
  const tuple = Array.isArray(schema.prefixItems) ? schema.prefixItems : []
  const back = refersBack(schema.items, around) || around.depth > DEEPEST
  const least = numberOf(schema.minItems) ?? 0
  const wanted = schema.items === undefined || schema.items === false || back ? tuple.length : Math.max(tuple.length, 1)
  const count = Math.min(Math.max(wanted, least), numberOf(schema.maxItems) ?? Number.POSITIVE_INFINITY)
  return Array.from({ length: count }, (_, index) => {
    const made = value(tuple[index] ?? schema.items ?? true, around, 'item')
    return schema.uniqueItems === true && typeof made === 'string' && index > 0 ? `${made} ${index + 1}` : made
  })
}

const typeOf = (schema: JsonSchema): string => {
  const said = Array.isArray(schema.type) ? (schema.type.find((one) => one !== 'null') ?? 'null') : schema.type
  if (typeof said === 'string') return said
  if (schema.properties !== undefined || schema.required !== undefined) return 'object'
  if (schema.items !== undefined || schema.prefixItems !== undefined) return 'array'
  return schema.minimum !== undefined || schema.maximum !== undefined ? 'number' : 'string'
}

/** One schema out of those that all must hold. */
const merged = (parts: readonly Json[], around: Around): JsonSchema => {
  const whole: JsonSchema = {}
  for (const given of parts) {
    const part = isSchema(given) && typeof given.$ref === 'string' ? pointed(around.root, given.$ref) : given
    if (!isSchema(part)) continue
    for (const [word, said] of Object.entries(part)) {
      const before = whole[word]
      if (word === 'properties' && isSchema(before) && isSchema(said)) whole[word] = { ...before, ...said }
      else if (word === 'required' && Array.isArray(before) && Array.isArray(said)) whole[word] = [...before, ...said]
      else whole[word] = said
    }
  }
  return whole
}

const value = (given: Json, around: Around, name: string): Json => {
  if (!isSchema(given)) return `some ${name}`
  const deeper = { ...around, depth: around.depth + 1 }
  if (typeof given.$ref === 'string') {
    const target = around.depth > DEEPEST ? undefined : pointed(around.root, given.$ref)
    return target === undefined ? null : value(target, { ...deeper, inside: [...around.inside, given.$ref] }, name)
  }
  if (given.const !== undefined) return given.const
  if (Array.isArray(given.enum)) return given.enum[0] ?? null
  const { allOf, ...plain } = given
  if (Array.isArray(allOf)) return value(merged([plain, ...allOf], around), deeper, name)
  const { anyOf, oneOf, ...own } = given
  const choices = Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : null
  if (choices) {
    // one that does not lead back to where it came from, or it would never end
    const choice = choices.find((one) => !refersBack(one, around)) ?? choices[0] ?? true
    return value(merged([own, choice], around), deeper, name)
  }
  switch (typeOf(given)) {
    case 'object':
      return object(given, deeper)
    case 'array':
      return array(given, deeper)
    case 'integer':
      return number(given, true)
    case 'number':
      return number(given, false)
    case 'boolean':
      return false
    case 'null':
      return null
    default:
      return string(given, name)
  }
}

/** A value made up for a schema. It fits common schemas, not every one: check it. */
export const invent = (schema: JsonSchema): Json => value(schema, { root: schema, inside: [], depth: 0 }, 'text')
