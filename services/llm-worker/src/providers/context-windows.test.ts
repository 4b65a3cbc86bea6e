// What surely does not fit is not sent; all else is.
import { describe, expect, it } from 'vitest'
import { assertFitsContext, contextWindowOf } from './context-windows.ts'
import type { ModelRequest } from './provider.ts'

const request = (text: string): ModelRequest => ({
  model: 'm',
  system: null,
  messages: [{ role: 'user', text }],
  tools: [],
  toolChoice: 'auto',
  format: null,
  settings: {},
  effectKey: 'k',
  taskId: 't',
})
const SMALL = 'anthropic/claude-haiku-4-5'

describe('the check before a call', () => {
  it('refuses what has more words than the window has tokens', () => {
    const text = 'tea '.repeat(200_001)
    expect(() => assertFitsContext(SMALL, request(text))).toThrow(
      expect.objectContaining({
        failure: expect.objectContaining({
          code: 'context_too_long',
          class: 'permanent',
          details: { tokens: 200_001, window: 200_000, notSent: true },
        }),
      }),
    )
    expect(() => assertFitsContext('anthropic/claude-haiku-5-5', request(text))).not.toThrow()
  })

  it('lets through what may fit, and what it knows nothing of', () => {
    expect(() => assertFitsContext(SMALL, request('tea '.repeat(200_000)))).not.toThrow()
    // 3 MB of blanks and lines, which are few tokens
    expect(() =>
      assertFitsContext(SMALL, request(`${' '.repeat(1_000)}${'-'.repeat(500)}\n`.repeat(2_000))),
    ).not.toThrow()
    expect(() => assertFitsContext('other/model', request('tea '.repeat(3_000_000)))).not.toThrow()
  })

  it('knows snapshots by their model', () => {
    expect(contextWindowOf('anthropic/claude-haiku-4-5-20251001')).toBe(200_000)
    expect(contextWindowOf('openai/gpt-5-2025-08-07')).toBe(400_000)
    expect(contextWindowOf('anthropic/claude-9')).toBeNull()
  })
})
