// OpenAI's protocol as its own SDK sees it.
import OpenAI from 'openai'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Fixture, listOf, openaiOf, PERSON_SCHEMA, startFixture, thrownBy } from '../server.fixture.ts'

const MODEL = 'gpt-4.1'
const TOOL: OpenAI.ChatCompletionTool = {
  type: 'function',
  function: { name: 'lookup', parameters: PERSON_SCHEMA, strict: true },
}

let model: Fixture
let client: OpenAI
beforeEach(async () => {
  model = await startFixture()
  client = openaiOf(model)
})
afterEach(() => model.end())

const ask = (content: string, more: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming> = {}) =>
  client.chat.completions.create({ model: MODEL, messages: [{ role: 'user', content }], ...more })

const streamed = async (
  content: string,
  more: Partial<OpenAI.ChatCompletionCreateParamsStreaming> = {},
): Promise<OpenAI.ChatCompletionChunk[]> => {
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content }]
  const stream = await client.chat.completions.create({ model: MODEL, messages, ...more, stream: true })
  return listOf(stream)
}

describe('an answer', () => {
  it('has text, a reason and usage', async () => {
    const answer = await ask('Say something about tea')
    expect(answer).toMatchObject({ object: 'chat.completion', model: MODEL, choices: [{ finish_reason: 'stop' }] })
    expect(answer.choices[0]?.message.content).toContain('tea')
    const { prompt_tokens = 0, completion_tokens = 0, total_tokens } = answer.usage ?? {}
    expect(total_tokens).toBe(prompt_tokens + completion_tokens)
    expect(model.calls()).toMatchObject([
      { protocol: 'openai', model: MODEL, outcome: 'answered', inputTokens: prompt_tokens },
    ])
  })

  it('streams the same text in pieces, and usage only when asked for', async () => {
    const content = 'Say something about tea'
    const whole = await ask(content)
    const chunks = await streamed(content, { stream_options: { include_usage: true } })
    const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
    expect(text).toBe(whole.choices[0]?.message.content)
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage })
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop')
    expect((await streamed(content)).every(({ usage }) => usage === undefined)).toBe(true)
  })

  it('fits a schema, or is any object', async () => {
    const json_schema = { name: 'person', strict: true, schema: PERSON_SCHEMA }
    const shaped = await ask('Who?', { response_format: { type: 'json_schema', json_schema } })
    expect(JSON.parse(shaped.choices[0]?.message.content ?? '')).toEqual({
      name: expect.any(String),
      mood: expect.stringMatching(/^(glad|sad)$/),
    })
    const free = await ask('Who? In JSON', { response_format: { type: 'json_object' } })
    expect(JSON.parse(free.choices[0]?.message.content ?? '')).toEqual({})
  })

  it('ends at a stop sequence', async () => {
    const answer = await ask('[[scripted: say=one END two]]', { stop: ['END'] })
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'one ' } })
  })
})

describe('tools', () => {
  it('are called until there is an answer, with arguments that fit', async () => {
    const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'Go [[scripted: turns=3]]' }]
    const calls: string[] = []
    for (;;) {
      const { choices } = await client.chat.completions.create({ model: MODEL, messages, tools: [TOOL] })
      const [choice] = choices
      if (!choice?.message.tool_calls) {
        expect(choice?.finish_reason).toBe('stop')
        break
      }
      expect(choice.finish_reason).toBe('tool_calls')
      messages.push(choice.message)
      for (const call of choice.message.tool_calls) {
        if (call.type === 'function')
          expect(JSON.parse(call.function.arguments)).toMatchObject({ mood: expect.stringMatching(/^(glad|sad)$/) })
        calls.push(call.id)
        messages.push({ role: 'tool', tool_call_id: call.id, content: 'found it' })
      }
    }
    expect(calls).toHaveLength(3)
    expect(new Set(calls).size).toBe(3)
    expect(model.calls().map(({ turn }) => turn)).toEqual([1, 2, 3, 4])
  })

  it('come in pieces in a stream, one after the other', async () => {
    const chunks = await streamed('Go [[scripted: parallel=2]]', { tools: [TOOL] })
    const parts = chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? [])
    const bodies = [0, 1].map((index) =>
      parts
        .filter((part) => part.index === index)
        .map((part) => part.function?.arguments ?? '')
        .join(''),
    )
    expect(bodies.map((body) => Object.keys(JSON.parse(body)))).toEqual([
      ['name', 'mood'],
      ['name', 'mood'],
    ])
    expect(parts.filter(({ id }) => id !== undefined)).toHaveLength(2)
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('tool_calls')
  })

  it('are called when they must be, by name, and not when they must not', async () => {
    const other: OpenAI.ChatCompletionTool = { type: 'function', function: { name: 'other' } }
    const tools = [TOOL, other]
    const named = await ask('Go [[scripted: turns=0]]', {
      tools,
      tool_choice: { type: 'function', function: { name: 'other' } },
    })
    expect(named.choices[0]?.message.tool_calls).toMatchObject([{ function: { name: 'other' } }])
    expect((await ask('Go', { tools, tool_choice: 'none' })).choices[0]?.finish_reason).toBe('stop')
    const must = await ask('Go [[scripted: turns=0]]', { tools, tool_choice: 'required' })
    expect(must.choices[0]?.finish_reason).toBe('tool_calls')
  })
})

