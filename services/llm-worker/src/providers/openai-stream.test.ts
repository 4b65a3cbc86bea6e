// Answers out of chunks, also those of servers that only speak like OpenAI.
import type { ChatCompletionChunk } from 'openai/resources/chat/completions'
import { describe, expect, it } from 'vitest'
import type { Collected } from './collected.ts'
import { ChatCollector } from './openai-stream.ts'

// chunks come from JSON, and a test may leave out what a server leaves out
const collected = (...chunks: object[]): Collected => {
  const collector = new ChatCollector('default/r1/work/turn-1/llm')
  for (const chunk of chunks) collector.add(JSON.parse(JSON.stringify(chunk)) as ChatCompletionChunk)
  return collector.result()
}
const delta = (given: object, finish: string | null = null) => ({
  choices: [{ index: 0, delta: given, finish_reason: finish }],
})
const call = (more: object, index: number | undefined = 0) => delta({ tool_calls: [{ index, ...more }] })

describe('an answer', () => {
  it('is text in pieces', () => {
    const { content, text, whole, stopped } = collected(
      delta({ role: 'assistant', content: '' }),
      delta({ content: 'Te' }),
      delta({ content: 'a' }),
      delta({}, 'stop'),
    )
    expect({ content, text, whole, stopped }).toEqual({
      content: [{ role: 'assistant', content: 'Tea' }],
      text: 'Tea',
      whole: true,
      stopped: null,
    })
  })

  it('counts cached tokens apart from the others', () => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 20,
      prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 30 },
    }
    expect(collected({ choices: [], usage }).tokens).toEqual({
      inputTokens: 10,
      outputTokens: 20,
      cacheReadTokens: 60,
      cacheWriteTokens: 30,
    })
    expect(collected({ choices: [], usage: { prompt_tokens: 5, completion_tokens: 1 } }).tokens).toMatchObject({
      inputTokens: 5,
      cacheReadTokens: 0,
    })
    expect(collected(delta({}, 'stop')).tokens).toBeNull()
  })

  it('asks for tools, several in pieces that take turns', () => {
    const { content, toolUses, stopped } = collected(
      call({ id: 'c1', type: 'function', function: { name: 'lookup', arguments: '' } }),
      call({ id: 'c2', type: 'function', function: { name: 'add', arguments: '{"a"' } }, 1),
      call({ function: { arguments: '{"q":' } }),
      call({ function: { arguments: ':1}' } }, 1),
      call({ function: { arguments: '"x"}' } }),
      delta({}, 'tool_calls'),
    )
    expect(stopped).toBeNull()
    expect(toolUses).toEqual([
      { id: 'c1', name: 'lookup', input: { q: 'x' } },
      { id: 'c2', name: 'add', input: { a: 1 } },
    ])
    expect(content).toEqual([
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          { id: 'c1', type: 'function', function: { name: 'lookup', arguments: '{"q":"x"}' } },
          { id: 'c2', type: 'function', function: { name: 'add', arguments: '{"a":1}' } },
        ],
      },
    ])
  })

  it.each(['', '{"q": "x', '{"q": x}', 'null}'])(
    'with the arguments %j is malformed, and says how they began',
    (raw) => {
      const { stopped, toolUses } = collected(
        call({ id: 'c1', function: { name: 'lookup', arguments: raw } }),
        delta({}, 'tool_calls'),
      )
      expect(stopped).toMatchObject({
        code: 'malformed_output',
        details: { tool: 'lookup', arguments: raw, length: raw.length },
      })
      expect(toolUses).toEqual([])
    },
  )

  it.each([
    ['length', 'output_truncated'],
    ['content_filter', 'refused_by_model'],
    ['tool_calls', 'malformed_output'],
    ['function_call', 'provider_error'],
    ['something_new', 'provider_error'],
  ])('that stops for %s is none: %s', (finish, code) => {
    expect(collected(delta({ content: 'so far' }), delta({}, finish)).stopped).toMatchObject({ code })
  })

  it('cut off in the middle of arguments was cut off', () => {
    const cut = collected(call({ id: 'c1', function: { name: 'lookup', arguments: '{"q' } }), delta({}, 'length'))
    expect(cut.stopped).toMatchObject({ code: 'output_truncated' })
  })

  it('that is a refusal says why', () => {
    const { stopped } = collected(delta({ refusal: 'I will ' }), delta({ refusal: 'not.' }), delta({}, 'stop'))
    expect(stopped).toMatchObject({ code: 'refused_by_model', message: expect.stringContaining('I will not.') })
  })

  it('without a reason for stopping is not whole', () => {
    expect(collected(delta({ content: 'Te' })).whole).toBe(false)
    expect(collected().whole).toBe(false)
  })
})

describe('servers that only speak like OpenAI', () => {
  it('may name no calls: names are made up, the same each time and different in each turn', () => {
    const chunks = [
      call({ function: { name: 'lookup', arguments: '{}' } }, 0),
      call({ function: { name: 'lookup', arguments: '{}' } }, 1),
      delta({}, 'stop'),
    ]
    const ids = collected(...chunks).toolUses.map(({ id }) => id)
    expect(new Set(ids).size).toBe(2)
    expect(collected(...chunks).toolUses.map(({ id }) => id)).toEqual(ids)
    const later = new ChatCollector('default/r1/work/turn-2/llm')
    for (const chunk of chunks) later.add(JSON.parse(JSON.stringify(chunk)) as ChatCompletionChunk)
    expect(later.result().toolUses.map(({ id }) => id)).not.toEqual(ids)
  })

  it('may put two calls under one index, or leave the index out', () => {
    const uses = collected(
      delta({ tool_calls: [{ id: 'c1', function: { name: 'a', arguments: '{}' } }] }),
      delta({ tool_calls: [{ id: 'c2', function: { name: 'b', arguments: '{}' } }] }),
      delta({}, 'stop'),
    ).toolUses
    expect(uses.map(({ id, name }) => [id, name])).toEqual([
      ['c1', 'a'],
      ['c2', 'b'],
    ])
  })

  it('get fields of their own and their reasoning back with the calls', () => {
    const { content } = collected(
      delta({ reasoning_content: 'Hm' }),
      delta({ reasoning_content: '.' }),
      call({
        id: 'c1',
        extra_content: { google: { thought_signature: 's' } },
        function: { name: 'a', arguments: '{}' },
      }),
      delta({}, 'tool_calls'),
    )
    expect(content).toMatchObject([
      { reasoning_content: 'Hm.', tool_calls: [{ id: 'c1', extra_content: { google: { thought_signature: 's' } } }] },
    ])
  })
})
