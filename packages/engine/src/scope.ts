// Scopes: what the expressions of a step can see, gathered from the state for just the names they mention.
import type { Json } from '@stepfleet/contracts'
import type { Rendered, Scope, Template } from './definition/plan.ts'
import { enclosingItem } from './state/paths.ts'
import type { StepState } from './state/state.ts'
import { load, planOf, type Turn } from './turn.ts'

/** A rendered template; `null` when a payload has to be loaded first. */
export type Rendering = Rendered | null

const stepFacts = (turn: Turn, name: string): { output: Json; status: string; error: Json; cost: Json } | null => {
  const step = turn.state.steps.get(name)
  const output = step?.output ? load(turn, step.output) : null
  if (output === undefined) return null
  const failure = step?.failure
  return {
    output,
    status: step?.phase ?? 'pending',
    error: failure ? { code: failure.code, class: failure.class, message: failure.message } : null,
    cost: stepCost(step),
  }
}

const stepCost = (step: StepState | undefined): Json => {
  let microUsd = 0
  for (const record of step?.attempts ?? []) microUsd += record.usage?.microUsd ?? 0
  return { usd: microUsd / 1_000_000 }
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
  const steps: Record<string, { output: Json; status: string; error: Json; cost: Json }> = {}
  for (const mention of template.mentions) {
    const facts = stepFacts(turn, mention.step)
    if (facts === null) return null
    steps[mention.step] = facts
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
