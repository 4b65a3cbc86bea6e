// Reads the text of an expression into a tree, with messages a tired person understands.
import { type ASTNode, Environment, ParseError } from '@marcbachmann/cel-js'
import { clip } from './scan.ts'

/**
 * Only the parser of cel-js is used. Its evaluator has no bound on what an expression costs, keeps ints and
 * doubles apart, and reads members its own way; `evaluate.ts` walks the tree instead.
 */
const parser = new Environment({
  unlistedVariablesAreDyn: true,
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: 2_000, maxDepth: 64, maxListElements: 1_000, maxMapEntries: 1_000, maxCallArguments: 32 },
})

/** Longer texts are refused unread: the parser calls itself once per sign of `!!!!…`. */
const MAX_CODE = 5_000

const TOKENS: readonly (readonly [string, string])[] = [
  ['EOF', 'the end'],
  ['LPAREN', '('],
  ['RPAREN', ')'],
  ['LBRACKET', '['],
  ['RBRACKET', ']'],
  ['LBRACE', '{'],
  ['RBRACE', '}'],
  ['IDENTIFIER', 'a name'],
  ['QUESTION', '?'],
  ['COLON', ':'],
  ['COMMA', ','],
  ['DOT', '.'],
  ['NUMBER', 'a number'],
  ['STRING', 'text'],
]

/** What people write who come from another language, and what to write here. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/[^=!<>]={1}[^=]|===/, 'equality is =='],
  [/\band\b|\bor\b|\bnot\b/, 'write &&, || and !'],
  [/\?\?/, 'write coalesce(a, b)'],
  [/\?\./, 'write `.`: a member of null is null'],
  [/=>/, 'write list.map(x, …) and list.filter(x, …)'],
  [/`/, 'text stands in \'…\' or "…"'],
]

/** The parser's sentences in plainer words. */
const PLAINER: readonly (readonly [RegExp, string])[] = [
  [/^Unexpected token: the end$/, 'something is missing'],
  [/^Unexpected (?:token|character): (.*)$/s, '$1 cannot stand there'],
  [/^Expected (.*), got the end$/s, '$1 is missing'],
  [/^Expected (.*), got (.*)$/s, '$1 is missing before $2'],
  [/^Reserved identifier: (.*)$/, '$1 is a reserved word'],
  [/^Invalid (.*)$/s, 'not a valid $1'],
  [/^Exceeded \w+ \((\d+)\)$/, 'it is too long or nested too deeply'],
]

const explain = (error: ParseError, code: string): string => {
  let message = error.summary
  for (const [token, words] of TOKENS) message = message.replaceAll(new RegExp(`\\b${token}\\b`, 'g'), words)
  for (const [pattern, words] of PLAINER) message = message.replace(pattern, words)
  const at = error.range?.start
  const where = at === undefined ? '' : at >= code.length ? ' at its end' : ` at character ${at + 1}`
  const hint = HINTS.find(([pattern]) => pattern.test(code))
  return `\`${clip(code)}\` cannot be read: ${message}${where}${hint ? ` (${hint[1]})` : ''}`
}

/** The tree of an expression, or why it is none. */
export const parse = (code: string): { ok: true; tree: ASTNode } | { ok: false; message: string } => {
  if (code.length > MAX_CODE) return { ok: false, message: `\`${clip(code)}\` is over ${MAX_CODE} characters` }
  try {
    return { ok: true, tree: parser.parse(code).ast }
  } catch (error) {
    if (error instanceof ParseError) return { ok: false, message: explain(error, code) }
    if (error instanceof RangeError) return { ok: false, message: `\`${clip(code)}\` is nested too deeply` }
    throw error
  }
}
