// Answers that must fit a schema, and the turns of agents, over HTTP.
import { type FailureCode, failure, type Json, turnOutputSchema } from '@stepfleet/contracts'
import { createSchemaChecks } from '@stepfleet/schemas'
import type { StopReason } from '@stepfleet/scripted-model'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AGENT, type Bench, startBench } from './handle.fixture.ts'
import { contextOf, eventsOf, llmInput, memoryRecord } from './task.fixture.ts'

let bench: Bench
beforeEach(async () => {
  bench = await startBench()
})
afterEach(() => bench.stop())

describe('an output schema', () => {
  const REPORT = {
    type: 'object',
    required: ['text', 'confidence'],
    properties: { text: { type: 'string', minLength: 1 }, confidence: { type: 'number', minimum: 0, maximum: 1 } },
  }

  it.each<[string, Record<string, Json>]>([
    ['an object with bounds', REPORT],
    ['a list', { type: 'array', items: { type: 'string' }, minItems: 5 }],
    ['a word', { enum: ['yes', 'no'] }],
    ['a number', { type: 'integer', minimum: 3, maximum: 9 }],
    [
      'an object of objects',
      { type: 'object', properties: { a: REPORT, b: { type: 'array', items: REPORT } }, required: ['a', 'b'] },
    ],
    ['definitions', { $defs: { r: REPORT }, type: 'array', items: { $ref: '#/$defs/r' } }],
    ['free keys', { type: 'object', additionalProperties: { type: 'number' }, required: ['x'] }],
    [
      'itself',
      {
        $defs: {
          t: {
            type: 'object',
            properties: {
              name: { type: 'string' },
              kids: { type: 'array', items: { $ref: '#/$defs/t' }, maxItems: 1 },
            },
            required: ['name'],
          },
        },
        $ref: '#/$defs/t',
      },
    ],
    ['anything', {}],
    [
      'an email',
      {
        type: 'object',
        properties: { to: { type: 'string', format: 'email' }, at: { type: 'string', format: 'date-time' } },
        required: ['to', 'at'],
      },
    ],
  ])('of %s gives a value that fits', async (_name, output) => {
    const result = await bench.handler.run(contextOf(llmInput('Report on tea', { output })))
    expect(createSchemaChecks().check(output, result.output)).toEqual([])
    expect(bench.calls()).toHaveLength(1)
  })

  it.each(['malformed', 'malformed=schema'])(
    'is asked for once more after %s, and both calls are paid for',
    async (fault) => {
      const { output, usage } = await bench.handler.run(
        contextOf(llmInput(`[[scripted: ${fault} times=1]] tea`, { output: REPORT })),
      )
      expect(output).toMatchObject({ confidence: 0.75 })
      const calls = bench.calls()
      expect(calls.map(({ turn }) => turn)).toEqual([1, 2])
      expect(usage?.inputTokens).toBe(calls.reduce((sum, call) => sum + call.inputTokens, 0))
      expect(usage?.outputTokens).toBe(calls.reduce((sum, call) => sum + call.outputTokens, 0))
    },
  )

  it('that is missed twice is malformed_output, with what is wrong', async () => {
    const { failure: given, usage } = await bench.failing(
      llmInput('[[scripted: malformed=schema]] tea', { output: REPORT }),
    )
    expect(given).toMatchObject({
      code: 'malformed_output',
      class: 'transient',
      details: { errors: ['the value: must be object'] },
    })
    expect(bench.handler.countsAgainstDependency(given)).toBe(false)
    expect(bench.calls()).toHaveLength(2)
    expect(usage?.inputTokens).toBe(bench.calls().reduce((sum, call) => sum + call.inputTokens, 0))
  })

  it('tells the model what was wrong', async () => {
    const prompts: string[] = []
    await bench.script(({ prompt, turn }) => {
      prompts.push(prompt)
      return {
        type: 'message',
        text: turn === 1 ? '{"text": "", "confidence": 2}' : '```json\n{"text": "x", "confidence": 1}\n```',
      }
    })
    const { output } = await bench.handler.run(contextOf(llmInput('tea', { output: REPORT })))
    expect(output).toEqual({ text: 'x', confidence: 1 })
    expect(prompts[1]).toMatch(/- text: must NOT have fewer than 1 characters\n- confidence: must be <= 1/)
  })

  it('keeps the price of the first call when the second one fails', async () => {
    await bench.script(({ turn }) =>
      turn === 1 ? { type: 'message', text: 'no json' } : { type: 'error', status: 529, message: 'busy' },
    )
    const { failure: given, usage } = await bench.failing(llmInput('tea', { output: REPORT }))
    expect(given.code).toBe('overloaded')
    expect(usage?.inputTokens).toBeGreaterThan(0)
  })

  it('that is no schema fails before anything is paid for', async () => {
    const { failure: given } = await bench.failing(llmInput('tea', { output: { type: 'objekt' } }))
    expect(given).toMatchObject({ code: 'bad_request', message: expect.stringContaining('output schema') })
    expect(bench.calls()).toEqual([])
  })
})

