// Targets: whether the names in the options mean something in the workflows, so that a typo is not taken for a mock.
import { nearest } from '@stepfleet/contracts'
import { type Plan, parsePath, type StepPlan } from '@stepfleet/engine'
import { InvalidOptions } from './errors.ts'
import { findWorkflow, type PlannedWorkflow } from './workflows.ts'

/** What an option needs of the step that it names. */
export type Need = 'task' | 'any'

/** A name in the options. */
export interface Target {
  place: string
  name: string
  need: Need
}

interface Known {
  root: Plan
  children: ReadonlyMap<string, PlannedWorkflow>
}

const TASKS: ReadonlySet<string> = new Set(['llm', 'agent', 'tool', 'run'])

const inlineRun = (plan: Plan, tool: string): string | null => {
  for (const { body } of plan.steps.values()) {
    if (body.kind !== 'agent') continue
    const action = body.tools.find(({ name }) => name === tool)?.declared?.action
    if (action?.kind === 'run') return action.workflow
  }
  return null
}

/** The workflow that a step runs, or null. */
const childOf = ({ children }: Known, workflow: string | null): Plan | null =>
  workflow === null ? null : (findWorkflow(children, workflow)?.plan ?? null)

/** The step that an id or path means, looked for in child workflows too. */
const find = (known: Known, plan: Plan, name: string): StepPlan | null => {
  const own = plan.steps.get(parsePath(name).node)
  if (own) return own
  for (const step of plan.steps.values()) {
    const rest = name.startsWith('tool:') ? '' : parsePath(name).node
    if (step.body.kind !== 'run' || !rest.startsWith(`${step.id}/`)) continue
    const child = childOf(known, step.body.workflow)
    const found = child && find(known, child, rest.slice(step.id.length + 1))
    if (found) return found
  }
  return null
}

const plansOf = ({ root, children }: Known): Plan[] => [root, ...[...children.values()].map(({ plan }) => plan)]

const models = (known: Known): Set<string> => {
  const named = new Set<string>()
  for (const plan of plansOf(known)) {
    for (const { body } of plan.steps.values()) if (body.kind === 'llm' || body.kind === 'agent') named.add(body.model)
  }
  return named
}

/** Names of tools: of tool steps, and what agents are offered with what is behind it. */
export const toolsNamed = (plans: readonly Plan[]): Set<string> => {
  const named = new Set<string>()
  for (const plan of plans) {
    for (const { body } of plan.steps.values()) {
      if (body.kind === 'tool') named.add(body.tool)
      if (body.kind !== 'agent') continue
      for (const { name, declared } of body.tools) {
        named.add(name)
        if (declared?.action.kind === 'tool') named.add(declared.action.tool)
      }
    }
  }
  return named
}

/** Nothing has the name. */
class Unknown extends InvalidOptions {
  readonly near: string | null

  constructor(place: string, name: string, names: Iterable<string>) {
    const near = nearest(name, names)
    super(`${place}: nothing is named ${name}${near === null ? '' : `; did you mean ${near}?`}`)
    this.near = near
  }
}

const refuse = (place: string, name: string, names: Iterable<string>): never => {
  throw new Unknown(place, name, names)
}

/** `tool:<name>`, or `tool:<name>/<step>` for a step of the child that an agent's tool runs. */
const checkTool = (known: Known, place: string, name: string): void => {
  const cut = name.indexOf('/')
  const tool = cut < 0 ? name : name.slice(0, cut)
  const names = toolsNamed(plansOf(known))
  if (!names.has(tool)) refuse(place, tool, names)
  if (cut < 0) return
  for (const plan of plansOf(known)) {
    const child = childOf(known, inlineRun(plan, tool))
    if (child && find(known, child, name.slice(cut + 1))) return
  }
  refuse(place, name.slice(cut + 1), [])
}

const checkStep = (place: string, name: string, step: StepPlan, need: Need): void => {
  const { kind } = step.body
  const isPart = parsePath(name).role === 'tool' || parsePath(name).role === 'turn'
  if (need === 'task' && !isPart && !TASKS.has(kind)) {
    const instead = kind === 'approval' ? ': answer it in `people`' : kind === 'signal' ? ': send it in `signals`' : ''
    throw new InvalidOptions(`${place}: ${name} is a step of kind ${kind}, which no worker runs${instead}`)
  }
}

const checkModel = (known: Known, place: string, name: string): void => {
  const named = models(known)
  if (!named.has(name)) refuse(place, name, named)
}

const checkTarget = (known: Known, { place, name, need }: Target): void => {
  if (name.startsWith('tool:')) {
    checkTool(known, place, name.slice('tool:'.length))
  } else if (name.startsWith('model:')) {
    checkModel(known, place, name.slice('model:'.length))
  } else {
    const step = find(known, known.root, name)
    checkStep(place, name, step ?? refuse(place, name, known.root.steps.keys()), need)
  }
}

/** Behind its prefix, `tool:` or `model:`. */
const bare = (name: string): string => name.replace(/^(tool|model):/, '')

/**
 * `mayBeUnasked`: after a simulation of code, which may do without a step this time: then a name that nothing has is a
 * typo where it is near to one that something has and that the options do not name as well.
 *
 * @throws InvalidOptions for a name that nothing has, with the nearest one that something has
 */
export const checkTargets = (known: Known, targets: readonly Target[], mayBeUnasked = false): void => {
  const named = new Set(targets.map(({ name }) => bare(name)))
  for (const target of targets) {
    try {
      checkTarget(known, target)
    } catch (error) {
      const isOpen = error instanceof Unknown && (error.near === null || named.has(error.near))
      if (!mayBeUnasked || !isOpen) throw error
    }
  }
}
