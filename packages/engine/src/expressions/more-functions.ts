// More of the function library: parts of texts, maps, times, encodings. As in functions.ts, what is read is paid for.
import { type Json, parseDurationMs } from '@stepfleet/contracts'
import { sha256 } from './sha256.ts'
import { utf8 } from './utf8.ts'
import { charge, chargeText, ExpressionError, isMap, type JsonMap, kindOf, type Meter } from './values.ts'

export interface Builtin {
  /** How it is written, for messages. */
  usage: string
  min: number
  max: number
  run(args: readonly Json[], meter: Meter): Json
}

const wrong = (name: string, wanted: string, got: Json | undefined): ExpressionError =>
  new ExpressionError(`${name}() takes ${wanted}, got ${kindOf(got ?? null)}`)

const textAt = (name: string, args: readonly Json[], at: number, meter: Meter): string => {
  const value = args[at]
  if (typeof value !== 'string') throw wrong(name, 'text', value)
  chargeText(meter, value.length)
  return value
}
const numberAt = (name: string, args: readonly Json[], at: number): number => {
  const value = args[at]
  if (typeof value !== 'number') throw wrong(name, 'a number', value)
  return value
}

/** Characters from one place up to another, counted from 0; a negative place counts from the end. */
const substring = (args: readonly Json[], meter: Meter): Json => {
  const value = textAt('substring', args, 0, meter)
  const from = Math.trunc(numberAt('substring', args, 1))
  const to = args.length > 2 ? Math.trunc(numberAt('substring', args, 2)) : undefined
  return [...value].slice(from, to).join('')
}

const reverse = (args: readonly Json[], meter: Meter): Json => {
  const [value] = args
  if (typeof value === 'string') return [...textAt('reverse', args, 0, meter)].reverse().join('')
  if (!Array.isArray(value)) throw wrong('reverse', 'text or a list', value)
  charge(meter, value.length)
  return value.toReversed()
}

/** Later maps go before earlier ones; null counts as an empty map. */
const merge = (args: readonly Json[], meter: Meter): Json => {
  const merged: JsonMap = {}
  for (const value of args) {
    if (value === null) continue
    if (!isMap(value)) throw wrong('merge', 'maps', value)
    charge(meter, Object.keys(value).length)
    for (const [key, one] of Object.entries(value)) merged[key] = one
  }
  return merged
}

/** With its zone: a time without one would be the engine's local time. */
const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})$/

const timestamp = (args: readonly Json[], meter: Meter): Json => {
  const value = textAt('timestamp', args, 0, meter)
  const ms = value.length < 64 && RFC_3339.test(value) ? Date.parse(value) : Number.NaN
  if (Number.isNaN(ms))
    throw new ExpressionError(
      `timestamp() takes a time such as 2030-01-31T12:00:00Z, got ${JSON.stringify(value.slice(0, 64))}`,
    )
  return ms
}

const duration = (args: readonly Json[], meter: Meter): Json => {
  const value = textAt('duration', args, 0, meter)
  const ms = parseDurationMs(value)
  if (ms === null)
    throw new ExpressionError(
      `duration() takes a duration such as 10m, at most 90d, got ${JSON.stringify(value.slice(0, 64))}`,
    )
  return ms
}

/** The last moment that a date can hold. */
const LAST_MS = 8.64e15
const formatTime = (args: readonly Json[]): Json => {
  const ms = numberAt('formatTime', args, 0)
  if (!(Math.abs(ms) <= LAST_MS)) throw new ExpressionError('formatTime() was given a number that is no time')
  return new Date(ms).toISOString()
}

const hash = (args: readonly Json[], meter: Meter): Json => {
  const value = textAt('sha256', args, 0, meter)
  // 64 rounds for each 64 bytes: about an operation per character
  charge(meter, value.length / 8)
  return sha256(value)
}

const KEPT = /^[A-Za-z0-9_.~-]$/
/** As `encodeURIComponent`, but also `!'()*`: RFC 3986. Half of a surrogate pair becomes the replacement character. */
const urlEncode = (args: readonly Json[], meter: Meter): Json => {
  const value = textAt('urlEncode', args, 0, meter)
  chargeText(meter, value.length * 3)
  let encoded = ''
  for (const character of value) {
    if (KEPT.test(character)) encoded += character
    else for (const byte of utf8(character)) encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}

const entry = (usage: string, min: number, max: number, run: Builtin['run']): Builtin => ({ usage, min, max, run })

export const MORE_BUILTINS: readonly (readonly [string, Builtin])[] = [
  ['substring', entry('substring(text, from, to)', 2, 3, substring)],
  ['reverse', entry('reverse(text or list)', 1, 1, reverse)],
  ['merge', entry('merge(map, map, …)', 1, 32, merge)],
  ['timestamp', entry('timestamp(text)', 1, 1, timestamp)],
  ['duration', entry('duration(text)', 1, 1, duration)],
  ['formatTime', entry('formatTime(number)', 1, 1, formatTime)],
  ['sha256', entry('sha256(text)', 1, 1, hash)],
  ['urlEncode', entry('urlEncode(text)', 1, 1, urlEncode)],
]
