// Each end of a call is settled as what it was.
import { failure, type LlmInput } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { createLogger } from '../logger.ts'
import type { Ending } from '../task-worker-conclude.ts'
import { NO_LIMITS } from './conformance-bench.fixture.ts'
import { createMemoryProviderLimits } from './memory-provider-limits.ts'
import type { Permit } from './port.ts'
import { PAUSE_MS, settleCall, settlementOf } from './settlement.ts'
import { createTokenEstimates } from './token-estimate.ts'

const ASK = { dependency: 'anthropic/x', task: 'a', token: 't', tokens: { input: 100, output: 50 } }
const permit: Permit = { ...ASK, atMs: 0 }
const usage = {
  model: 'anthropic/x',
  inputTokens: 7,
  outputTokens: 3,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  microUsd: null,
}
const input: LlmInput = { model: 'anthropic/x', messages: [{ role: 'user', content: 'tea' }], settings: {} }
const failed = (...given: Parameters<typeof failure>): Ending => ({
  status: 'failed',
  failure: failure(...given),
  usage: undefined,
})

describe('settlementOf', () => {
  it.each<[string, Ending, ReturnType<typeof settlementOf>]>([
    ['an answer', { status: 'done', output: 'tea', usage }, { input: 7, output: 3 }],
    ['an answer that tells no usage', { status: 'done', output: 'tea', usage: undefined }, permit.tokens],
    [
      'a failure that was paid',
      { status: 'failed', failure: failure('malformed_output', 'no'), usage },
      { input: 7, output: 3 },
    ],
    ['a failure nobody knows the price of', failed('provider_error', 'no'), permit.tokens],
    ['a refused connection', failed('connection_failed', 'no', { details: { notSent: true } }), null],
    ['a 429', failed('rate_limited', 'no', { details: { notSent: true } }), { input: 0, output: 0 }],
    ['a handler that was left behind', { status: 'none' }, permit.tokens],
  ])('of %s', (_, ending, tokens) => {
    expect(settlementOf(permit, ending)).toEqual(tokens)
  })
})

describe('settleCall', () => {
  const settled = async (ending: Ending) => {
    const limits = createMemoryProviderLimits(
      () => 1_000,
      () => NO_LIMITS,
    )
    const estimates = createTokenEstimates()
    const answer = await limits.acquire(ASK)
    if (!answer.granted) throw new Error(answer.why)
    settleCall({ limits, estimates, logger: createLogger('test', 'silent') }, answer.permit, ending, input)
    const [state] = await limits.states()
    return { state, estimate: estimates.estimate(input) }
  }

  it('frees the place, counts the tokens and learns from them', async () => {
    const { state, estimate } = await settled({ status: 'done', output: 'tea', usage })
    expect(state).toMatchObject({ running: 0, used: { requests: 1, inputTokens: 7, outputTokens: 3 }, paused: null })
    expect(estimate).toEqual({ input: 7, output: 3 })
  })

  it('pauses the model for a 429, for as long as it says', async () => {
    const said = failed('rate_limited', 'the provider answered 429', { retryAfterMs: 171_000 })
    expect((await settled(said)).state?.paused).toEqual({ untilMs: 172_000, why: 'the provider answered 429' })
    expect((await settled(failed('rate_limited', 'later'))).state?.paused?.untilMs).toBe(1_000 + PAUSE_MS)
  })
})
