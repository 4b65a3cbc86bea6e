// What goes to the API: marks for its cache, thinking, and turns that another provider answered.
import type { Json, ToolSpec } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { requestOf } from './anthropic.fixture.ts'
import { paramsOf } from './anthropic-request.ts'
import type { ModelMessage, ModelRequest } from './provider.ts'

const tool = (name: string): ToolSpec => ({ name, description: 'd', input: { type: 'object' } })
const MARK = { type: 'ephemeral' }

/** A conversation of an agent after so many turns, with three tools in each. */
const conversation = (turns: number): ModelMessage[] => [
  { role: 'user', text: 'Go' },
  ...Array.from({ length: turns }, (_, turn): ModelMessage[] => {
    const ids = ['a', 'b', 'c'].map((name) => `${name}${turn}`)
    return [
      {
        role: 'answer',
        content: ids.map((id) => ({ type: 'tool_use', id, name: 'look', input: {} })),
        text: '',
        toolUses: ids.map((id) => ({ id, name: 'look', input: {} })),
      },
      { role: 'results', results: ids.map((id) => ({ id, isError: false, content: 'x' })) },
    ]
  }).flat(),
]

/** Places of the marks, like `messages.0.content.0`. */
const marksIn = (value: unknown, at = ''): string[] => {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'cache_control' ? [at.slice(1)] : marksIn(inner, `${at}.${key}`),
  )
}
const marked = (more: Partial<ModelRequest>): string[] =>
  marksIn(paramsOf(requestOf({ system: 'S', tools: [tool('look'), tool('find')], settings: { cache: true }, ...more })))

describe('marks for the cache', () => {
  it('stand at the tools, the system prompt, and where this turn and the one before it begin', () => {
    expect(marked({ messages: conversation(0) }).sort()).toEqual(['messages.0.content.0', 'system.0', 'tools.1'])
    expect(marked({ messages: conversation(1) }).sort()).toEqual([
      'messages.0.content.0',
      'messages.2.content.2',
      'system.0',
      'tools.1',
    ])
    expect(marked({ messages: conversation(30) }).sort()).toEqual([
      'messages.58.content.2',
      'messages.60.content.2',
      'system.0',
      'tools.1',
    ])
  })

  it('are never more than the API takes, and the last of a turn is one of the next', () => {
    for (const turns of [0, 1, 2, 17]) {
      const now = marked({ messages: conversation(turns) })
      expect(now.length).toBeLessThanOrEqual(4)
      const next = marked({ messages: conversation(turns + 1) })
      expect(next).toContain(now.filter((place) => place.startsWith('messages')).at(-1))
    }
  })

  it('change nothing else of the request', () => {
    const messages = conversation(3)
    const plain = paramsOf(requestOf({ system: 'S', tools: [tool('look')], messages }))
    const cached = paramsOf(requestOf({ system: 'S', tools: [tool('look')], messages, settings: { cache: true } }))
    const bare = JSON.parse(JSON.stringify(cached, (key, value) => (key === 'cache_control' ? undefined : value)))
    expect(bare.tools).toEqual(plain.tools)
    expect(bare.system).toEqual([{ type: 'text', text: plain.system }])
    expect(bare.messages.slice(1)).toEqual(plain.messages.slice(1))
    expect(cached.tools?.[0]).toMatchObject({ cache_control: MARK })
  })

  it('are not set where caching is not asked for, or there is nothing to mark', () => {
    expect(marked({ settings: {} })).toEqual([])
    expect(marked({ settings: { cache: false } })).toEqual([])
    expect(marked({ system: null, tools: [], messages: [{ role: 'user', text: '' }] })).toEqual([])
  })

  it('go with the examples of a step that is no agent', () => {
    const messages: ModelMessage[] = [
      { role: 'user', text: 'a?' },
      { role: 'assistant', text: 'A' },
      { role: 'user', text: 'b?' },
    ]
    expect(marked({ messages, tools: [], system: null })).toEqual(['messages.0.content.0', 'messages.2.content.0'])
  })
})

