// Answers that must fit a schema, and agents, through the handler and each provider: the scripted server refuses what the real API
// would refuse, and answers with what it was asked for.
import type { Json } from '@stepfleet/contracts'
import { createSchemaChecks } from '@stepfleet/schemas'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createConversations } from '../conversation.ts'
import { createHandler } from '../handle.ts'
import { contextOf, eventsOf, llmInput, memoryRecord } from '../task.fixture.ts'
import { ConformanceBench, SUBJECTS } from './conformance.fixture.ts'
import { LOOKUP } from './request.fixture.ts'

const REPORT = {
  type: 'object',
  required: ['text', 'confidence'],
  properties: { text: { type: 'string', minLength: 1 }, confidence: { type: 'number', minimum: 0, maximum: 1 } },
}

describe.each(SUBJECTS)('$name', (subject) => {
  const model = `${subject.name}/${subject.model}`
  let bench: ConformanceBench
  beforeEach(async () => {
    bench = new ConformanceBench(subject)
    await bench.serve(() => null)
  })
  afterEach(() => bench.stop())

  const handler = () =>
    createHandler({
      providers: [bench.provider()],
      conversations: createConversations(1_000_000),
      checks: createSchemaChecks(),
    })

  it.each<[string, Record<string, Json>]>([
    ['an object with bounds', REPORT],
    ['an object that may lack a property', { ...REPORT, required: ['text'] }],
    ['a list', { type: 'array', items: { type: 'string' }, minItems: 5 }],
    ['a word', { enum: ['yes', 'no'] }],
    ['definitions', { $defs: { r: REPORT }, type: 'array', items: { $ref: '#/$defs/r' } }],
    ['free keys', { type: 'object', additionalProperties: { type: 'number' }, required: ['x'] }],
    ['anything', {}],
  ])('gives %s that fits', async (_what, output) => {
    const result = await handler().run(contextOf(llmInput('Report on tea', { model, output })))
    expect(createSchemaChecks().check(output, result.output)).toEqual([])
    expect(bench.outcomes()).toEqual(['answered'])
  })

  it('is asked once more for one that does not', async () => {
    const input = llmInput('[[scripted: malformed times=1]] Report on tea', { model, output: REPORT })
    const { output, usage } = await handler().run(contextOf(input))
    expect(createSchemaChecks().check(REPORT, output)).toEqual([])
    expect(bench.outcomes()).toEqual(['answered', 'answered'])
    expect(usage?.model).toBe(model)
  })

  it('works as an agent with a schema: a turn of tools, then a value', async () => {
    const prompt = '[[scripted: turns=1 parallel=2]] Find out about tea'
    const agent = { path: 'work', turn: 1, tools: [LOOKUP], history: [] }
    const first = await handler().run(
      contextOf(llmInput(prompt, { model, output: REPORT, agent }), { path: 'work/turn-1/llm' }),
    )
    expect(first.output).toMatchObject({ toolUses: [{ name: 'lookup' }, { name: 'lookup' }] })
    const events = eventsOf([
      { type: 'step.completed', path: 'work/turn-1/llm', output: { value: first.output } },
      { type: 'step.completed', path: 'work/turn-1/tool-0', output: { value: 'rain' } },
      { type: 'step.completed', path: 'work/turn-1/tool-1', output: { value: { mm: 3 } } },
    ])
    const next = { ...agent, turn: 2, history: events.map(({ seq }) => seq) }
    const second = await handler().run(
      contextOf(llmInput(prompt, { model, output: REPORT, agent: next }), {
        path: 'work/turn-2/llm',
        record: memoryRecord(events),
      }),
    )
    expect(second.output).toMatchObject({ toolUses: [] })
    const { text } = second.output as { text: string }
    expect(createSchemaChecks().check(REPORT, JSON.parse(text))).toEqual([])
  })
})
