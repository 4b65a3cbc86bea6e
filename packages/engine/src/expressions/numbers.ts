// Numbers in expressions: JSON numbers only, so whole and broken numbers mix everywhere.
import type { Json } from '@stepfleet/contracts'
import { ExpressionError, kindOf } from './values.ts'

export type Arithmetic = '+' | '-' | '*' | '/' | '%'

const calculate = (operator: Arithmetic, a: number, b: number): number => {
  switch (operator) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      if (b === 0) throw new ExpressionError('division by zero')
      return a / b
    case '%':
      if (b === 0) throw new ExpressionError('division by zero')
      return a % b
  }
}

/** A result that JSON can carry: finite, and never minus zero. */
export const finite = (value: number): number => {
  if (!Number.isFinite(value)) throw new ExpressionError('the result is too large for a number')
  return value + 0
}

/**
 * Arithmetic on JSON numbers. Unlike CEL's ints, `5 / 2` is 2.5: a JSON number does not say whether it is an
 * int, and the result must not hang on whether an input was written `5` or `5.0`; `int(5 / 2)` cuts. `%` has the
 * sign of its left side. Whole numbers whose result is not exact any more (beyond 2^53) are an error.
 */
export const arithmetic = (operator: Arithmetic, a: number, b: number): number => {
  const result = finite(calculate(operator, a, b))
  const inexact = operator !== '/' && !Number.isSafeInteger(result)
  if (inexact && Number.isSafeInteger(a) && Number.isSafeInteger(b)) {
    throw new ExpressionError('the result is a whole number beyond 2^53, which JSON cannot carry exactly')
  }
  return result
}

const WHOLE = /^[+-]?\d+$/
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/

const safe = (value: number): number => {
  if (!Number.isSafeInteger(value)) throw new ExpressionError('int() result is beyond 2^53')
  return value + 0
}

/** `int(x)`: cuts a number, reads a text of digits. */
export const toInt = (value: Json): number => {
  if (typeof value === 'number') return safe(Math.trunc(value))
  if (typeof value === 'string' && WHOLE.test(value)) return safe(Number(value))
  throw new ExpressionError(`int() cannot read ${typeof value === 'string' ? 'this text' : kindOf(value)}`)
}

/** `double(x)`: a number as it is, a text as a decimal number. */
export const toDouble = (value: Json): number => {
  if (typeof value === 'number') return value
  if (typeof value === 'string' && DECIMAL.test(value)) return finite(Number(value))
  throw new ExpressionError(`double() cannot read ${typeof value === 'string' ? 'this text' : kindOf(value)}`)
}
