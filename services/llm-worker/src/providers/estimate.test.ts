// The two estimates: one hardly ever too small, one never too large.
import { describe, expect, it } from 'vitest'
import { estimateTokens, leastTokens } from './estimate.ts'
import type { ModelMessage } from './provider.ts'

const asked = (...messages: ModelMessage[]) => ({ system: null, messages, tools: [], format: null })
const said = (text: string) => asked({ role: 'user', text })

const PROSE =
  'It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, ' +
  'it was the epoch of belief, it was the epoch of incredulity.'

describe('tokens of a request', () => {
  // [characters per token: at most, at least] as the head of estimate.ts tells them
  it.each<[string, string, [number, number]]>([
    ['prose', PROSE, [4.5, 3]],
    ['code', 'export const sum = (a: number, b: number): number => a + b;\n'.repeat(20), [4, 2.5]],
    ['JSON', '{"id":17,"name":"kettle","price":24.5,"tags":["tea","kitchen"]},'.repeat(20), [3.5, 2]],
    ['a row of spaces', ' '.repeat(5_000), [5_000, 3]],
    ['a ruler', '-'.repeat(5_000), [5_000, 2]],
    ['nothing', '', [1, 1]],
  ])('of %s lie between the two', (_what, text, [most, least]) => {
    expect(leastTokens(said(text))).toBeLessThanOrEqual(text.length / most)
    expect(estimateTokens(said(text))).toBeGreaterThanOrEqual(text.length / least)
    expect(estimateTokens(said(text))).toBeLessThanOrEqual(text.length + 10)
  })

  it('of scripts without spaces are a token per character at most, a sixteenth at least', () => {
    const text = '今日はとても良い天気ですね'.repeat(100)
    expect(estimateTokens(said(text))).toBeGreaterThanOrEqual(text.length)
    expect(leastTokens(said(text))).toBeLessThanOrEqual(text.length / 4)
    expect(leastTokens(said(text))).toBeGreaterThan(0)
  })

  it('count everything that is sent', () => {
    const base = estimateTokens(said('x'))
    const word = 'word '.repeat(1_000)
    const schema = { type: 'object', description: word }
    const more = [
      { ...said('x'), system: word },
      { ...said('x'), format: schema },
      { ...said('x'), tools: [{ name: 'look', description: word, input: {} }] },
      { ...said('x'), tools: [{ name: 'look', description: '', input: schema }] },
      asked({ role: 'user', text: 'x' }, { role: 'assistant', text: word }),
      asked({ role: 'answer', content: [{ type: 'text', text: word }], text: word, toolUses: [] }),
      asked({ role: 'results', results: [{ id: 'a', isError: false, content: word }] }),
    ]
    for (const request of more) {
      expect(estimateTokens(request)).toBeGreaterThan(base + 1_000)
      expect(estimateTokens(request)).toBeLessThan(base + 4_000)
    }
  })

  it('are not surely those of a signature', () => {
    const content = [{ type: 'thinking', thinking: '', signature: 'A9+/'.repeat(10_000) }]
    expect(leastTokens(asked({ role: 'answer', content, text: 'tea', toolUses: [] }))).toBe(1)
  })
})
