// Requests as OpenAI and servers like it get them.
import type { Json } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { isStrict, paramsOf } from './openai-request.ts'
import { FOREIGN, LOOKUP, requestOf } from './request.fixture.ts'

const OPENAI = { name: 'openai', compatible: false }
const OLLAMA = { name: 'ollama', compatible: true }
const FORMAT = {
  type: 'object',
  properties: { x: { type: 'string' } },
  required: ['x'],
  additionalProperties: false,
}

describe('a request to OpenAI', () => {
  it('is streamed, with usage, and with a limit on tokens', () => {
    expect(paramsOf(requestOf(), OPENAI, true)).toEqual({
      model: 'some-model',
      messages: [{ role: 'user', content: 'tea' }],
      stream: true,
      stream_options: { include_usage: true },
      max_completion_tokens: 4_096,
    })
  })

  it('carries system, settings, tools and a schema', () => {
    const settings = { max_tokens: 50, temperature: 0.5, top_p: 0.9, stop: ['END'], thinking: 'low' as const }
    const request = requestOf({ system: 'S', settings, tools: [LOOKUP], toolChoice: 'none', format: FORMAT })
    expect(paramsOf(request, OPENAI, true)).toMatchObject({
      messages: [{ role: 'system', content: 'S' }, { role: 'user' }],
      max_completion_tokens: 50,
      temperature: 0.5,
      top_p: 0.9,
      stop: ['END'],
      reasoning_effort: 'low',
      tools: [{ type: 'function', function: { name: 'lookup', parameters: { type: 'object', required: ['q'] } } }],
      tool_choice: 'none',
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: FORMAT, strict: true } },
    })
  })

  it('tells models that take tools only without reasoning not to reason, unless the step wants it', () => {
    const effort = (model: string, more = {}) =>
      paramsOf(requestOf({ model, tools: [LOOKUP], ...more }), OPENAI, true).reasoning_effort
    expect(effort('gpt-6-sol')).toBe('none')
    expect(effort('gpt-5.6-luna')).toBe('none')
    expect(effort('gpt-6-sol', { settings: { thinking: 'high' } })).toBe('high')
    expect(effort('gpt-4.1')).toBeUndefined()
    expect(effort('gpt-6-sol', { tools: [] })).toBeUndefined()
  })

  it.each([{ top_k: 3 }, { thinking: { budget: 2_000 } }])('refuses %j, which it cannot say', (settings) => {
    expect(() => paramsOf(requestOf({ settings }), OPENAI, true)).toThrow(
      expect.objectContaining({ failure: expect.objectContaining({ code: 'bad_request' }) }),
    )
  })

  it('sends its own answers back as they came', () => {
    const own = { role: 'assistant', content: null, tool_calls: [{ id: 'c', own: { kept: [1] } }] }
    const messages = paramsOf(
      requestOf({ messages: [{ role: 'answer', content: [own], text: '', toolUses: [] }] }),
      OPENAI,
      true,
    ).messages
    expect(messages).toEqual([own])
  })

  it('says again what another provider answered, and pairs each call with its result', () => {
    expect(paramsOf(requestOf({ messages: FOREIGN }), OPENAI, true).messages).toEqual([
      { role: 'user', content: 'Go' },
      {
        role: 'assistant',
        content: 'Wait.',
        tool_calls: [
          { id: 'a', type: 'function', function: { name: 'lookup', arguments: '{"q":"rain"}' } },
          { id: 'b', type: 'function', function: { name: 'lookup', arguments: '{"q":"sun"}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'a', content: 'wet' },
      { role: 'tool', tool_call_id: 'b', content: 'error: timeout: slow' },
    ])
  })
})

describe('a request to a server that speaks like OpenAI', () => {
  it('uses the older limit, and tells the schema also in the prompt', () => {
    const params = paramsOf(requestOf({ system: 'S', format: FORMAT }), OLLAMA, true)
    expect(params).toMatchObject({ max_tokens: 4_096, response_format: { type: 'json_schema' } })
    expect(params.max_completion_tokens).toBeUndefined()
    expect(params.messages[0]).toMatchObject({
      role: 'system',
      content: expect.stringMatching(/^S\n\n.*"additionalProperties"/s),
    })
  })

  it('leaves the schema to the prompt where the server knows none', () => {
    expect(paramsOf(requestOf({ format: FORMAT }), OLLAMA, false).response_format).toBeUndefined()
  })
})

it.each<[string, Json, boolean]>([
  ['a closed object with all properties required', FORMAT, true],
  ['a property that may be missing', { ...FORMAT, required: [] }, false],
  ['an open object', { type: 'object', properties: { x: {} }, required: ['x'] }, false],
  ['one inside a list', { type: 'array', items: { ...FORMAT, required: [] } }, false],
  ['one behind a definition', { ...FORMAT, $defs: { d: { ...FORMAT, required: [] } } }, false],
  ['a union', { anyOf: [FORMAT, { type: 'null' }] }, true],
  ['allOf', { allOf: [FORMAT] }, false],
])('whether a schema is strict: %s', (_what, schema, expected) => {
  expect(isStrict(schema)).toBe(expected)
})