describe('a request that is refused', () => {
  const open = { type: 'object', properties: {} }
  const call = { id: 'call_1', type: 'function' as const, function: { name: 'lookup', arguments: '{}' } }

  it.each<[string, Partial<OpenAI.ChatCompletionCreateParamsNonStreaming>, RegExp]>([
    [
      'tool calls without results',
      {
        messages: [
          { role: 'assistant', tool_calls: [call] },
          { role: 'user', content: 'well?' },
        ],
      },
      /must be followed by tool messages.*call_1/,
    ],
    ['a result without its call', { messages: [{ role: 'tool', tool_call_id: 'x', content: '' }] }, /role 'tool'/],
    [
      'a strict schema that is open',
      { response_format: { type: 'json_schema', json_schema: { name: 'a', strict: true, schema: open } } },
      /'additionalProperties' is required/,
    ],
    ['the old limit for a model that thinks', { model: 'gpt-5', max_tokens: 5 }, /max_completion_tokens/],
    ['several answers', { n: 2 }, /'n'/],
    ['a directive with a typo', { messages: [{ role: 'user', content: '[[scripted: fial=1]]' }] }, /fial/],
  ])('%s', async (_name, more, message) => {
    const error = await thrownBy(ask('tea', more))
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error).toMatchObject({ status: 400, type: 'invalid_request_error', message: expect.stringMatching(message) })
    expect(model.calls()).toMatchObject([{ outcome: 'rejected', status: 400 }])
  })

  it('no key', async () => {
    const response = await fetch(`${model.url}/v1/chat/completions`, { method: 'POST', body: '{}' })
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_api_key' } })
  })
})

describe('an error', () => {
  it.each<[string, object]>([
    ['error=rate_limited retry-after=3', { status: 429, code: 'rate_limit_exceeded', type: 'requests' }],
    ['error=authentication_failed', { status: 401, code: 'invalid_api_key' }],
    ['error=model_not_found', { status: 404, code: 'model_not_found' }],
    ['error=context_too_long', { status: 400, code: 'context_length_exceeded' }],
    ['error=overloaded', { status: 503, code: 'engine_overloaded', type: 'server_error' }],
    ['fail=500 message=oh', { status: 500, message: '500 oh' }],
  ])('%s is one of the SDK', async (directive, expected) => {
    const error = await thrownBy(ask(`tea [[scripted: ${directive}]]`))
    expect(error).toBeInstanceOf(OpenAI.APIError)
    expect(error).toMatchObject({ requestID: expect.stringMatching(/^req_/), ...expected })
  })

  it('has its wait in a header', async () => {
    const error = await thrownBy(ask('tea [[scripted: fail=429 retry-after=171]]'))
    expect(error instanceof OpenAI.RateLimitError ? error.headers.get('retry-after') : null).toBe('171')
  })

  it('inside a stream comes after what was said', async () => {
    const messages = [{ role: 'user' as const, content: 'tea [[scripted: error=overloaded in=stream]]' }]
    const stream = await client.chat.completions.create({ model: MODEL, messages, stream: true })
    const said: string[] = []
    const reading = (async () => {
      for await (const { choices } of stream) said.push(choices[0]?.delta.content ?? '')
    })()
    expect(await thrownBy(reading)).toMatchObject({ code: 'engine_overloaded', status: undefined })
    expect(said.join('')).toContain('tea')
  })
})
