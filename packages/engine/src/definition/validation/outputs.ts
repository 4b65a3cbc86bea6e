// What is known of a step's output before it runs: the fields that expressions may mention.
import type { Json, StepDefinition } from '@stepfleet/contracts'
import { isMap } from '../../expressions/values.ts'

const fields = (...names: string[]): Json => ({
  type: 'object',
  properties: Object.fromEntries(names.map((name) => [name, {}])),
})

/** A schema of the output, `text` where it is plain text, `list` where it is a list, null where it is open. */
export type KnownOutput = { kind: 'schema'; schema: Json } | { kind: 'text' } | { kind: 'list' } | null

const ERROR = fields('code', 'class', 'message')
/** As decisions.md, 'Values and failure'. */
const APPROVAL = fields('approved', 'by', 'at', 'reason', 'edits')
const WAIT = fields('at')
const DETACHED = fields('run')
const FIRST_ITEM = fields('index', 'output')

/** A block gives the map that its `output` is, else its steps by their names. */
const ofBlock = (step: StepDefinition): KnownOutput => {
  if (step.output === undefined) return { kind: 'schema', schema: fields(...Object.keys(step.steps ?? {})) }
  const isPlain = isMap(step.output) && !Object.keys(step.output).some((key) => key.startsWith('$'))
  return isPlain && isMap(step.output) ? { kind: 'schema', schema: fields(...Object.keys(step.output)) } : null
}

const ofBody = (step: StepDefinition): KnownOutput => {
  const model = step.llm ?? step.agent
  if (model) return model.output ? { kind: 'schema', schema: model.output } : { kind: 'text' }
  if (step.approval) return { kind: 'schema', schema: APPROVAL }
  if (step.wait !== undefined) return { kind: 'schema', schema: WAIT }
  if (typeof step.signal === 'object' && step.signal.schema) return { kind: 'schema', schema: step.signal.schema }
  if (typeof step.run === 'object' && step.run.detach) return { kind: 'schema', schema: DETACHED }
  return step.steps ? ofBlock(step) : null
}

/** What is known of the output of a step, one item or iteration of it; a person or `use` may have given another. */
export const knownBody = (step: StepDefinition): KnownOutput =>
  typeof step.on_failure === 'object' ? null : ofBody(step)

/** What is known of `steps.<step>.<field>`. */
export const knownOutput = (step: StepDefinition, field: string): KnownOutput => {
  if (field === 'status') return { kind: 'text' }
  if (field === 'error') return step.each === undefined ? { kind: 'schema', schema: ERROR } : null
  if (field !== 'output' || typeof step.on_failure === 'object') return null
  if (step.each === undefined) return ofBody(step)
  const isAny = typeof step.each === 'object' && step.each.join === 'any'
  return isAny ? { kind: 'schema', schema: FIRST_ITEM } : { kind: 'list' }
}
