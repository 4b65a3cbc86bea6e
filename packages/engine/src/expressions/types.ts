// Types: what an expression certainly gives, as far as schemas tell, and what certainly cannot work. Only definite
// mistakes are reported: what is not known may be anything, and null is taken everywhere until it is evaluated.
import type { ASTNode } from '@marcbachmann/cel-js'
import type { Json } from '@stepfleet/contracts'
import { COMPREHENSIONS } from './comprehensions.ts'
import { chainOf } from './names.ts'
import { parse } from './parse.ts'
import { clip } from './scan.ts'
import { SIGNATURES } from './signatures.ts'
import { isMap } from './values.ts'

export type Kind = 'text' | 'number' | 'boolean' | 'list' | 'map' | 'null' | 'any'

export interface TypeEnvironment {
  /** The JSON Schema of a path such as `['input', 'topic']` or `['steps', 'a', 'output']`; null: not known. */
  schemaOf(path: readonly string[]): Json | null
}

const WORDS: Readonly<Record<Kind, string>> = {
  text: 'text',
  number: 'a number',
  boolean: 'true or false',
  list: 'a list',
  map: 'a map',
  null: 'null',
  any: 'anything',
}

const BY_TYPE: Readonly<Record<string, Kind>> = {
  string: 'text',
  number: 'number',
  integer: 'number',
  boolean: 'boolean',
  array: 'list',
  object: 'map',
}

/** The kind that every value of a schema has; `any` when there are several, or null is among them. */
export const kindOfSchema = (schema: Json | null): Kind => {
  if (schema === null || !isMap(schema)) return 'any'
  if (['oneOf', 'anyOf', 'allOf', '$ref', 'not', 'if'].some((key) => Object.hasOwn(schema, key))) return 'any'
  return typeof schema.type === 'string' ? (BY_TYPE[schema.type] ?? 'any') : 'any'
}

interface Check {
  readonly environment: TypeEnvironment
  /** Variables of comprehensions that can be seen here; they may be anything. */
  readonly locals: readonly string[]
  readonly problems: string[]
}

const written = (node: ASTNode): string => `\`${clip(node.input.slice(node.start, node.end))}\``

/** Reports a part that is certainly none of the wanted kinds. */
const want = (check: Check, node: ASTNode, kinds: readonly Kind[], what: string): Kind => {
  const kind = infer(check, node)
  if (kind === 'any' || kind === 'null' || kinds.includes('any') || kinds.includes(kind)) return kind
  check.problems.push(
    `${what} takes ${kinds.map((one) => WORDS[one]).join(' or ')}; ${written(node)} is ${WORDS[kind]}`,
  )
  return kind
}

const path = (check: Check, chain: readonly string[]): Kind => {
  if (check.locals.includes(chain[0] ?? '')) return 'any'
  return kindOfSchema(check.environment.schemaOf(chain))
}

/** `+` adds numbers, joins texts, and appends lists. */
const add = (check: Check, node: ASTNode, [left, right]: readonly [ASTNode, ASTNode]): Kind => {
  const a = want(check, left, ['number', 'text', 'list'], '`+`')
  const b = want(check, right, ['number', 'text', 'list'], '`+`')
  if (a === 'any' || b === 'any' || a === 'null' || b === 'null' || a === b) return a === 'null' ? b : a
  const known = ['number', 'text', 'list']
  if (known.includes(a) && known.includes(b))
    check.problems.push(`${written(node)} adds ${WORDS[a]} and ${WORDS[b]}; string(…) makes text of a number`)
  return 'any'
}

/** `<` and its kind compare two of one kind. */
const compare = (check: Check, node: ASTNode, [left, right]: readonly [ASTNode, ASTNode]): Kind => {
  const ordered: Kind[] = ['number', 'text', 'boolean']
  const a = want(check, left, ordered, 'a comparison')
  const b = want(check, right, ordered, 'a comparison')
  if (ordered.includes(a) && ordered.includes(b) && a !== b)
    check.problems.push(`${written(node)} compares ${WORDS[a]} with ${WORDS[b]}`)
  return 'boolean'
}

