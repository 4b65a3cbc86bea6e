// Every schema of a definition is looked at, wherever it stands.
import type { Definition } from '@stepfleet/contracts'
import { expect, it } from 'vitest'
import { schemaErrors } from './definition-schemas.ts'
import { createSchemaChecks } from './schema-checks.ts'

const WRONG = { type: 'string', pattern: '(?=x)' }
const llm = { model: 'anthropic/claude-haiku-5-5', prompt: 'Hi', output: WRONG }
const agent = {
  ...llm,
  tools: [
    'lookup',
    { name: 'ask', description: 'Asks.', input: { type: 'object', properties: { q: WRONG } }, tool: 'http' },
  ],
}

it('finds all that cannot be used, with their places', () => {
  const definition: Definition = {
    name: 'wrong',
    input: WRONG,
    steps: {
      a: { steps: { b: { llm }, c: { agent, fallback: { llm } } } },
      d: { tool: 'mail', compensate: { llm }, fallback: { agent } },
      e: { signal: { name: 'go', schema: WRONG } },
      f: { llm: { ...llm, output: { type: 'string' } } },
    },
  }
  const found = schemaErrors(definition, createSchemaChecks())
  expect(found.map(({ path }) => path)).toEqual([
    'input',
    'steps.a.steps.b.llm.output',
    'steps.a.steps.c.agent.output',
    'steps.a.steps.c.agent.tools.1.input',
    'steps.a.steps.c.fallback.llm.output',
    'steps.d.fallback.agent.output',
    'steps.d.fallback.agent.tools.1.input',
    'steps.d.compensate.llm.output',
    'steps.e.signal.schema',
  ])
  expect(new Set(found.map(({ message }) => message))).toEqual(
    new Set([
      'the schema cannot be used: the pattern "(?=x)" looks ahead or behind, which cannot be matched in linear time',
    ]),
  )
})
