// calculator: arithmetic for models, by a small parser of its own: nothing of the text is ever run as code.
import { defineTool, ToolError } from 'stepfleet'
import { z } from 'zod'

const MAX_DEPTH = 100

/** @param {string} text */
const tokensOf = (text) => {
  const tokens = text.match(/\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+|\*\*|[-+*/%^()]|\S/g) ?? []
  const wrong = tokens.find((token) => !/^(?:[\d.]|\*\*$|[-+*/%^()]$)/.test(token) || token === '.')
  if (wrong !== undefined) throw new ToolError(`${wrong} is no part of arithmetic`, { class: 'permanent' })
  return tokens
}

/**
 * Grammar, binding tighter downwards:
 *   sum := product (("+" | "-") product)*
 *   product := signed (("*" | "/" | "%") signed)*
 *   signed := ("-" | "+") signed | power
 *   power := atom (("^" | "**") signed)?          right to left, so 2^3^2 is 512 and -2^2 is -4
 *   atom := number | "(" sum ")"
 * @param {string} expression
 * @returns {number}
 */
export const calculate = (expression) => {
  const tokens = tokensOf(expression)
  let at = 0
  let depth = 0

  /** @param {...string} wanted */
  const take = (...wanted) => (wanted.includes(tokens[at] ?? '') ? tokens[at++] : null)
  /** @param {string} what */
  const refuse = (what) => {
    throw new ToolError(`${what} at ${tokens[at] ?? 'the end'}`, { class: 'permanent' })
  }

  /** @type {() => number} */
  const atom = () => {
    if (take('(')) {
      const value = sum()
      return take(')') ? value : refuse('a ) is missing')
    }
    const token = tokens[at] ?? ''
    if (!/^[\d.]/.test(token)) return refuse('a number is missing')
    at += 1
    return Number(token)
  }
  const power = () => {
    const base = atom()
    return take('^', '**') ? base ** signed() : base
  }
  /** @type {() => number} */
  const signed = () => {
    depth += 1
    if (depth > MAX_DEPTH) refuse('nested too deep')
    const sign = take('-', '+')
    const value = sign ? signed() : power()
    depth -= 1
    return sign === '-' ? -value : value
  }
  const product = () => {
    let value = signed()
    for (let sign = take('*', '/', '%'); sign; sign = take('*', '/', '%')) {
      const right = signed()
      if (sign !== '*' && right === 0) refuse('division by zero')
      value = sign === '*' ? value * right : sign === '/' ? value / right : value % right
    }
    return value
  }
  /** @type {() => number} */
  const sum = () => {
    let value = product()
    for (let sign = take('+', '-'); sign; sign = take('+', '-')) {
      const right = product()
      value = sign === '+' ? value + right : value - right
    }
    return value
  }

  const value = sum()
  if (at < tokens.length) refuse('an operator is missing')
  if (!Number.isFinite(value)) refuse('the result is too large')
  return value
}

export const calculator = defineTool({
  name: 'calculator',
  description: 'Works out an arithmetic expression with + - * / % ^ and brackets, for example (3 + 4) * 2^10.',
  input: z.strictObject({ expression: z.string().min(1).max(1_000) }),
  output: z.object({ value: z.number() }),
  effect: 'read',
  timeout: '5s',
  run: ({ expression }) => ({ value: calculate(expression) }),
})
