// Anthropic's protocol as its own SDK sees it; the wire itself is in server.http.test.ts.
import Anthropic from '@anthropic-ai/sdk'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anthropicOf, type Fixture, PERSON_SCHEMA, startFixture, thrownBy } from '../server.fixture.ts'

const MODEL = 'claude-sonnet-5-5'

let model: Fixture
let client: Anthropic
beforeEach(async () => {
  model = await startFixture()
  client = anthropicOf(model)
})
afterEach(() => model.end())

const ask = (content: string, more: Partial<Anthropic.MessageCreateParamsNonStreaming> = {}) =>
  client.messages.create({ model: MODEL, max_tokens: 1024, messages: [{ role: 'user', content }], ...more })

const tools: Anthropic.Tool[] = [{ name: 'lookup', input_schema: { ...PERSON_SCHEMA, type: 'object' } }]

describe('an answer', () => {
  it('streams into the message that it is in one piece', async () => {
    const content = 'Go [[scripted: parallel=2]]'
    const params = { model: MODEL, max_tokens: 1024, tools, messages: [{ role: 'user' as const, content }] }
    const streamed = await client.messages.stream(params).finalMessage()
    const whole = await ask(content, { tools })
    expect(streamed.content.map(({ type }) => type)).toEqual(['text', 'tool_use', 'tool_use'])
    expect(whole.content).toMatchObject([
      { type: 'text' },
      { type: 'tool_use', input: { name: expect.any(String) } },
      { type: 'tool_use' },
    ])
    expect(streamed.stop_reason).toBe('tool_use')
    expect(streamed.usage.output_tokens).toBe(whole.usage.output_tokens)
  })

  it('has one tool call at a time for a client that takes no more', async () => {
    const two = [...tools, { name: 'other', input_schema: { type: 'object' as const } }]
    const first = await ask('Go [[scripted: turns=5]]', { tools: two })
    const results = first.content.flatMap((block): Anthropic.ToolResultBlockParam[] =>
      block.type === 'tool_use' ? [{ type: 'tool_result', tool_use_id: block.id, content: 'found' }] : [],
    )
    const messages: Anthropic.MessageParam[] = [
      { role: 'user', content: 'Go [[scripted: turns=5]]' },
      { role: 'assistant', content: first.content },
      { role: 'user', content: results },
    ]
    const callsOf = async (disable_parallel_tool_use: boolean): Promise<number> => {
      const tool_choice = { type: 'auto' as const, disable_parallel_tool_use }
      const { content } = await ask('', { tools: two, messages, tool_choice })
      return content.filter(({ type }) => type === 'tool_use').length
    }
    expect([await callsOf(false), await callsOf(true)]).toEqual([2, 1])
  })
})

it.each<[string, number]>([
  ['error=rate_limited', 429],
  ['error=overloaded', 529],
  ['error=quota_exhausted', 402],
  ['error=context_too_long', 400],
  ['error=model_not_found', 404],
])('%s is an error of the SDK', async (directive, status) => {
  const error = await thrownBy(ask(`tea [[scripted: ${directive}]]`))
  expect(error).toBeInstanceOf(Anthropic.APIError)
  expect(error).toMatchObject({ status })
})
