// Where a definition holds templates, and which names each place can see.
import type { CompensateDefinition, Definition, FallbackDefinition, Json, StepDefinition } from '@stepfleet/contracts'
import type { TemplateOptions } from '../../expressions.ts'
import type { Path } from './findings.ts'
import type { ScopeInfo, Spot } from './spots.ts'

export interface Place {
  path: Path
  source: Json
  options: TemplateOptions
  /** The step it belongs to; null for places of the whole workflow. */
  spot: Spot | null
  /** The innermost step whose item and iteration are known here: its own, or only that around it. */
  from: Spot | null
  /** Whose steps it can mention; null: none. */
  scope: ScopeInfo | null
  /** The steps that it mentions are waited for. */
  orders: boolean
  /** Names beyond `input`, `steps`, `run`, `env`: `item` under its name, `index`, `previous`, `output`, `error`, `args`. */
  names: readonly string[]
  /** JSON Schema of `args`. */
  args?: Json | undefined
}

const VALUE: TemplateOptions = { secrets: false }
const WITH: TemplateOptions = { secrets: true }

/** `args`: the schema of the arguments, where they are known. */
type Add = (path: Path, source: Json | undefined, options?: TemplateOptions, args?: Json) => void

const llmPlaces = (llm: StepDefinition['llm'], add: Add): void => {
  add(['llm', 'system'], llm?.system)
  add(['llm', 'prompt'], llm?.prompt)
  for (const [at, message] of (llm?.messages ?? []).entries()) add(['llm', 'messages', at, 'content'], message.content)
}

const runPlaces = (at: Path, run: StepDefinition['run'], add: Add, args?: Json): void => {
  if (typeof run === 'object') add([...at, 'run', 'input'], run.input, VALUE, args)
}

const agentPlaces = (agent: StepDefinition['agent'], add: Add): void => {
  add(['agent', 'system'], agent?.system)
  add(['agent', 'prompt'], agent?.prompt)
  for (const [i, tool] of (agent?.tools ?? []).entries()) {
    const at = ['agent', 'tools', i]
    if (typeof tool === 'string') continue
    if ('tool' in tool) add([...at, 'with'], tool.with, WITH, tool.input)
    if ('run' in tool) runPlaces(at, tool.run, add, tool.input)
    if ('approval' in tool) add([...at, 'approval', 'show'], tool.approval.show, VALUE, tool.input)
  }
}

const otherPlaces = (step: StepDefinition, add: Add): void => {
  const { wait, signal } = step
  add(['with'], step.with, WITH)
  add(['approval', 'show'], step.approval?.show)
  runPlaces([], step.run, add)
  if (typeof wait === 'string') add(['wait'], wait)
  else if (wait && 'for' in wait) add(['wait', 'for'], wait.for)
  else if (wait) add(['wait', 'until'], wait.until)
  if (typeof signal === 'string') add(['signal'], signal)
  else add(['signal', 'name'], signal?.name)
  add(['value'], step.value)
  add(['concurrency', 'key'], step.concurrency?.key)
  add(['rate', 'key'], step.rate?.key)
  add(['cache', 'key'], step.cache?.key)
}

/** Of what undoes a step, or is done in its place. */
const asidePlaces = (said: CompensateDefinition | FallbackDefinition, add: Add): void => {
  llmPlaces(said.llm, add)
  add(['with'], said.with, WITH)
  runPlaces([], said.run, add)
  if ('agent' in said) agentPlaces(said.agent, add)
  if ('approval' in said) add(['approval', 'show'], said.approval?.show)
  if ('value' in said) add(['value'], said.value)
}

