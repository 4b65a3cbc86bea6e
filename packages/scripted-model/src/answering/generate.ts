// Makes a value that fits a JSON Schema: always the same for the same schema and seed, and readable.
import { isObject, type Json, type JsonObject, pick } from '../json.ts'

export interface Flavour {
  /** Same seed, same value. */
  seed: number
  /** A few words that strings are made of. */
  topic: string
  /** A text for strings whose name asks for one: `text`, `summary`, …; absent: the topic. */
  prose?: string
  /** Sides of the topic, one for each string of a list; absent: they are numbered. */
  aspects?: readonly string[]
}

interface Place extends Flavour {
  root: JsonObject
  name: string
  depth: number
  /** True for what stands in a list itself, at `index`. */
  listed: boolean
  index: number
}

const MAX_DEPTH = 8
const FORMATS: Record<string, (place: Place) => string> = {
  email: (place) => `person${place.seed % 100}@example.com`,
  date: (place) => `2026-11-${String(1 + (place.seed % 28)).padStart(2, '0')}`,
  'date-time': (place) => `2026-11-${String(1 + (place.seed % 28)).padStart(2, '0')}T09:30:00Z`,
  time: () => '09:30:00Z',
  duration: () => 'P1D',
  uri: (place) => `https://example.com/${slug(place.topic)}/${place.index}`,
  url: (place) => `https://example.com/${slug(place.topic)}/${place.index}`,
  hostname: () => 'www.example.com',
  ipv4: () => '192.0.2.1',
  ipv6: () => '2001:db8::1',
  uuid: (place) => `00000000-0000-4000-8000-${place.seed.toString(16).padStart(12, '0').slice(0, 12)}`,
}

const slug = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40) || 'topic'

const numberOf = (value: Json | undefined): number | undefined => (typeof value === 'number' ? value : undefined)

/**
 * The constraints that the SDK's helper moves into the description, `{minimum: 0.7, maxLength: 20}`: a model reads
 * them there, so this one does too.
 */
const withHints = (schema: JsonObject): JsonObject => {
  const match = typeof schema.description === 'string' ? /\{([^{}]*)\}$/.exec(schema.description) : null
  if (!match) return schema
  const hints: JsonObject = {}
  for (const [, word = '', value = ''] of (match[1] ?? '').matchAll(
    /(\w+): (-?[\d.]+(?:e[+-]?\d+)?|"(?:[^"\\]|\\.)*")/g,
  ))
    hints[word] = JSON.parse(value)
  return { ...hints, ...schema }
}

