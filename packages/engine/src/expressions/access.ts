// Members and indexes: only what a value owns can be read, and a member of null is null.
import type { Json } from '@stepfleet/contracts'
import { clip } from './scan.ts'
import { ExpressionError, hint, isMap, kindOf } from './values.ts'

/** Own keys only: `constructor`, `__proto__` and other heirlooms do not exist for expressions. */
const own = (value: Json, key: Json): Json | undefined => {
  if (Array.isArray(value)) return typeof key === 'number' ? value[key] : undefined
  if (!isMap(value) || typeof key !== 'string') return undefined
  return Object.hasOwn(value, key) ? value[key] : undefined
}

const indexError = (value: Json[], key: Json, place: string): ExpressionError => {
  if (typeof key !== 'number')
    return new ExpressionError(`\`${place}\` is a list: its index is a number, not ${kindOf(key)}`)
  if (!Number.isInteger(key)) return new ExpressionError(`\`${place}\` is a list: ${key} is no whole number`)
  const items = value.length === 1 ? '1 item' : `${value.length} items`
  return new ExpressionError(`\`${place}\` has ${items}: no index ${key} (they count from 0)`)
}

const memberError = (value: Json, key: Json, place: string): ExpressionError => {
  if (Array.isArray(value)) return indexError(value, key, place)
  if (!isMap(value)) return new ExpressionError(`\`${place}\` is ${kindOf(value)}: it has no members`)
  if (typeof key !== 'string')
    return new ExpressionError(`\`${place}\` is a map: its keys are text, not ${kindOf(key)}`)
  return new ExpressionError(`\`${place}\` has no \`${clip(key)}\`${hint(key, Object.keys(value))}`)
}

/**
 * `value.key` or `value[key]`. A member of null is null. A key that a map does not have is an error that names
 * the nearest key, so that a typo is never a silent null; `has()` asks first. `place` is how the value was written.
 */
export const member = (value: Json, key: Json, place: string): Json => {
  if (value === null) return null
  const found = own(value, key)
  if (found === undefined) throw memberError(value, key, place)
  return found
}

/** `member` on the way to a `has()`: what is not there is null. */
export const memberOrNull = (value: Json, key: Json): Json => own(value, key) ?? null

/** `has(value.key)`: true when the key or index is there, even when it holds null. */
export const hasMember = (value: Json, key: Json): boolean => own(value, key) !== undefined
