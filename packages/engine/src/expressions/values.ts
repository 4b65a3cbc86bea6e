// JSON values in expressions: kinds, equality, order, text, and what working on them costs.
import { type Json, LIMITS, nearest } from '@stepfleet/contracts'

/** What an expression throws when it cannot go on. Caught where a template is rendered, never seen outside. */
export class ExpressionError extends Error {
  /** True when a limit was reached: `||` and `&&` forgive other errors, never this one. */
  readonly limit: boolean
  constructor(message: string, limit = false) {
    super(message)
    this.limit = limit
  }
}

/** What is left of the cost of one expression. */
export interface Meter {
  left: number
}

export const charge = (meter: Meter, cost: number): void => {
  meter.left -= cost
  if (meter.left < 0) throw new ExpressionError(`it takes more than ${LIMITS.expressionCost} operations`, true)
}

/** Text costs by its length: what one expression may copy altogether is about 25 million characters. */
const CHARS_PER_COST = 256

/** Charges for a text about to be made, and refuses one over the payload limit before it is made. */
export const chargeText = (meter: Meter, length: number): void => {
  if (length > LIMITS.payloadBytes) throw new ExpressionError('its text is over 16 MiB', true)
  charge(meter, 1 + length / CHARS_PER_COST)
}

export type JsonMap = { [key: string]: Json }
export const isMap = (value: Json): value is JsonMap =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** The kind of a value in words, for messages. */
export const kindOf = (value: Json): string => {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  switch (typeof value) {
    case 'string':
      return 'text'
    case 'number':
      return 'a number'
    case 'boolean':
      return 'true or false'
    default:
      return 'a map'
  }
}

/** The `; did you mean …` of a message, empty when no name is near. */
export const hint = (wrong: string, names: Iterable<string>): string => {
  const near = nearest(wrong, names)
  return near === null ? '' : `; did you mean \`${near}\`?`
}

/** Deep equality; values of different kinds are unequal, never an error. */
export const equals = (a: Json, b: Json, meter: Meter): boolean => {
  charge(meter, 1)
  if (a === b) return true
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    return a.every((item, i) => equals(item, b[i] ?? null, meter))
  }
  if (!isMap(a) || !isMap(b)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) => Object.hasOwn(b, key) && equals(a[key] ?? null, b[key] ?? null, meter))
}

/** Below, at or above zero. Numbers compare with numbers, text with text (by UTF-16 code units). */
export const compare = (a: Json, b: Json): number => {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  throw new ExpressionError(`${kindOf(a)} cannot be compared with ${kindOf(b)}`)
}

/** Looking at a value that is already there costs this much per part: 1.6 million parts at most. */
const COST_PER_PART = 1 / 16

/**
 * Characters of the value's JSON text, near enough, given up over the payload limit. A constructed value may
 * name one big part many times, so its size has nothing to do with what it cost to make.
 */
export const jsonSize = (value: Json, meter: Meter): number => {
  let size = 0
  const walk = (part: Json): void => {
    charge(meter, COST_PER_PART)
    if (size > LIMITS.payloadBytes) throw new ExpressionError('its value is over 16 MiB', true)
    size += 2
    if (typeof part === 'string') size += part.length
    else if (Array.isArray(part)) for (const item of part) walk(item)
    else if (part !== null && typeof part === 'object') {
      for (const key of Object.keys(part)) {
        size += key.length + 3
        walk(part[key] ?? null)
      }
    }
  }
  walk(value)
  return size
}

/** A value as part of a text: text as it is, null as nothing, everything else as JSON. */
export const textOf = (value: Json): string => {
  if (typeof value === 'string') return value
  return value === null ? '' : JSON.stringify(value)
}

/** `textOf`, charged to an expression. */
export const chargedText = (value: Json, meter: Meter): string => {
  chargeText(meter, jsonSize(value, meter))
  return textOf(value)
}

/** Keys under which a worker would resolve a secret; see `Template`. */
const MARKERS = ['$secret', '$concat']

/** True when the value has the shape of a secret marker anywhere in it. Such data must never reach a tool. */
export const holdsSecretMarker = (value: Json): boolean => {
  if (Array.isArray(value)) return value.some(holdsSecretMarker)
  if (!isMap(value)) return false
  return Object.keys(value).some((key) => MARKERS.includes(key) || holdsSecretMarker(value[key] ?? null))
}
