// Turns the tree of an expression into a function: pure, bounded, without any access to the host.

import type { ASTNode } from '@marcbachmann/cel-js'
import type { Json } from '@stepfleet/contracts'
import { nearest } from '@stepfleet/contracts'
import { hasMember, member, memberOrNull } from './access.ts'
import { type Build, type Evaluate, NOTHING, newBuild, problem, written } from './build.ts'
import { COMPREHENSIONS, type Comprehension, comprehension } from './comprehensions.ts'
import { BUILTINS } from './functions.ts'
import { chainOf, compilePath } from './names.ts'
import { binary, logical, negate, not, ternary } from './operators.ts'
import { parse } from './parse.ts'
import { charge, ExpressionError, type JsonMap, jsonSize } from './values.ts'

export interface Expression extends Build {
  readonly run: Evaluate
}

/** Names that no comprehension variable may hide. */
const TAKEN = ['input', 'steps', 'run', 'env', 'secrets', 'args']

const isComprehension = (name: string): name is Comprehension => COMPREHENSIONS.some((known) => known === name)

const literal = (build: Build, node: ASTNode & { op: 'value' }): Evaluate => {
  const { args } = node
  if (args instanceof Uint8Array) return problem(build, `\`${written(node)}\`: bytes have no place in JSON`)
  if (args === null || typeof args === 'string' || typeof args === 'boolean') return () => args
  const value = typeof args === 'number' ? args : Number(args.valueOf())
  if (typeof args !== 'number' && !Number.isSafeInteger(value)) {
    return problem(build, `\`${written(node)}\` is beyond 2^53, which JSON cannot carry exactly`)
  }
  return () => value
}

const access = (build: Build, node: ASTNode & { op: '.' | '[]' }): Evaluate => {
  const chain = chainOf(node)
  if (chain) return compilePath(build, chain)
  const [left, right] = node.args
  const { lenient } = build
  const value = compile(build, left)
  const key: Evaluate = typeof right === 'string' ? () => right : compile(build, right)
  const place = written(left)
  return (frame) => {
    charge(frame, 1)
    const from = value(frame)
    const name = key(frame)
    return lenient ? memberOrNull(from, name) : member(from, name, place)
  }
}

const has = (build: Build, args: readonly ASTNode[]): Evaluate => {
  const [node] = args
  if (args.length !== 1 || !node || (node.op !== '.' && node.op !== '[]')) {
    return problem(build, 'has() takes one member: has(input.topic)')
  }
  const outer = build.lenient
  build.lenient = true
  const chain = chainOf(node)
  const wholeStep = chain?.[0] === 'steps' && chain.length <= 3 && !build.locals.includes('steps')
  const [left, right] = node.args
  const value = compile(build, wholeStep ? node : left)
  const key: Evaluate = typeof right === 'string' ? () => right : compile(build, right)
  build.lenient = outer
  // a field of a step is always there; it is null when the step gave nothing
  if (wholeStep) return (frame) => value(frame) !== null
  if (chain && !build.locals.includes(chain[0])) {
    build.paths.push([...chain])
    build.asked.add(chain.join('.'))
  }
  return (frame) => {
    charge(frame, 1)
    return hasMember(value(frame), key(frame))
  }
}

const loop = (build: Build, name: Comprehension, receiver: ASTNode, args: readonly ASTNode[]): Evaluate => {
  const [variable, ...bodies] = args
  const count = name === 'map' ? [1, 2] : [1]
  if (variable?.op !== 'id' || !count.includes(bodies.length)) {
    return problem(build, `${name}() is written list.${name}(x, …)`)
  }
  if (TAKEN.includes(variable.args) || build.locals.includes(variable.args)) {
    return problem(build, `the variable \`${variable.args}\` of ${name}() hides another name; choose another`)
  }
  const over = compile(build, receiver)
  const slot = build.locals.push(variable.args) - 1
  build.slots = Math.max(build.slots, build.locals.length)
  build.variables.add(variable.args)
  const compiled = bodies.map((body) => compile(build, body))
  build.locals.pop()
  return comprehension(name, { over, slot, bodies: compiled })
}

