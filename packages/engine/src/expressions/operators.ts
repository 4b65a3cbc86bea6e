// Operators of expressions.
import type { Json } from '@stepfleet/contracts'
import type { Evaluate, Frame } from './build.ts'
import { type Arithmetic, arithmetic } from './numbers.ts'
import { charge, chargeText, compare, ExpressionError, equals, isMap, kindOf, type Meter } from './values.ts'

type BinaryOperator = '==' | '!=' | 'in' | '<' | '<=' | '>' | '>=' | Arithmetic
type Binary = (a: Json, b: Json, meter: Meter) => Json

const refuse = (operator: string, a: Json, b: Json): ExpressionError => {
  const texts = operator === '+' && (typeof a === 'string' || typeof b === 'string')
  const advice = texts ? '; text joins with text: string(…) makes it' : ''
  return new ExpressionError(`\`${operator}\` does not work on ${kindOf(a)} and ${kindOf(b)}${advice}`)
}

const add: Binary = (a, b, meter) => {
  if (typeof a === 'number' && typeof b === 'number') return arithmetic('+', a, b)
  if (typeof a === 'string' && typeof b === 'string') {
    chargeText(meter, a.length + b.length)
    return a + b
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    charge(meter, a.length + b.length)
    return [...a, ...b]
  }
  throw refuse('+', a, b)
}

const onNumbers =
  (operator: Arithmetic): Binary =>
  (a, b) => {
    if (typeof a !== 'number' || typeof b !== 'number') throw refuse(operator, a, b)
    return arithmetic(operator, a, b)
  }

const within: Binary = (a, b, meter) => {
  if (Array.isArray(b)) return b.some((item) => equals(a, item, meter))
  if (isMap(b)) return typeof a === 'string' && Object.hasOwn(b, a)
  throw new ExpressionError(`\`in\` looks into a list or the keys of a map, not into ${kindOf(b)}`)
}

const BINARY: Readonly<Record<BinaryOperator, Binary>> = {
  '+': add,
  '-': onNumbers('-'),
  '*': onNumbers('*'),
  '/': onNumbers('/'),
  '%': onNumbers('%'),
  '==': (a, b, meter) => equals(a, b, meter),
  '!=': (a, b, meter) => !equals(a, b, meter),
  '<': (a, b) => compare(a, b) < 0,
  '<=': (a, b) => compare(a, b) <= 0,
  '>': (a, b) => compare(a, b) > 0,
  '>=': (a, b) => compare(a, b) >= 0,
  in: within,
}

export const binary = (operator: BinaryOperator, left: Evaluate, right: Evaluate): Evaluate => {
  const apply = BINARY[operator]
  return (frame) => {
    charge(frame, 1)
    return apply(left(frame), right(frame), frame)
  }
}

export const negate =
  (operand: Evaluate): Evaluate =>
  (frame) => {
    charge(frame, 1)
    const value = operand(frame)
    if (typeof value !== 'number') throw new ExpressionError(`\`-\` does not work on ${kindOf(value)}`)
    return 0 - value
  }

/** The value as true or false; anything else is an error, so that a null never decides silently. */
export const truth = (value: Json, where: string): boolean => {
  if (typeof value !== 'boolean') throw new ExpressionError(`${where} must be true or false, got ${kindOf(value)}`)
  return value
}

export const not =
  (operand: Evaluate): Evaluate =>
  (frame) => {
    charge(frame, 1)
    return !truth(operand(frame), 'what follows `!`')
  }

export const ternary =
  (condition: Evaluate, then: Evaluate, otherwise: Evaluate): Evaluate =>
  (frame) => {
    charge(frame, 1)
    return truth(condition(frame), 'what stands before `?`') ? then(frame) : otherwise(frame)
  }

/** What a side came to: its truth, or why it has none. Reached limits are thrown on. */
const attempt = (side: Evaluate, frame: Frame, operator: string): boolean | ExpressionError => {
  try {
    return truth(side(frame), `a side of \`${operator}\``)
  } catch (error) {
    if (error instanceof ExpressionError && !error.limit) return error
    throw error
  }
}

/**
 * `&&` and `||`. As in CEL either side may decide alone: an error of the left side is forgiven when the right
 * side settles it.
 */
export const logical = (operator: '&&' | '||', left: Evaluate, right: Evaluate): Evaluate => {
  const deciding = operator === '||'
  return (frame) => {
    charge(frame, 1)
    const first = attempt(left, frame, operator)
    if (first === deciding) return deciding
    if (truth(right(frame), `a side of \`${operator}\``) === deciding) return deciding
    if (first instanceof ExpressionError) throw first
    return !deciding
  }
}