describe('thinking', () => {
  const thinking = (model: string, settings: ModelRequest['settings']) => {
    const params = paramsOf(requestOf({ model, settings }))
    return { thinking: params.thinking, effort: params.output_config?.effort, room: params.max_tokens }
  }

  it.each(['claude-opus-5-5', 'claude-haiku-5-5', 'claude-sonnet-4-6', 'claude-opus-4-8', 'claude-of-tomorrow'])(
    'of %s is adaptive, its depth an effort',
    (model) => {
      expect(thinking(model, { thinking: 'high' })).toEqual({
        thinking: { type: 'adaptive' },
        effort: 'high',
        room: 4_096,
      })
    },
  )

  it.each(['claude-haiku-4-5', 'claude-haiku-4-5-20251001', 'claude-sonnet-4-5', 'claude-opus-4-1-20250805'])(
    'of %s is a share of the room',
    (model) => {
      const budget = (level: 'low' | 'medium' | 'high', max_tokens?: number) =>
        thinking(model, { thinking: level, ...(max_tokens === undefined ? {} : { max_tokens }) })
      expect(budget('low')).toEqual({ thinking: { type: 'enabled', budget_tokens: 1_024 }, room: 4_096 })
      expect(budget('medium', 20_000)).toMatchObject({ thinking: { budget_tokens: 10_000 }, room: 20_000 })
      expect(budget('high', 20_000)).toMatchObject({ thinking: { budget_tokens: 15_000 } })
      expect(budget('low', 2_000)).toMatchObject({ thinking: { budget_tokens: 1_024 } })
    },
  )

  it('with a budget is sent as it is', () => {
    expect(thinking('claude-sonnet-4-6', { thinking: { budget: 3_000 } })).toEqual({
      thinking: { type: 'enabled', budget_tokens: 3_000 },
      room: 4_096,
    })
  })

  it.each<ModelRequest['settings']>([
    { thinking: { budget: 4_096 } },
    { thinking: { budget: 2_000 }, max_tokens: 2_000 },
    { thinking: 'low', max_tokens: 1_024 },
  ])('that leaves no room for an answer is refused: %j', (settings) => {
    expect(() => thinking('claude-haiku-4-5', settings)).toThrow(
      expect.objectContaining({ failure: expect.objectContaining({ code: 'bad_request', class: 'permanent' }) }),
    )
  })

  it('is left to the model where nothing is said', () => {
    expect(thinking('claude-sonnet-5-5', {})).toEqual({ room: 4_096 })
  })

  it('stands beside the format of the answer', () => {
    const format = { type: 'object', properties: {}, additionalProperties: false }
    expect(paramsOf(requestOf({ format, settings: { thinking: 'low' } })).output_config).toEqual({
      format: { type: 'json_schema', schema: format },
      effort: 'low',
    })
  })
})

describe('turns before', () => {
  const messagesOf = (...messages: ModelMessage[]) => paramsOf(requestOf({ messages })).messages

  it('go back as they came, thinking and what nobody knows included', () => {
    const content: Json = [
      { type: 'thinking', thinking: '', signature: 'sig' },
      { type: 'redacted_thinking', data: 'xyz' },
      { type: 'block_of_tomorrow', value: { deep: [1] } },
      { type: 'text', text: 'A' },
    ]
    expect(messagesOf({ role: 'answer', content, text: 'A', toolUses: [] })).toEqual([{ role: 'assistant', content }])
  })

  it('of another provider are said again, their ids made fit on both sides', () => {
    const uses = [{ id: 'call/1:a', name: 'look', input: { q: 'x' } }]
    expect(
      messagesOf(
        { role: 'answer', content: [{ role: 'assistant', content: 'A' }], text: 'A', toolUses: uses },
        { role: 'results', results: [{ id: 'call/1:a', isError: true, content: 'no' }] },
      ),
    ).toEqual([
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'A' },
          { type: 'tool_use', id: 'call_1_a', name: 'look', input: { q: 'x' } },
        ],
      },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_1_a', content: 'no', is_error: true }] },
    ])
  })

  it('that say nothing are left out: the API refuses empty text', () => {
    const silent = { role: 'answer' as const, content: [{ type: 'text', text: '' }], text: '', toolUses: [] }
    expect(messagesOf({ role: 'user', text: 'a' }, silent, { role: 'user', text: 'b' })).toEqual([
      { role: 'user', content: 'a' },
      { role: 'user', content: 'b' },
    ])
  })
})
