// The function library of expressions. Each is callable as `f(x, …)` and as `x.f(…)`.
import type { Json } from '@stepfleet/contracts'
import { canonicalJson } from '../definition/canonical.ts'
import { type Builtin, MORE_BUILTINS } from './more-functions.ts'
import { arithmetic, finite, toDouble, toInt } from './numbers.ts'
import {
  charge,
  chargedText,
  chargeText,
  compare,
  ExpressionError,
  equals,
  isMap,
  type JsonMap,
  jsonSize,
  kindOf,
  type Meter,
} from './values.ts'

const argument = (args: readonly Json[], at: number): Json => args[at] ?? null
const wrong = (name: string, wanted: string, got: Json): ExpressionError =>
  new ExpressionError(`${name}() takes ${wanted}, got ${kindOf(got)}`)

const text = (name: string, value: Json): string => {
  if (typeof value !== 'string') throw wrong(name, 'text', value)
  return value
}
const list = (name: string, value: Json, meter: Meter): Json[] => {
  if (!Array.isArray(value)) throw wrong(name, 'a list', value)
  charge(meter, value.length)
  return value
}
const map = (name: string, value: Json, meter: Meter): JsonMap => {
  if (!isMap(value)) throw wrong(name, 'a map', value)
  charge(meter, Object.keys(value).length)
  return value
}
const number = (name: string, value: Json): number => {
  if (typeof value !== 'number') throw wrong(name, 'a number', value)
  return value
}
const numbers = (name: string, args: readonly Json[], meter: Meter): number[] => {
  const [first = null] = args
  const all = args.length === 1 && Array.isArray(first) ? list(name, first, meter) : args
  return all.map((value) => number(name, value))
}

/** A text made from a text: what it reads is charged before, so that no work is free. */
const onText = (name: string, run: (value: string) => string): Builtin => ({
  usage: `${name}(text)`,
  min: 1,
  max: 1,
  run: (args, meter) => {
    const value = text(name, argument(args, 0))
    chargeText(meter, value.length)
    return run(value)
  },
})

const textTest = (name: string, run: (value: string, part: string) => boolean): Builtin => ({
  usage: `${name}(text, part)`,
  min: 2,
  max: 2,
  run: (args, meter) => {
    const value = text(name, argument(args, 0))
    chargeText(meter, value.length)
    return run(value, text(name, argument(args, 1)))
  },
})

const onNumber = (name: string, run: (value: number) => number): Builtin => ({
  usage: `${name}(number)`,
  min: 1,
  max: 1,
  run: (args) => finite(run(number(name, argument(args, 0)))),
})

const size = (args: readonly Json[], meter: Meter): Json => {
  const value = argument(args, 0)
  if (Array.isArray(value)) return value.length
  if (isMap(value)) return Object.keys(map('size', value, meter)).length
  const characters = text('size', value)
  chargeText(meter, characters.length)
  return [...characters].length
}

const contains = (args: readonly Json[], meter: Meter): Json => {
  const whole = argument(args, 0)
  const part = argument(args, 1)
  if (Array.isArray(whole)) return whole.some((item) => equals(item, part, meter))
  if (typeof whole !== 'string') throw wrong('contains', 'text or a list', whole)
  chargeText(meter, whole.length)
  return whole.includes(text('contains', part))
}

const join = (args: readonly Json[], meter: Meter): Json => {
  const separator = args.length > 1 ? text('join', argument(args, 1)) : ''
  const items = list('join', argument(args, 0), meter)
  chargeText(meter, items.length * separator.length)
  return items.map((item) => chargedText(item, meter)).join(separator)
}

const split = (args: readonly Json[], meter: Meter): Json => {
  const value = text('split', argument(args, 0))
  const separator = text('split', argument(args, 1))
  chargeText(meter, value.length)
  const parts = separator === '' ? [...value] : value.split(separator)
  charge(meter, parts.length)
  return parts
}

const replace = (args: readonly Json[], meter: Meter): Json => {
  const value = text('replace', argument(args, 0))
  const from = text('replace', argument(args, 1))
  const to = text('replace', argument(args, 2))
  if (from === '') throw new ExpressionError('replace() cannot replace an empty text')
  chargeText(meter, value.length)
  const parts = value.split(from)
  chargeText(meter, value.length + (parts.length - 1) * to.length)
  return parts.join(to)
}

const flatten = (args: readonly Json[], meter: Meter): Json => {
  const flat: Json[] = []
  for (const item of list('flatten', argument(args, 0), meter)) {
    if (!Array.isArray(item)) flat.push(item)
    else for (const inner of list('flatten', item, meter)) flat.push(inner)
  }
  return flat
}

const distinct = (args: readonly Json[], meter: Meter): Json => {
  const seen = new Set<string>()
  return list('distinct', argument(args, 0), meter).filter((item) => {
    chargeText(meter, jsonSize(item, meter))
    const key = canonicalJson(item)
    return seen.has(key) ? false : seen.add(key)
  })
}

