// things: definitions, tools, failures and answers that many scenarios need.
import { type Definition, failure, type Json, type ToolManifest, type Usage } from '@stepfleet/contracts'

export const MODEL = 'anthropic/claude-haiku-5-5'

/** A definition of these steps. */
export const workflow = (steps: Definition['steps'], more: Partial<Definition> = {}): Definition => ({
  name: 'scenario',
  ...more,
  steps,
})

/** A tool as a worker publishes it. */
export const moduleTool = (name: string, effect: ToolManifest['effect']): ToolManifest => ({
  spec: { name, description: `the ${name}`, input: { type: 'object' } },
  effect,
  secrets: [],
})

/** What one model call is charged: 10 and 5 tokens, 35 millionths of a dollar. */
export const USAGE: Usage = {
  model: 'anthropic/claude-haiku-5-5',
  inputTokens: 10,
  outputTokens: 5,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  microUsd: 35,
}

/** Failures by their catalogue class. */
export const TRANSIENT = failure('provider_error', 'it stumbled')
export const PERMANENT = failure('bad_request', 'it cannot work')
export const AMBIGUOUS = failure('outcome_unknown', 'nobody knows')

/** What a turn of an agent answers: the tools it calls, each with its arguments. */
export const calls = (...uses: readonly (readonly [name: string, args?: Json])[]): Json => ({
  content: [{ type: 'text', text: 'let me see' }],
  text: '',
  toolUses: uses.map(([name, input = {}], index) => ({ id: `use_${index}`, name, input })),
})

/** What a turn of an agent answers at last. */
export const says = (text: string): Json => ({ content: [{ type: 'text', text }], text, toolUses: [] })
