// Where a definition holds templates, and which names each place can see.
import type { Definition, Json, StepDefinition } from '@stepfleet/contracts'
import type { TemplateOptions } from '../../expressions.ts'
import type { Path } from './findings.ts'

export interface Place {
  path: Path
  source: Json
  options: TemplateOptions
  /** The step it belongs to; null for the output of the workflow. */
  step: string | null
  /** Names beyond `input`, `steps`, `run`, `env`: `item` under its name, `index`, `args`. */
  names: readonly string[]
}

const VALUE: TemplateOptions = { secrets: false }
const WITH: TemplateOptions = { secrets: true }

/** The name of the item of a step with `each`. */
export const itemName = (step: StepDefinition): string | null => {
  if (step.each === undefined) return null
  return typeof step.each === 'string' ? 'item' : (step.each.as ?? 'item')
}

type Add = (path: Path, source: Json | undefined, options?: TemplateOptions, more?: readonly string[]) => void

const modelPlaces = (step: StepDefinition, add: Add): void => {
  const { llm, agent } = step
  add(['llm', 'system'], llm?.system)
  add(['llm', 'prompt'], llm?.prompt)
  for (const [at, message] of (llm?.messages ?? []).entries()) add(['llm', 'messages', at, 'content'], message.content)
  add(['agent', 'system'], agent?.system)
  add(['agent', 'prompt'], agent?.prompt)
  for (const [at, tool] of (agent?.tools ?? []).entries()) {
    if (typeof tool !== 'string') add(['agent', 'tools', at, 'with'], tool.with, WITH, ['args'])
  }
}

const otherPlaces = (step: StepDefinition, add: Add): void => {
  const { wait, signal } = step
  add(['with'], step.with, WITH)
  add(['approval', 'show'], step.approval?.show)
  if (typeof wait === 'string') add(['wait'], wait)
  else if (wait && 'for' in wait) add(['wait', 'for'], wait.for)
  else if (wait) add(['wait', 'until'], wait.until)
  if (typeof signal === 'string') add(['signal'], signal)
  else add(['signal', 'name'], signal?.name)
  add(['value'], step.value)
}

/** Every template of a step. `if` and `each` are judged before there is an item. */
const stepPlaces = (name: string, step: StepDefinition): Place[] => {
  const places: Place[] = []
  const item = itemName(step)
  const inner = item === null ? [] : [item, 'index']
  const adder =
    (names: readonly string[]): Add =>
    (path, source, options = VALUE, more = []) => {
      if (source === undefined) return
      places.push({ path: ['steps', name, ...path], source, options, step: name, names: [...names, ...more] })
    }
  const before = adder([])
  before(['if'], step.if)
  if (typeof step.each === 'string') before(['each'], step.each)
  else before(['each', 'in'], step.each?.in)
  const within = adder(inner)
  modelPlaces(step, within)
  otherPlaces(step, within)
  return places
}

/** Every template of the definition. */
export const placesOf = (definition: Definition): Place[] => {
  const places = Object.entries(definition.steps).flatMap(([name, step]) => stepPlaces(name, step))
  if (definition.output === undefined) return places
  return [...places, { path: ['output'], source: definition.output, options: VALUE, step: null, names: [] }]
}

/** Texts that are taken as they are: an expression there would be accepted and ignored. */
export const plainTexts = (definition: Definition): { path: Path; text: string }[] => {
  const texts: { path: Path; text: string }[] = []
  const add = (path: Path, text: string | undefined): void => {
    if (text !== undefined) texts.push({ path, text })
  }
  for (const [label, text] of Object.entries(definition.labels ?? {})) add(['labels', label], text)
  for (const [name, step] of Object.entries(definition.steps)) {
    const at = ['steps', name]
    add([...at, 'tool'], step.tool)
    add([...at, 'approval', 'assignee'], step.approval?.assignee)
    for (const [i, text] of (step.llm?.stop ?? []).entries()) add([...at, 'llm', 'stop', i], text)
    for (const [i, text] of (step.agent?.stop ?? []).entries()) add([...at, 'agent', 'stop', i], text)
    for (const [i, tool] of (step.agent?.tools ?? []).entries()) {
      if (typeof tool === 'string') continue
      add([...at, 'agent', 'tools', i, 'tool'], tool.tool)
      add([...at, 'agent', 'tools', i, 'description'], tool.description)
    }
  }
  return texts
}