const sort = (args: readonly Json[], meter: Meter): Json => {
  const items = list('sort', argument(args, 0), meter)
  charge(meter, items.length * Math.log2(items.length + 1))
  const [first] = items
  // one item would never be compared, and [null] must not pass where [null, 1] fails
  if (first !== undefined) for (const item of items) compare(first, item)
  return items.toSorted(compare)
}

const slice = (args: readonly Json[], meter: Meter): Json => {
  const value = argument(args, 0)
  const from = toInt(number('slice', argument(args, 1)))
  const to = args.length > 2 ? toInt(number('slice', argument(args, 2))) : undefined
  if (Array.isArray(value)) return list('slice', value, meter).slice(from, to)
  if (typeof value !== 'string') throw wrong('slice', 'text or a list', value)
  chargeText(meter, value.length)
  return [...value].slice(from, to).join('')
}

const parseJson = (args: readonly Json[], meter: Meter): Json => {
  const value = text('parseJson', argument(args, 0))
  // parsing makes up to one value per two characters
  charge(meter, value.length / 64)
  chargeText(meter, value.length)
  try {
    const parsed: Json = JSON.parse(value)
    return parsed
  } catch {
    throw new ExpressionError('parseJson() was given text that is not JSON')
  }
}

const toBool = (args: readonly Json[]): Json => {
  const value = argument(args, 0)
  if (typeof value === 'boolean') return value
  if (value === 'true' || value === 'false') return value === 'true'
  throw new ExpressionError(`bool() takes true, false or their text, got ${kindOf(value)}`)
}

const extreme = (name: string, better: (a: number, b: number) => boolean): Builtin => ({
  usage: `${name}(list) or ${name}(number, number, …)`,
  min: 1,
  max: 32,
  run: (args, meter) => {
    const all = numbers(name, args, meter)
    let best = all[0]
    if (best === undefined) throw new ExpressionError(`${name}() of an empty list`)
    for (const value of all) if (better(value, best)) best = value
    return best
  },
})

const entry = (usage: string, min: number, max: number, run: Builtin['run']): Builtin => ({ usage, min, max, run })

/** Name → function. A Map, so that `constructor` and its kind are no functions. */
export const BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ['size', entry('size(text, list or map)', 1, 1, size)],
  ['string', entry('string(value)', 1, 1, (args, meter) => chargedText(argument(args, 0), meter))],
  ['int', entry('int(value)', 1, 1, (args) => toInt(argument(args, 0)))],
  ['double', entry('double(value)', 1, 1, (args) => toDouble(argument(args, 0)))],
  ['bool', entry('bool(value)', 1, 1, toBool)],
  ['contains', entry('contains(text or list, part)', 2, 2, contains)],
  ['startsWith', textTest('startsWith', (value, part) => value.startsWith(part))],
  ['endsWith', textTest('endsWith', (value, part) => value.endsWith(part))],
  ['lower', onText('lower', (value) => value.toLowerCase())],
  ['upper', onText('upper', (value) => value.toUpperCase())],
  ['trim', onText('trim', (value) => value.trim())],
  ['replace', entry('replace(text, from, to)', 3, 3, replace)],
  ['split', entry('split(text, separator)', 2, 2, split)],
  ['join', entry('join(list, separator)', 1, 2, join)],
  ['slice', entry('slice(text or list, from, to)', 2, 3, slice)],
  ['first', entry('first(list)', 1, 1, (args, meter) => list('first', argument(args, 0), meter)[0] ?? null)],
  ['last', entry('last(list)', 1, 1, (args, meter) => list('last', argument(args, 0), meter).at(-1) ?? null)],
  ['flatten', entry('flatten(list)', 1, 1, flatten)],
  ['distinct', entry('distinct(list)', 1, 1, distinct)],
  ['sort', entry('sort(list)', 1, 1, sort)],
  ['keys', entry('keys(map)', 1, 1, (args, meter) => Object.keys(map('keys', argument(args, 0), meter)))],
  ['values', entry('values(map)', 1, 1, (args, meter) => Object.values(map('values', argument(args, 0), meter)))],
  ['json', entry('json(value)', 1, 1, (args, meter) => jsonText(argument(args, 0), meter))],
  ['parseJson', entry('parseJson(text)', 1, 1, parseJson)],
  ['coalesce', entry('coalesce(value, …)', 1, 32, (args) => args.find((value) => value !== null) ?? null)],
  ['sum', entry('sum(list)', 1, 32, (args, meter) => total(numbers('sum', args, meter)))],
  ['min', extreme('min', (a, b) => a < b)],
  ['max', extreme('max', (a, b) => a > b)],
  ['abs', onNumber('abs', Math.abs)],
  ['round', onNumber('round', Math.round)],
  ['floor', onNumber('floor', Math.floor)],
  ['ceil', onNumber('ceil', Math.ceil)],
  ...MORE_BUILTINS,
])

const total = (values: readonly number[]): number => values.reduce((sum, value) => arithmetic('+', sum, value), 0)

const jsonText = (value: Json, meter: Meter): string => {
  chargeText(meter, jsonSize(value, meter))
  return JSON.stringify(value)
}
