// Top-level names and paths: `input.topic`, `steps.search.output.items`, comprehension variables.

import type { ASTNode } from '@marcbachmann/cel-js'
import type { Json } from '@stepfleet/contracts'
import { nearest } from '@stepfleet/contracts'
import type { Scope, StepMention } from '../definition/plan.ts'
import { member, memberOrNull } from './access.ts'
import { type Build, type Evaluate, problem } from './build.ts'
import { ExpressionError } from './values.ts'

export const STEP_FIELDS = ['output', 'status', 'error', 'cost'] as const
export type StepField = (typeof STEP_FIELDS)[number]
const isStepField = (name: string): name is StepField => STEP_FIELDS.some((field) => field === name)

/** A name and the plain members after it; null for anything else. */
export const chainOf = (node: ASTNode): [string, ...string[]] | null => {
  if (node.op === 'id') return [node.args]
  if (node.op !== '.' && node.op !== '[]') return null
  const [left, right] = node.args
  const key = typeof right === 'string' ? right : right.op === 'value' ? right.args : null
  if (typeof key !== 'string') return null
  const chain = chainOf(left)
  if (chain) chain.push(key)
  return chain
}

const SECRET_RULE = 'a secret may only stand alone or be joined as text, not be worked with'

const addMention = (build: Build, mention: StepMention): void => {
  const known = build.mentions.some((other) => other.step === mention.step && other.field === mention.field)
  if (!known) build.mentions.push(mention)
}

/** Follows the members of `keys` from `value`; `place` is where it starts. */
const follow = (value: Json, keys: readonly string[], place: string, lenient: boolean): Json => {
  let found = value
  for (const [at, key] of keys.entries()) {
    if (found === null) return null
    found = lenient ? memberOrNull(found, key) : member(found, key, [place, ...keys.slice(0, at)].join('.'))
  }
  return found
}

const stepValue = (scope: Scope, mention: StepMention): Json => {
  const step = scope.steps && Object.hasOwn(scope.steps, mention.step) ? scope.steps[mention.step] : undefined
  if (step === undefined) throw new ExpressionError(`step \`${mention.step}\` has not ended yet`)
  return step[mention.field] ?? null
}

const stepPath = (build: Build, keys: readonly string[]): Evaluate => {
  const [step, field, ...rest] = keys
  if (step === undefined) return problem(build, 'a step is named outright: `steps.<name>.output`')
  if (field === undefined) {
    return problem(build, `\`steps.${step}\` is not a value: say steps.${step}.output, status, error or cost`)
  }
  if (!isStepField(field)) {
    const near = nearest(field, STEP_FIELDS)
    return problem(build, `a step has ${STEP_FIELDS.join(', ')}, not \`${field}\``, {
      code: 'unknown_step_field',
      suggestion: near === null ? `steps.${step}.output.${field}` : `steps.${step}.${near}`,
    })
  }
  const mention = { step, field }
  addMention(build, mention)
  build.paths.push(['steps', ...keys])
  const { lenient } = build
  const place = `steps.${step}.${field}`
  return ({ scope }) => follow(stepValue(scope, mention), rest, place, lenient)
}

/** A value of the scope under one of its names. */
const named = (scope: Scope, name: string): Json => {
  const value = Object.hasOwn(scope, name) ? scope[name] : undefined
  if (value === undefined) throw new ExpressionError(`\`${name}\` is not known here`)
  // `steps` is the only entry that is no JSON, and stepPath takes it
  return value as Json
}

/** Compiles a name with its plain members. */
export const compilePath = (build: Build, chain: readonly [string, ...string[]]): Evaluate => {
  const [root, ...keys] = chain
  const { lenient } = build
  const slot = build.locals.lastIndexOf(root)
  if (slot !== -1) return ({ locals }) => follow(locals[slot] ?? null, keys, root, lenient)
  if (root === 'steps') return stepPath(build, keys)
  if (root === 'secrets') return problem(build, SECRET_RULE, { code: 'misplaced_secret' })
  build.names.add(root)
  build.paths.push([...chain])
  return ({ scope }) => follow(named(scope, root), keys, root, lenient)
}
