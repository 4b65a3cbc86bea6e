// What simulate refuses: definitions, input and options that cannot be meant.
import { expect, test } from 'vitest'
import { InvalidDefinition, InvalidInput, InvalidOptions, TooManyEvents } from './errors.ts'
import type { SimulateOptions } from './options.ts'
import { simulate } from './simulate.ts'
import { MODEL, workflow } from './workflow.fixture.ts'

const DEFINITION = workflow({
  draft: { llm: { model: MODEL, prompt: 'x' } },
  ask: { approval: { show: 1 } },
  nap: { wait: '1m' },
})

test('all problems of a definition come at once, with their places', async () => {
  const broken = { name: 'x', steps: { a: { llm: { model: 'm', promt: 1 } }, b: { value: '${{ steps.c.output }}' } } }
  const error: unknown = await simulate(broken).catch((cause: unknown) => cause)
  expect(error).toBeInstanceOf(InvalidDefinition)
  const places = error instanceof InvalidDefinition ? error.problems.map(({ path }) => path) : []
  expect(places).toEqual(expect.arrayContaining(['steps.a.llm.model', 'steps.a.llm.promt']))
  const child = simulate(DEFINITION, { workflows: { other: JSON.parse('{"name":"other"}') } })
  await expect(child).rejects.toThrow('workflows.other.steps')
})

test('the input must fit its schema', async () => {
  const definition = workflow({ a: { value: 1 } }, { input: { type: 'object', required: ['topic'] } })
  await expect(simulate(definition, { input: {} })).rejects.toThrow(InvalidInput)
  await expect(simulate(definition)).rejects.toThrow('input: must be object')
  expect(await simulate(definition, { input: { topic: 1 } })).toMatchObject({ status: 'completed' })
})

const REFUSED: [name: string, options: unknown, message: string][] = [
  ['an option that is none', { mock: {} }, 'there is no option mock'],
  ['a mock of no step', { mocks: { drat: 1 } }, 'mocks: nothing is named drat; did you mean draft?'],
  ['a mock of no tool', { mocks: { 'tool:send': 1 } }, 'nothing is named send'],
  ['a mock of no model', { mocks: { 'model:a/b': 1 } }, 'nothing is named a/b'],
  ['a mock of an approval', { mocks: { ask: true } }, 'answer it in `people`'],
  ['a mock of a wait', { mocks: { nap: 1 } }, 'nap is a step of kind wait'],
  ['a failure code that is none', { mocks: { draft: { fail: 'rate_limit' } } }, 'is no failure code'],
  ['an empty sequence', { mocks: { draft: { sequence: [] } } }, 'the sequence is empty'],
  ['turns of what is no agent', { mocks: { draft: { turns: ['x'] } } }, 'draft is no agent'],
  [
    'a fault of two kinds',
    { faults: [{ crashAfter: 'draft', deliverTwice: 'draft' }] },
    'faults[0] must have exactly one',
  ],
  ['a fault at no step', { faults: [{ crashAfter: 'drft' }] }, 'did you mean draft?'],
  ['a lost worker of what no worker runs', { faults: [{ loseWorker: { step: 'nap' } }] }, 'which no worker runs'],
  ['an answer that says nothing', { people: { ask: { by: 'ann' } } }, 'people.ask says either'],
  ['an answer of nobody asked', { people: { aks: { approved: true } } }, 'did you mean ask?'],
  ['an override without output', { people: { draft: { action: 'override' } } }, 'needs its output'],
  ['a duration that is none', { durations: { draft: '2 s' } }, 'is no duration'],
  ['a signal after no duration', { signals: [{ name: 'x', payload: 1, after: 'soon' }] }, 'signals[0].after'],
]

test.each(REFUSED)('%s is refused', async (_, options, message) => {
  const refused = simulate(DEFINITION, options as SimulateOptions)
  await expect(refused).rejects.toThrow(InvalidOptions)
  await expect(refused).rejects.toThrow(message)
})

test('an output that looks like a failure is given by a function', async () => {
  const definition = workflow({ a: { tool: 'x' } })
  expect(await simulate(definition, { mocks: { a: () => ({ fail: 'grade F' }) } })).toMatchObject({
    output: { a: { fail: 'grade F' } },
  })
})

test('what a mock throws is thrown: a test may expect something in it', async () => {
  const mocks = {
    draft: () => {
      throw new Error('not like this')
    },
  }
  await expect(simulate(DEFINITION, { mocks })).rejects.toThrow('not like this')
})

test('a workflow with too many events is stopped, with the step that made them', async () => {
  const definition = workflow({ many: { tool: 'x', each: { in: '${{ input }}' } } })
  const input = Array.from({ length: 100 }, (_, index) => index)
  await expect(simulate(definition, { input, maxEvents: 150 })).rejects.toThrow(TooManyEvents)
  await expect(simulate(definition, { input, maxEvents: 150 })).rejects.toThrow('most of them are of many')
})
