// Scopes: what the expressions of a step can see, gathered from the state for just the names they mention.
import type { Json } from '@stepfleet/contracts'
import type { Rendered, Scope, StepMention, Template } from './definition/plan.ts'
import {
  fallbackAround,
  innerPath,
  isInside,
  itemsAround,
  iterationAround,
  iterationPath,
  parsePath,
  scopesAround,
} from './state/paths.ts'
import { hasCompleted } from './state/state.ts'
import { load, planOf, scopeOf, type Turn } from './turn.ts'

/** A rendered template; `null` when a payload has to be loaded first. */
export type Rendering = Rendered | null

/** What a place knows beyond what every expression of its step does. */
export interface Place {
  /** Arguments of an agent's tool call. */
  args?: Json
  /** The output of an iteration, for `until`. */
  output?: Json
  /** The steps of the block itself are known too. */
  inside?: boolean
}

type StepFacts = NonNullable<Scope['steps']>[string]

/** One field of a step; undefined: its payload has to be loaded first. */
const fact = (turn: Turn, path: string, field: StepMention['field']): Json | undefined => {
  const step = turn.state.steps.get(path)
  switch (field) {
    case 'output':
      return step?.output ? load(turn, step.output) : null
    case 'status':
      return step?.phase ?? 'pending'
    case 'error': {
      const cause = step?.failure
      return cause ? { code: cause.code, class: cause.class, message: cause.message } : null
    }
    case 'cost':
      return { usd: costOf(turn, path) / 1_000_000 }
  }
}

/** Micro-dollars of a step with its parts. */
const costOf = (turn: Turn, path: string): number => {
  let microUsd = 0
  for (const step of turn.state.steps.values()) {
    if (step.path !== path && !isInside(step.path, path)) continue
    for (const record of step.attempts) microUsd += record.usage?.microUsd ?? 0
  }
  return microUsd
}

/** The path of a step as a place sees it: innermost scope first. No two nested scopes share a name. */
const resolve = (turn: Turn, name: string, scopes: readonly string[]): string => {
  for (const prefix of scopes) {
    const block = prefix === '' ? '' : parsePath(prefix).node
    if (scopeOf(turn.plan, block).names.has(name)) return innerPath(prefix, name)
  }
  return name
}

/** Puts the steps that are mentioned into the scope; false: a payload is missing. */
const addSteps = (turn: Turn, scope: Scope, mentions: readonly StepMention[], scopes: readonly string[]): boolean => {
  const steps: Record<string, StepFacts> = {}
  for (const { step, field } of mentions) {
    const value = fact(turn, resolve(turn, step, scopes), field)
    if (value === undefined) return false
    steps[step] = { ...steps[step], [field]: value }
  }
  scope.steps = steps
  return true
}

/** The rendered items of an `each`, rendered once and kept while the run is cached. */
export const itemsOf = (turn: Turn, group: string): Rendering => {
  const known = turn.state.items.get(group)
  if (known) return { ok: true, value: known }
  const { each } = planOf(turn.plan, parsePath(group).node)
  if (!each) return { ok: false, message: `${group} has no each` }
  const rendered = render(turn, each.in, group)
  if (rendered?.ok && Array.isArray(rendered.value)) turn.state.items.set(group, rendered.value)
  return rendered
}

/** Puts the items that are mentioned, under their names, and `index` into the scope; false: a payload is missing; text: it failed. */
const addItems = (turn: Turn, scope: Scope, names: ReadonlySet<string>, path: string): boolean | string => {
  for (const { group, index } of itemsAround(path)) {
    scope.index = index
    const as = planOf(turn.plan, parsePath(group).node).each?.as ?? 'item'
    if (!names.has(as)) continue
    const items = itemsOf(turn, group)
    if (items === null) return false
    if (!items.ok) return items.message
    const list = Array.isArray(items.value) ? items.value : []
    scope[as] = list[index] ?? null
  }
  return true
}

/** The output of the iteration before; undefined: its payload has to be loaded first. */
const previousOf = (turn: Turn, path: string): Json | undefined => {
  const at = iterationAround(path)
  const before = at && turn.state.steps.get(iterationPath(at.step, at.iteration - 1))
  return before?.output ? load(turn, before.output) : null
}

/** The output of the step that a compensation undoes; undefined: its payload has to be loaded first. */
const undoneOutput = (turn: Turn, path: string): Json | undefined => {
  const { role, parent } = parsePath(path)
  const undone = role === 'compensation' ? turn.state.steps.get(parent ?? '') : undefined
  const output = undone && hasCompleted(undone) ? undone.output : undone?.happened?.output
  return output ? load(turn, output) : null
}

/** What the step failed with in whose place a path is done. */
const errorAround = (turn: Turn, path: string): Json => {
  const cause = turn.state.steps.get(fallbackAround(path) ?? '')?.fallback?.failure
  return cause ? { code: cause.code, class: cause.class, message: cause.message } : null
}

/** The run as expressions see it. Its `now` is when the step was ready, so that a message made again is the same. */
const runFacts = (turn: Turn, path: string): Json => ({
  id: turn.state.run,
  namespace: turn.state.ns,
  workflow: turn.plan.name,
  startedAt: new Date(turn.state.startedAtMs).toISOString(),
  now: turn.state.steps.get(path)?.readyAtMs ?? turn.nowMs,
})

/** One of the names that expressions know; undefined: a payload has to be loaded first. */
const nameOf = (turn: Turn, name: string, path: string, place: Place): Json | undefined => {
  switch (name) {
    case 'input':
      return load(turn, turn.state.input)
    case 'run':
      return runFacts(turn, path)
    case 'env':
      return turn.state.env
    case 'args':
      return place.args ?? null
    case 'previous':
      return previousOf(turn, path)
    case 'output':
      return place.output ?? undoneOutput(turn, path)
    case 'error':
      return errorAround(turn, path)
    default:
      return null
  }
}

/** Renders a template as the step at `path` sees the run. */
export const render = (turn: Turn, template: Template, path: string, place: Place = {}): Rendering => {
  if (template.constant) return template.render({})
  const scope: Scope = {}
  if (template.mentions.length > 0) {
    const around = path === '' ? [''] : scopesAround(path)
    const scopes = place.inside ? [path, ...around] : around
    if (!addSteps(turn, scope, template.mentions, scopes)) return null
  } else scope.steps = {}
  for (const name of template.names) {
    const value = nameOf(turn, name, path, place)
    if (value === undefined) return null
    if (value !== null || KNOWN.has(name)) scope[name] = value
  }
  if (path.includes('[')) {
    const item = addItems(turn, scope, new Set(template.names), path)
    if (item === false) return null
    if (item !== true) return { ok: false, message: item }
  }
  return template.render(scope)
}

const KNOWN: ReadonlySet<string> = new Set(['input', 'run', 'env', 'args', 'previous', 'output', 'error'])