const binary = (check: Check, node: ASTNode, args: readonly [ASTNode, ASTNode]): Kind => {
  switch (node.op) {
    case '+':
      return add(check, node, args)
    case '-':
    case '*':
    case '/':
    case '%':
      for (const one of args) want(check, one, ['number'], `\`${node.op}\``)
      return 'number'
    case '<':
    case '<=':
    case '>':
    case '>=':
      return compare(check, node, args)
    case '&&':
    case '||':
      for (const one of args) want(check, one, ['boolean'], `\`${node.op}\``)
      return 'boolean'
    case 'in':
      infer(check, args[0])
      want(check, args[1], ['list', 'map'], '`in`')
      return 'boolean'
    default:
      for (const one of args) infer(check, one)
      return 'boolean'
  }
}

const call = (check: Check, name: string, args: readonly ASTNode[]): Kind => {
  const signature = SIGNATURES.get(name)
  if (!signature) return 'any'
  for (const [at, arg] of args.entries()) {
    const kinds = signature.takes[at] ?? signature.takes.at(-1) ?? ['any']
    want(check, arg, kinds, `${name}()`)
  }
  return signature.gives
}

const comprehension = (check: Check, name: string, over: ASTNode, [variable, ...bodies]: readonly ASTNode[]): Kind => {
  want(check, over, ['list', 'map'], `${name}()`)
  const local = variable?.op === 'id' ? variable.args : ''
  const inner = { ...check, locals: [...check.locals, local] }
  const conditions = name === 'map' ? bodies.slice(0, -1) : bodies
  for (const body of bodies) {
    if (conditions.includes(body)) want(inner, body, ['boolean'], `the condition of ${name}()`)
    else infer(inner, body)
  }
  return name === 'map' || name === 'filter' ? 'list' : 'boolean'
}

const literal = (value: unknown): Kind => {
  if (value === null) return 'null'
  if (typeof value === 'string') return 'text'
  return typeof value === 'boolean' ? 'boolean' : 'number'
}

const infer = (check: Check, node: ASTNode): Kind => {
  switch (node.op) {
    case 'value':
      return literal(node.args)
    case 'id':
      return path(check, [node.args])
    case '.':
    case '[]': {
      const chain = chainOf(node)
      if (chain) return path(check, chain)
      infer(check, node.args[0])
      return 'any'
    }
    case 'list':
      for (const item of node.args) infer(check, item)
      return 'list'
    case 'map':
      for (const [, value] of node.args) infer(check, value)
      return 'map'
    case 'call':
      return node.args[0] === 'has' ? 'boolean' : call(check, node.args[0], node.args[1])
    case 'rcall': {
      const [name, receiver, args] = node.args
      const loops: readonly string[] = COMPREHENSIONS
      return loops.includes(name) ? comprehension(check, name, receiver, args) : call(check, name, [receiver, ...args])
    }
    case '?:': {
      want(check, node.args[0], ['boolean'], 'a condition')
      const [, yes, no] = node.args
      const [a, b] = [infer(check, yes), infer(check, no)]
      return a === b ? a : 'any'
    }
    case '!_':
      want(check, node.args, ['boolean'], '`!`')
      return 'boolean'
    case '-_':
      want(check, node.args, ['number'], '`-`')
      return 'number'
    case '.?':
    case '[?]':
      return 'any'
    default:
      return binary(check, node, node.args)
  }
}

/**
 * What is certainly wrong with an expression, in words; empty when nothing is, or when it cannot be read (which is
 * reported elsewhere). `wanted` is what its place takes.
 */
export const checkTypes = (code: string, environment: TypeEnvironment, wanted: Kind = 'any'): string[] => {
  const parsed = parse(code)
  if (!parsed.ok) return []
  const check: Check = { environment, locals: [], problems: [] }
  want(check, parsed.tree, [wanted], 'this place')
  return [...new Set(check.problems)]
}