const call = (build: Build, name: string, args: readonly ASTNode[]): Evaluate => {
  if (name === 'matches') return problem(build, 'matches() is not offered: a pattern can take for ever')
  const builtin = BUILTINS.get(name)
  if (!builtin) {
    const near = nearest(name, [...BUILTINS.keys(), 'has', ...COMPREHENSIONS])
    return problem(build, `there is no function ${name}()`, near === null ? {} : { suggestion: `${near}()` })
  }
  const compiled = args.map((arg) => compile(build, arg))
  if (args.length < builtin.min || args.length > builtin.max)
    return problem(build, `${name}() is written ${builtin.usage}`)
  return (frame) => {
    charge(frame, 1)
    return builtin.run(
      compiled.map((arg) => arg(frame)),
      frame,
    )
  }
}

const mapKey = (value: Json): string => {
  if (typeof value !== 'string') throw new ExpressionError('a key of a map must be text')
  // assigning it would change the prototype
  if (value === '__proto__') throw new ExpressionError('a map cannot have the key `__proto__`')
  return value
}

const mapLiteral = (build: Build, entries: readonly (readonly [ASTNode, ASTNode])[]): Evaluate => {
  const compiled = entries.map(([key, value]) => [compile(build, key), compile(build, value)] as const)
  return (frame) => {
    charge(frame, 1 + compiled.length)
    const made: JsonMap = {}
    for (const [key, value] of compiled) made[mapKey(key(frame))] = value(frame)
    return made
  }
}

const listLiteral = (build: Build, items: readonly ASTNode[]): Evaluate => {
  const compiled = items.map((item) => compile(build, item))
  return (frame) => {
    charge(frame, 1 + compiled.length)
    return compiled.map((item) => item(frame))
  }
}

const compile = (build: Build, node: ASTNode): Evaluate => {
  switch (node.op) {
    case 'value':
      return literal(build, node)
    case 'id':
      return compilePath(build, [node.args])
    case '.':
    case '[]':
      return access(build, node)
    case 'list':
      return listLiteral(build, node.args)
    case 'map':
      return mapLiteral(build, node.args)
    case 'call':
      return node.args[0] === 'has' ? has(build, node.args[1]) : call(build, node.args[0], node.args[1])
    case 'rcall': {
      const [name, receiver, args] = node.args
      return isComprehension(name) ? loop(build, name, receiver, args) : call(build, name, [receiver, ...args])
    }
    case '?:':
      return ternary(compile(build, node.args[0]), compile(build, node.args[1]), compile(build, node.args[2]))
    case '&&':
    case '||':
      return logical(node.op, compile(build, node.args[0]), compile(build, node.args[1]))
    case '!_':
      return not(compile(build, node.args))
    case '-_':
      return negate(compile(build, node.args))
    case '.?':
    case '[?]':
      return problem(build, `\`${written(node)}\`: write \`.\`, a member of null is null`)
    default:
      return binary(node.op, compile(build, node.args[0]), compile(build, node.args[1]))
  }
}

/** A bare name or path makes nothing new, so its size needs no second look. */
const bounded =
  (run: Evaluate): Evaluate =>
  (frame) => {
    const value = run(frame)
    if (value !== null && typeof value === 'object') jsonSize(value, frame)
    return value
  }

/** The name of the secret when the expression is `secrets.NAME` and nothing else. */
export const secretOf = (tree: ASTNode): string | null => {
  const chain = chainOf(tree)
  return chain?.length === 2 && chain[0] === 'secrets' ? (chain[1] ?? null) : null
}

/** Compiles one expression. `problems` is empty when it can run; `secret` names the secret it stands for. */
export const compileExpression = (code: string): Expression & { secret: string | null } => {
  const build = newBuild(code)
  const parsed = parse(code)
  if (!parsed.ok) {
    problem(build, parsed.message)
    return { ...build, run: NOTHING, secret: null }
  }
  const secret = secretOf(parsed.tree)
  if (secret !== null) return { ...build, names: new Set(['secrets']), run: NOTHING, secret }
  const run = compile(build, parsed.tree)
  return { ...build, run: chainOf(parsed.tree) ? run : bounded(run), secret: null }
}
