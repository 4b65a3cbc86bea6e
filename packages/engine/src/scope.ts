// Scopes: what the expressions of a step can see, gathered from the state for just the names they mention.
import type { Json } from '@stepfleet/contracts'
import type { Rendered, Scope, StepMention, Template } from './definition/plan.ts'
import { enclosingItem } from './state/paths.ts'
import { load, planOf, type Turn } from './turn.ts'

/** A rendered template; `null` when a payload has to be loaded first. */
export type Rendering = Rendered | null

type StepFacts = NonNullable<Scope['steps']>[string]

/** One field of a step; undefined: its payload has to be loaded first. */
const fact = (turn: Turn, { step: name, field }: StepMention): Json | undefined => {
  const step = turn.state.steps.get(name)
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
      return { usd: costOf(turn, name) / 1_000_000 }
  }
}

/** Micro-dollars of a step with its parts. */
const costOf = (turn: Turn, name: string): number => {
  let microUsd = 0
  for (const step of turn.state.steps.values()) {
    if (step.node !== name) continue
    for (const record of step.attempts) microUsd += record.usage?.microUsd ?? 0
  }
  return microUsd
}

/** The rendered items of an `each`, rendered once and kept while the run is cached. */
export const itemsOf = (turn: Turn, group: string): Rendering => {
  const known = turn.state.items.get(group)
  if (known) return { ok: true, value: known }
  const each = planOf(turn.plan, group).each
  if (!each) return { ok: false, message: `${group} has no each` }
  const rendered = render(turn, each.in, group)
  if (rendered?.ok && Array.isArray(rendered.value)) turn.state.items.set(group, rendered.value)
  return rendered
}

/** Puts `item` (under its name) and `index` into the scope; false: a payload is missing; text: it failed. */
const addItem = (turn: Turn, scope: Scope, path: string): boolean | string => {
  const at = enclosingItem(path)
  if (!at) return true
  const items = itemsOf(turn, at.group)
  if (items === null) return false
  if (!items.ok) return items.message
  const list = Array.isArray(items.value) ? items.value : []
  scope[planOf(turn.plan, at.group).each?.as ?? 'item'] = list[at.index] ?? null
  scope.index = at.index
  return true
}

/** Renders a template as the step at `path` sees the run. `args` are the arguments of an agent's tool call. */
export const render = (turn: Turn, template: Template, path: string, args?: Json): Rendering => {
  if (template.constant) return template.render({})
  const scope: Scope = {}
  const steps: Record<string, StepFacts> = {}
  for (const mention of template.mentions) {
    const value = fact(turn, mention)
    if (value === undefined) return null
    steps[mention.step] = { ...steps[mention.step], [mention.field]: value }
  }
  scope.steps = steps
  for (const name of template.names) {
    if (name === 'input') {
      const input = load(turn, turn.state.input)
      if (input === undefined) return null
      scope.input = input
    } else if (name === 'run') {
      scope.run = { id: turn.state.run, namespace: turn.state.ns, workflow: turn.plan.name }
    } else if (name === 'env') scope.env = turn.state.env
    else if (name === 'args') scope.args = args ?? null
  }
  const item = addItem(turn, scope, path)
  if (item === false) return null
  if (item !== true) return { ok: false, message: item }
  return template.render(scope)
}
