// Steps: what the code asks for, as the step definition that the engine works by.
import type { Json, StepDefinition } from '@stepfleet/contracts'
import { literalOf } from './literal.ts'
import type {
  AgentStep,
  AnyStep,
  ApprovalStep,
  ChildStep,
  LlmStep,
  OutputSchema,
  SignalStep,
  ToolStep,
  WaitFor,
} from './run.ts'
import { readSchema } from './schema.ts'

/** A step to ask for, and what makes of its output what the code gets. */
export interface Asking {
  step: { [key: string]: Json }
  read(output: Json): unknown
}

const MODIFIERS: ReadonlySet<string> = new Set<keyof StepDefinition>([
  'description',
  'retry',
  'timeout',
  'deadline',
  'effect',
  'gate',
  'on_failure',
  'priority',
  'concurrency',
  'rate',
  'cache',
  'compensate',
])

/** These say when and how often a step runs. */
const FLOW: readonly (keyof StepDefinition)[] = [
  'needs',
  'needs_any',
  'if',
  'each',
  'repeat',
  'steps',
  'output',
  'fallback',
  'confidence',
]

type Given = { [key: string]: unknown }
const same = (output: Json): unknown => output

/** What undoes a step is a task of its own: its `with` may hold secrets too. */
const compensateOf = (given: unknown, at: string): Json => {
  if (typeof given !== 'object' || given === null) throw new TypeError(`${at}: a step body is required`)
  const { with: input, ...rest } = given as Given
  const said = literalOf(rest, at)
  const body = said !== null && typeof said === 'object' && !Array.isArray(said) ? said : {}
  return input === undefined ? body : { ...body, with: literalOf(input, `${at}.with`, true) }
}

/** The fields of a step one by one; those that are not there are left out. */
const fieldsOf = (given: Given): { [key: string]: Json } => {
  const fields: { [key: string]: Json } = {}
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue
    fields[key] = key === 'compensate' ? compensateOf(value, key) : literalOf(value, key, key === 'with')
  }
  return fields
}

/** Parts the modifiers from the body of a kind. */
const split = (given: Given): { body: Given; modifiers: Given } => {
  const body: Given = {}
  const modifiers: Given = {}
  for (const [key, value] of Object.entries(given)) (MODIFIERS.has(key) ? modifiers : body)[key] = value
  return { body, modifiers }
}

const modelStep = (kind: 'llm' | 'agent', given: Given): Asking => {
  const { body, modifiers } = split(given)
  // two caches have one name here: the provider's of the prompt is a yes or no
  if (typeof modifiers.cache === 'boolean') {
    body.cache = modifiers.cache
    delete modifiers.cache
  }
  const { output, ...rest } = body
  const schema = output === undefined ? null : readSchema(output, `${kind}.output`)
  const made = { ...fieldsOf(rest), ...(schema ? { output: schema.jsonSchema } : {}) }
  return { step: { [kind]: made, ...fieldsOf(modifiers) }, read: schema?.read ?? same }
}

export const llmStep = (step: LlmStep<OutputSchema | undefined>): Asking => modelStep('llm', step)

/** Plain text would reach the tool as it stands, and nobody would see why. */
const refuseExpressions = (tools: unknown): void => {
  if (!JSON.stringify(tools ?? []).includes('${{')) return
  throw new TypeError('agent.tools: there are no expressions in code; use a module tool, or a child workflow (`run`)')
}

export const agentStep = (step: AgentStep<OutputSchema | undefined>): Asking => {
  refuseExpressions(step.tools)
  return modelStep('agent', step)
}

export const toolStep = (step: ToolStep): Asking => ({ step: fieldsOf({ ...step }), read: same })

export const approvalStep = (step: ApprovalStep = {}): Asking => {
  const { body, modifiers } = split(step)
  return { step: { approval: fieldsOf(body), ...fieldsOf(modifiers) }, read: same }
}

export const waitStep = (time: WaitFor): Asking => {
  if (typeof time === 'string') return { step: { wait: time }, read: same }
  if (!('until' in time)) return { step: { wait: fieldsOf(time) }, read: same }
  const { until } = time
  const at = typeof until === 'number' ? new Date(until) : until
  return { step: { wait: { until: typeof at === 'string' ? at : at.toISOString() } }, read: same }
}

export const signalStep = (own: string, step: SignalStep = {}): Asking => {
  const { timeout, ...others } = step
  const { body, modifiers } = split(others)
  const { name = own, schema, ...rest } = body
  const read = schema === undefined ? null : readSchema(schema, 'signal.schema')
  const said = fieldsOf({ name, timeout, ...rest })
  const signal = { ...said, ...(read ? { schema: read.jsonSchema } : {}) }
  return { step: { signal, ...fieldsOf(modifiers) }, read: read?.read ?? same }
}

export const childStep = (step: ChildStep): Asking => {
  const { body, modifiers } = split(step)
  return { step: { run: fieldsOf(body), ...fieldsOf(modifiers) }, read: same }
}

export const anyStep = (step: AnyStep): Asking => {
  const flow = FLOW.find((field) => field in step)
  if (flow !== undefined) throw new TypeError(`${flow}: the code of a workflow says that itself, a step of it does not`)
  refuseExpressions(step.agent?.tools)
  return { step: fieldsOf({ ...step }), read: same }
}