/** Every template of a step. `if` and `each` are judged before there is an item or an iteration of its own. */
const stepPlaces = (spot: Spot): Place[] => {
  const { step, scope, inner } = spot
  const places: Place[] = []
  const around = scope.owner
  const before = [
    ...(around ? around.items : []),
    ...(around && around.items.length > 0 ? ['index'] : []),
    ...(around?.repeats ? ['previous'] : []),
  ]
  const within = [...spot.items, ...(spot.items.length > 0 ? ['index'] : []), ...(spot.repeats ? ['previous'] : [])]
  const adder =
    (names: readonly string[], about: Partial<Place> = {}, at: Path = []): Add =>
    (path, source, options = VALUE, args = undefined) => {
      if (source === undefined) return
      const known = args === undefined ? names : [...names, 'args']
      const place = { path: [...spot.path, ...at, ...path], source, options, names: known, args }
      places.push({ spot, from: spot, scope, orders: true, ...place, ...about })
    }
  const early = adder(before, { from: around })
  early(['if'], step.if)
  if (typeof step.each === 'string') early(['each'], step.each)
  else early(['each', 'in'], step.each?.in)
  const add = adder(within)
  llmPlaces(step.llm, add)
  agentPlaces(step.agent, add)
  otherPlaces(step, add)
  adder([...within, 'output'])(['repeat', 'until'], step.repeat?.until)
  adder(within, { scope: inner })(['output'], inner ? step.output : undefined)
  adder([...within, 'output'])(['confidence', 'from'], step.confidence?.from)
  if (step.compensate) asidePlaces(step.compensate, adder([...within, 'output'], {}, ['compensate']))
  if (step.fallback) asidePlaces(step.fallback, adder([...within, 'error'], {}, ['fallback']))
  return places
}

/** Every template of the definition. */
export const placesOf = (definition: Definition, top: ScopeInfo, spots: readonly Spot[]): Place[] => {
  const places = spots.flatMap(stepPlaces)
  const whole = { options: VALUE, spot: null, from: null, orders: false, names: [] }
  if (definition.output !== undefined)
    places.push({ ...whole, path: ['output'], source: definition.output, scope: top })
  if (definition.concurrency !== undefined)
    places.push({ ...whole, path: ['concurrency', 'key'], source: definition.concurrency.key, scope: null })
  return places
}

type Plain = { path: Path; text: string }

const stringsIn = (path: Path, value: Json | undefined): Plain[] => {
  if (typeof value === 'string') return [{ path, text: value }]
  if (value === undefined || value === null || typeof value !== 'object') return []
  return Object.entries(value).flatMap(([key, item]) => stringsIn([...path, key], item))
}

/** Texts that are taken as they are: an expression there would be accepted and ignored. */
export const plainTexts = (definition: Definition, spots: readonly Spot[]): Plain[] => {
  const texts = Object.entries(definition.labels ?? {}).flatMap(([label, text]) => stringsIn(['labels', label], text))
  for (const { path, step } of spots) {
    const add = (at: Path, value: Json | undefined): void => {
      texts.push(...stringsIn([...path, ...at], value))
    }
    add(['tool'], step.tool)
    add(['approval', 'assignee'], step.approval?.assignee)
    add(['llm', 'stop'], step.llm?.stop)
    add(['agent', 'stop'], step.agent?.stop)
    add(['compensate', 'tool'], step.compensate?.tool)
    add(['compensate', 'llm', 'stop'], step.compensate?.llm?.stop)
    add(['fallback', 'tool'], step.fallback?.tool)
    add(['fallback', 'llm', 'stop'], step.fallback?.llm?.stop)
    add(['fallback', 'agent', 'stop'], step.fallback?.agent?.stop)
    add(['fallback', 'approval', 'assignee'], step.fallback?.approval?.assignee)
    if (typeof step.on_failure === 'object') add(['on_failure', 'use'], step.on_failure.use)
    for (const [i, tool] of (step.agent?.tools ?? []).entries()) {
      if (typeof tool === 'string') continue
      add(['agent', 'tools', i, 'description'], tool.description)
      if ('tool' in tool) add(['agent', 'tools', i, 'tool'], tool.tool)
      if ('approval' in tool) add(['agent', 'tools', i, 'approval', 'assignee'], tool.approval.assignee)
    }
  }
  return texts
}
