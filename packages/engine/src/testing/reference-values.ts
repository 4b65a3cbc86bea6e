// What the reference interpreter works on: the world it asks, what ends look like, and the few forms of expressions that
// random definitions use. Types only from anywhere else, as in reference.ts.
import type { FailureClass, FailureCode, Json, StepDefinition } from '@stepfleet/contracts'

export interface Cause {
  code: FailureCode
  class: FailureClass
}
export type Answer = { ok: Json } | { fail: Cause }
export type Decision = 'retry' | 'skip' | 'fail' | { override: Json }

export interface Seen {
  status: string
  /** Its place among the ends; those of one instant have different ones. */
  order: number
}

/** All that a run cannot know by itself. Everything but `seen` and `cancelled` is a function of its arguments. */
export interface ReferenceWorld {
  /** What an attempt of a task gives. `given`: `with` of a tool, what the model gave its tool, else null. */
  result(path: string, attempt: number, given: Json): Answer
  /** How a child ends. */
  child(path: string, input: Json): Answer
  /** What a person does with a case; `nth` counts those of this path from 1, `asked` tells whether a task ran. */
  decide(path: string, nth: number, asked: boolean): Decision
  approves(path: string): boolean
  signal(name: string): Json
  /** How and when the step ended in the history that is judged; the empty path is the run. */
  seen(path: string): Seen | undefined
  /** The run that is judged was cancelled. */
  cancelled: boolean
}

export interface Ended {
  status: 'completed' | 'failed' | 'skipped' | 'overridden' | 'compensated'
  output: Json
  error: Cause | null
  /** Nobody took its failure: what is around it fails too. */
  outward: boolean
  /** It may as well have been cancelled, or never have begun. */
  cut: boolean
}

/** One run of the steps of a block: `ends` holds null for what never can begin. */
export interface Instance {
  steps: Record<string, StepDefinition>
  prefix: string
  ends: Map<string, Ended | null>
}

/** What the expressions of a place know. */
export interface Env {
  vars: Record<string, Json>
  /** Innermost first. */
  instances: readonly Instance[]
  /** Inside an item of a join that takes failures as results. */
  taken: boolean
  /** Inside a block that has a fallback. */
  replaced: boolean
}

/** Stands for what differs from run to run: times, ids of children, the words of a failure. */
export const ANY = '*'

export class ExpressionFailed extends Error {}

export const errorOf = (cause: Cause | null): Json => (cause ? { ...cause, message: ANY } : null)

export const isMap = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const term = (text: string, env: Env): Json => {
  const [root = '', ...keys] = text.split('.')
  let value: Json | undefined = env.vars[root]
  if (root === 'steps') {
    const name = keys.shift() ?? ''
    const end = env.instances.find(({ steps }) => Object.hasOwn(steps, name))?.ends.get(name)
    if (end) value = { status: end.status, output: end.output, error: errorOf(end.error) }
  }
  for (const key of keys) {
    if (value === null) return null
    value = isMap(value) ? value[key] : undefined
  }
  if (value === undefined) throw new ExpressionFailed(`${text} is not known`)
  return value
}

/** `steps.x.output`, `input.n`, `item`, …, alone or before `== <literal>` or `>= <number>`. */
export const evaluate = (code: string, env: Env): Json => {
  const [left = '', operator, right = ''] = code.split(/ (==|>=) /)
  const value = term(left, env)
  if (operator === undefined) return value
  if (operator === '==') return JSON.stringify(value) === JSON.stringify(JSON.parse(right))
  if (typeof value !== 'number') throw new ExpressionFailed(`${left} is no number`)
  return value >= Number(right)
}

export const render = (value: Json | undefined, env: Env): Json => {
  if (typeof value === 'string') {
    const code = /^\$\{\{ (.*) \}\}$/.exec(value)?.[1]
    return code === undefined ? value : evaluate(code, env)
  }
  if (Array.isArray(value)) return value.map((one) => render(one, env))
  if (!isMap(value)) return value ?? null
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, render(one, env)]))
}

/** The steps that a step waits for, of those in `names`: mentioned anywhere in it, or listed in `needs` or `needs_any`. */
export const needsOf = (step: StepDefinition, names: readonly string[]): string[] => {
  const text = JSON.stringify(step)
  const listed = [...(step.needs ?? []), ...(step.needs_any ?? [])]
  return names.filter((name) => listed.includes(name) || text.includes(`steps.${name}.`))
}
