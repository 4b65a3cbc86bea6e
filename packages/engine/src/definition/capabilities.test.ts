// What models take.
import { describe, expect, it } from 'vitest'
import { mayBeCompatible, PROVIDERS, providerOf, settingsOf } from './capabilities.ts'

const taken = (model: string): string[] => [...(settingsOf(model) ?? [])]

describe('capabilities', () => {
  it('know that Anthropic takes neither temperature nor top_p nor top_k', () => {
    expect(taken('anthropic/claude-sonnet-5-5')).toEqual(['max_tokens', 'stop', 'thinking', 'cache'])
  })

  it.each([
    'openai/o3',
    'openai/o4-mini',
    'openai/gpt-5',
    'openai/gpt-5-mini-2025-08-07',
    'openai/gpt-5.6-luna',
    'openai/gpt-6.1-sol',
  ])('know that %s reasons, and takes no temperature', (model) => {
    expect(taken(model)).toEqual(['max_tokens', 'stop', 'thinking', 'cache'])
  })

  it('know that gpt-5.4 takes all but top_k', () => {
    expect(taken('openai/gpt-5.4')).toEqual(['max_tokens', 'temperature', 'top_p', 'stop', 'thinking', 'cache'])
  })

  it.each(['openai/gpt-4.1', 'openai/gpt-4o-mini', 'openai/gpt-5-chat-latest'])(
    'know that %s cannot think',
    (model) => {
      expect(taken(model)).toEqual(['max_tokens', 'temperature', 'top_p', 'stop', 'cache'])
    },
  )

  it('know that Gemini takes all of them', () => {
    expect(taken('gemini/gemini-3.8-flash')).toEqual([
      ...['max_tokens', 'temperature', 'top_p', 'top_k', 'stop', 'thinking', 'cache'],
    ])
  })

  it('take a provider of another name for a server that speaks like OpenAI', () => {
    expect(PROVIDERS).toEqual(['anthropic', 'openai', 'gemini'])
    for (const name of ['ollama', 'vllm', 'groq', 'openrouter', 'nobody']) {
      expect(mayBeCompatible(name)).toBe(true)
      expect(taken(`${name}/some-model`)).toEqual(taken('openai/gpt-5.4'))
    }
  })

  it('take none whose name is a slip of the pen, or missing', () => {
    for (const model of ['antropic/claude', 'opnai/gpt-5', 'gemni/x', 'claude']) expect(settingsOf(model)).toBeNull()
    for (const name of PROVIDERS) expect(mayBeCompatible(name)).toBe(false)
    expect(providerOf('anthropic/a/b')).toBe('anthropic')
  })
})
