// Estimates: from the text at first, from what was seen later.
import type { LlmInput } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { countedTokens, createTokenEstimates } from './token-estimate.ts'

const input = (text: string, more: Partial<LlmInput> = {}): LlmInput => ({
  model: 'anthropic/x',
  messages: [{ role: 'user', content: text }],
  settings: {},
  ...more,
})

describe('createTokenEstimates', () => {
  it('reckons with the text, the tools and the schema', () => {
    const estimates = createTokenEstimates()
    const short = estimates.estimate(input('tea')).input
    expect(estimates.estimate(input('x'.repeat(3_500))).input).toBeGreaterThanOrEqual(1_000)
    expect(estimates.estimate(input('tea', { system: 'x'.repeat(350) })).input).toBe(short + 100)
    const tools = [{ name: 'find', description: 'x'.repeat(350), input: {} }]
    const agent = { path: 'work', turn: 1, history: [], tools }
    expect(estimates.estimate(input('tea', { agent })).input).toBeGreaterThan(short + 100)
  })

  it('never expects more output than it may have', () => {
    expect(createTokenEstimates().estimate(input('tea', { settings: { max_tokens: 7 } })).output).toBe(7)
  })

  it('comes near to what calls use', () => {
    const estimates = createTokenEstimates()
    const asked = input('x'.repeat(350))
    const guess = estimates.estimate(asked).input
    for (let i = 0; i < 50; i += 1) estimates.learn(asked, { input: guess * 3, output: 40 })
    expect(estimates.estimate(asked).input).toBeCloseTo(guess * 3, -1)
    expect(estimates.estimate(asked).output).toBeGreaterThanOrEqual(40)
    expect(estimates.estimate(asked).output).toBeLessThanOrEqual(41)
    // other models, and agents, are not judged by it
    expect(estimates.estimate({ ...asked, model: 'anthropic/y' }).input).toBe(guess)
    const agent = { path: 'work', turn: 1, history: [], tools: [] }
    expect(estimates.estimate({ ...asked, agent }).input).toBe(guess)
  })

  it('moves slowly for one odd call', () => {
    const estimates = createTokenEstimates()
    const asked = input('tea')
    for (let i = 0; i < 20; i += 1) estimates.learn(asked, { input: 10, output: 100 })
    estimates.learn(asked, { input: 10, output: 8_100 })
    expect(estimates.estimate(asked).output).toBeLessThanOrEqual(1_101)
  })
})

it('counts what was written to a cache, not what was read from it', () => {
  const usage = { model: 'anthropic/x', inputTokens: 10, outputTokens: 5, cacheReadTokens: 900, cacheWriteTokens: 70 }
  expect(countedTokens({ ...usage, microUsd: null })).toEqual({ input: 80, output: 5 })
})