const resolve = (schema: JsonObject, root: JsonObject): JsonObject => {
  if (typeof schema.$ref !== 'string' || !schema.$ref.startsWith('#')) return schema
  let at: Json | undefined = root
  for (const part of schema.$ref.split('/').slice(1))
    at = isObject(at) ? at[part.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined
  return isObject(at) ? at : {}
}

// names that say nothing which the topic does not
const PLAIN = /^(value|query|q|question|search|term|topic|title|subject|name|input|prompt)?$/
const PROSE = /^(text|summary|body|content|report|answer|description|explanation|reason|message)$/

const labelOf = ({ name, topic, prose, aspects, listed, index }: Place): string => {
  if (prose !== undefined && PROSE.test(name)) return prose
  if (listed) return `${topic}: ${aspects?.[index % aspects.length] ?? index + 1}`
  return PLAIN.test(name) ? topic : `${topic}: ${name.replaceAll('_', ' ')}`
}

const string = (schema: JsonObject, place: Place): string => {
  const format = typeof schema.format === 'string' ? FORMATS[schema.format] : undefined
  if (format) return format(place)
  let text = labelOf(place)
  if (typeof schema.pattern === 'string') text = fitting(schema.pattern, place) ?? text
  const min = numberOf(schema.minLength) ?? 0
  while (text.length < min) text = `${text} ${text}`.slice(0, Math.max(min, text.length + 1))
  const max = numberOf(schema.maxLength)
  return max === undefined ? text : text.slice(0, max)
}

/** The first of some likely texts that fits the pattern. A pattern out of the ordinary is not met. */
const fitting = (pattern: string, place: Place): string | null => {
  const word = slug(place.topic).replaceAll('-', '_')
  const likely = [
    word,
    slug(place.topic),
    word.toUpperCase(),
    'a',
    'A',
    '1',
    '12',
    '123',
    '1234',
    '12345',
    'ABC',
    'ABC-123',
    'a1',
    '2026-11-20',
    '1.0.0',
    'https://example.com/',
    '+15550100',
    '#336699',
    '',
  ]
  try {
    const expression = new RegExp(pattern, 'u')
    return likely.find((text) => expression.test(text)) ?? null
  } catch {
    return null
  }
}

const number = (schema: JsonObject, place: Place, whole: boolean): number => {
  const step = numberOf(schema.multipleOf) ?? (whole ? 1 : 0.01)
  const above = numberOf(schema.exclusiveMinimum)
  const below = numberOf(schema.exclusiveMaximum)
  const min = numberOf(schema.minimum) ?? (above === undefined ? undefined : above + step)
  const max = numberOf(schema.maximum) ?? (below === undefined ? undefined : below - step)
  // three quarters up the range: a score reads well there, and stays clear of both ends
  const raw = min !== undefined && max !== undefined ? min + (max - min) * 0.75 : (min ?? max ?? 1 + (place.seed % 5))
  const snapped = Number((Math.round(raw / step) * step).toFixed(6))
  if (min !== undefined && snapped < min) return Number((Math.ceil(min / step) * step).toFixed(6))
  if (max !== undefined && snapped > max) return Number((Math.floor(max / step) * step).toFixed(6))
  return snapped
}

const array = (schema: JsonObject, place: Place): Json[] => {
  const first = Array.isArray(schema.prefixItems) ? schema.prefixItems : []
  const min = numberOf(schema.minItems) ?? 0
  const max = numberOf(schema.maxItems) ?? Number.POSITIVE_INFINITY
  const count = place.depth > MAX_DEPTH ? min : Math.min(max, Math.max(min, first.length, 3))
  return Array.from({ length: count }, (_, index) => {
    const each = first[index] ?? schema.items ?? {}
    return value(isObject(each) ? each : {}, {
      ...place,
      depth: place.depth + 1,
      listed: true,
      index,
      seed: place.seed + index,
    })
  })
}

const object = (schema: JsonObject, place: Place): JsonObject => {
  const required = Array.isArray(schema.required) ? schema.required : []
  const made: JsonObject = {}
  for (const [name, each] of Object.entries(isObject(schema.properties) ? schema.properties : {})) {
    // deep down only what must be there: a schema may refer to itself
    if (place.depth > MAX_DEPTH && !required.includes(name)) continue
    made[name] = value(isObject(each) ? each : {}, {
      ...place,
      name,
      listed: false,
      depth: place.depth + 1,
      seed: place.seed + name.length,
    })
  }
  for (const name of required)
    if (typeof name === 'string' && !(name in made)) {
      const extra = isObject(schema.additionalProperties) ? schema.additionalProperties : {}
      made[name] = value(extra, { ...place, name, listed: false, depth: place.depth + 1 })
    }
  return made
}

const typeOf = (schema: JsonObject): string => {
  if (typeof schema.type === 'string') return schema.type
  if (Array.isArray(schema.type)) return String(schema.type.find((one) => one !== 'null') ?? 'null')
  if (schema.properties || schema.required || schema.additionalProperties) return 'object'
  if (schema.items || schema.prefixItems) return 'array'
  return ['minimum', 'maximum', 'multipleOf'].some((word) => word in schema) ? 'number' : 'string'
}

const merged = (schema: JsonObject, others: readonly Json[], root: JsonObject): JsonObject => {
  let all = schema
  for (const other of others) {
    if (!isObject(other)) continue
    const each = resolve(other, root)
    all = {
      ...all,
      ...each,
      properties: {
        ...(isObject(all.properties) ? all.properties : {}),
        ...(isObject(each.properties) ? each.properties : {}),
      },
      required: [
        ...(Array.isArray(all.required) ? all.required : []),
        ...(Array.isArray(each.required) ? each.required : []),
      ],
    }
  }
  return all
}

const value = (given: JsonObject, place: Place): Json => {
  const schema = withHints(resolve(given, place.root))
  if (schema.const !== undefined) return schema.const
  if (Array.isArray(schema.enum)) return pick(schema.enum, place.seed, null)
  if (schema.default !== undefined) return schema.default
  if (Array.isArray(schema.examples) && schema.examples.length > 0) return schema.examples[0] ?? null
  const { anyOf, oneOf, allOf, ...own } = schema
  const choice = Array.isArray(anyOf) ? anyOf[0] : Array.isArray(oneOf) ? oneOf[0] : undefined
  if (choice !== undefined) return value(merged(own, [choice], place.root), { ...place, depth: place.depth + 1 })
  if (Array.isArray(allOf)) return value(merged(own, allOf, place.root), { ...place, depth: place.depth + 1 })
  switch (typeOf(schema)) {
    case 'object':
      return object(schema, place)
    case 'array':
      return array(schema, place)
    case 'integer':
      return number(schema, place, true)
    case 'number':
      return number(schema, place, false)
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return string(schema, place)
  }
}

/** A value that fits the schema; patterns out of the ordinary and `not` are not met. */
export const generate = (schema: JsonObject, flavour: Flavour): Json =>
  value(schema, { ...flavour, root: schema, name: '', depth: 0, listed: false, index: 0 })
