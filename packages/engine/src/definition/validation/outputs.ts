// What is known of a step's output before it runs: the fields that expressions may mention.
import type { Json, StepDefinition } from '@stepfleet/contracts'

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

const ofBody = (step: StepDefinition): KnownOutput => {
  const model = step.llm ?? step.agent
  if (model) return model.output ? { kind: 'schema', schema: model.output } : { kind: 'text' }
  if (step.approval) return { kind: 'schema', schema: APPROVAL }
  if (step.wait !== undefined) return { kind: 'schema', schema: WAIT }
  if (typeof step.signal === 'object' && step.signal.schema) return { kind: 'schema', schema: step.signal.schema }
  return null
}

/** What is known of `steps.<step>.<field>`. */
export const knownOutput = (step: StepDefinition, field: string): KnownOutput => {
  if (field === 'status') return { kind: 'text' }
  if (field === 'error') return step.each === undefined ? { kind: 'schema', schema: ERROR } : null
  if (field !== 'output') return null
  return step.each === undefined ? ofBody(step) : { kind: 'list' }
}
