// What models take.
import { describe, expect, it } from 'vitest'
import { PROVIDERS, providerOf, settingsOf } from './capabilities.ts'

describe('capabilities', () => {
  it('know that Anthropic takes neither temperature nor top_p nor top_k', () => {
    expect([...(settingsOf('anthropic/claude-sonnet-5-5') ?? [])]).toEqual(['max_tokens', 'stop'])
  })
  it('know no other provider in this release', () => {
    expect(settingsOf('openai/gpt-5')).toBeNull()
    expect(settingsOf('claude')).toBeNull()
    expect(PROVIDERS).toEqual(['anthropic'])
    expect(providerOf('anthropic/a/b')).toBe('anthropic')
  })
})