describe("an agent's turn", () => {
  it('that asks for tools answers them, and the content to send back', async () => {
    const { output } = await bench.handler.run(
      contextOf(llmInput('Go [[scripted: turns=1 parallel=2]]', { agent: AGENT })),
    )
    const turn = turnOutputSchema.parse(output)
    expect(turn.toolUses.map(({ name }) => name)).toEqual(['lookup', 'lookup'])
    expect(turn.content).toMatchObject([
      { type: 'text' },
      { type: 'tool_use', input: turn.toolUses[0]?.input },
      { type: 'tool_use' },
    ])
  })

  it('that ends it has the answer in text', async () => {
    const { output } = await bench.handler.run(
      contextOf(llmInput('Go [[scripted: turns=0]] [[scripted: say=Done.]]', { agent: AGENT })),
    )
    expect(output).toMatchObject({ text: 'Done.', toolUses: [] })
  })

  it('sends the turns before it, in pairs', async () => {
    const first = turnOutputSchema.parse(
      (await bench.handler.run(contextOf(llmInput('Go [[scripted: turns=1]]', { agent: AGENT })))).output,
    )
    const record = memoryRecord(
      eventsOf([
        { type: 'step.completed', path: 'work/turn-1/llm', output: { value: { ...first } } },
        { type: 'step.failed', path: 'work/turn-1/tool-0', failure: failure('tool_failed', 'it is raining') },
      ]),
    )
    const input = llmInput('Go [[scripted: turns=1]]', { agent: { ...AGENT, turn: 2, history: [1, 2] } })
    const { output } = await bench.handler.run(contextOf(input, { record }))
    // the scripted server refuses a conversation that is not paired
    expect(output).toMatchObject({ toolUses: [], text: expect.stringContaining('tool_failed: it is raining') })
    expect(bench.calls().map(({ turn }) => turn)).toEqual([1, 2])
  })

  it('with a schema gives the checked value as JSON text', async () => {
    const output = { type: 'array', items: { type: 'string' }, minItems: 2 }
    const done = await bench.handler.run(
      contextOf(llmInput('Go [[scripted: turns=0]] [[scripted: malformed times=1]]', { agent: AGENT, output })),
    )
    const value: Json = JSON.parse(turnOutputSchema.parse(done.output).text)
    expect(value).toHaveLength(3)
    expect(bench.calls()).toHaveLength(2)
  })

  it.each<[string, FailureCode]>([
    ['stop=max_tokens', 'output_truncated'],
    ['malformed', 'malformed_output'],
  ])('never repairs the arguments of a tool: %s', async (fault, code) => {
    const { failure: given, usage } = await bench.failing(
      llmInput(`Go [[scripted: turns=1]] [[scripted: ${fault}]]`, { agent: AGENT }),
    )
    expect(given.code).toBe(code)
    expect(usage?.outputTokens).toBeGreaterThan(0)
  })

  it.each<[StopReason, FailureCode]>([
    ['tool_use', 'malformed_output'],
    ['max_tokens', 'output_truncated'],
  ])('is not taken in part when one of its calls is cut (%s)', async (stop, code) => {
    const whole = { name: 'lookup', input: { q: 'tea' } }
    await bench.script(() => ({ type: 'message', text: '', stop, toolUses: [whole, { ...whole, raw: '{"q": "te' }] }))
    expect((await bench.failing(llmInput('Go', { agent: AGENT }))).failure.code).toBe(code)
  })

  it('takes a tool without arguments for one with none', async () => {
    await bench.script(() => ({ type: 'message', text: '', toolUses: [{ name: 'lookup', input: {}, raw: '' }] }))
    const { output } = await bench.handler.run(contextOf(llmInput('Go', { agent: AGENT })))
    expect(output).toMatchObject({ toolUses: [{ name: 'lookup', input: {} }] })
  })

  it('may not ask for tools when it is asked to correct its answer', async () => {
    const choices: string[] = []
    await bench.script(({ toolChoice, tools, turn }) => {
      choices.push(`${toolChoice} of ${tools.length}`)
      return { type: 'message', text: turn === 1 ? 'no json' : '{"value": 1}' }
    })
    const { output } = await bench.handler.run(contextOf(llmInput('Go', { agent: AGENT, output: { type: 'integer' } })))
    expect(output).toMatchObject({ text: '1', toolUses: [] })
    expect(choices).toEqual(['auto of 1', 'none of 1'])
  })
})
