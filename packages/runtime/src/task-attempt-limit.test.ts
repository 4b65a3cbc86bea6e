// A model call under the limits of its provider, against limits in memory: what is asked, given back, settled, paused.
import { failure, type Json, type Task } from '@stepfleet/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createMemoryProviderLimits } from './provider-limits/memory-provider-limits.ts'
import type { DependencyLimits, ProviderLimits } from './provider-limits/port.ts'
import { createTokenEstimates } from './provider-limits/token-estimate.ts'
import { type Bench, MemoryClaims, makeBench, task, usage } from './task-attempt.fixture.ts'
import { TaskFailure, type TaskHandler } from './task-worker-handler.ts'

const MODEL = 'anthropic/claude-haiku-5-5'
const INPUT: Json = { model: MODEL, messages: [{ role: 'user', content: 'tea' }], settings: {} }
const NO_LIMITS: DependencyLimits = {
  requestsPerMinute: null,
  inputTokensPerMinute: null,
  outputTokensPerMinute: null,
  concurrency: null,
  providerConcurrency: null,
}

let nowMs = 0
let limits: ProviderLimits
let claims: MemoryClaims
let bench: Bench
let calls = 0

const setUp = (may: Partial<DependencyLimits>, run: TaskHandler['run']): void => {
  limits = createMemoryProviderLimits(
    () => nowMs,
    () => ({ ...NO_LIMITS, ...may }),
  )
  const counted: TaskHandler['run'] = (context) => {
    calls += 1
    return run(context)
  }
  bench = makeBench({ run: counted, dependency: () => MODEL }, claims)
  bench.ports.limits = { limits, estimates: createTokenEstimates() }
}

const llmTask = (path: string): Task => {
  const given = { ...task(), kind: 'llm' as const, path, input: { value: INPUT } }
  claims.dispatch(given)
  return given
}

beforeEach(() => {
  nowMs = 1_000_000
  calls = 0
  claims = new MemoryClaims()
})
afterEach(() => {
  bench.breakers.stop()
  limits.stop()
})

describe('a call under limits', () => {
  it('is made when they let it, and settles what it used', async () => {
    setUp({ concurrency: 1 }, async () => ({ output: 'ok', usage }))
    await bench.run(llmTask('a'))
    const [state] = await limits.states()
    expect(state).toMatchObject({ running: 0, used: { requests: 1, outputTokens: usage.outputTokens } })
  })

  it('goes back unspent when they do not, with its turn', async () => {
    setUp({ requestsPerMinute: 1 }, async () => ({ output: 'ok', usage }))
    await bench.run(llmTask('a'))
    await bench.run(llmTask('b'))
    expect(calls).toBe(1)
    const refused = bench.results()[1]
    expect(refused).toMatchObject({ status: 'released', reason: 'provider_limit', dependency: MODEL })
    expect(refused?.status === 'released' && refused.retryAfterMs).toBeGreaterThan(50_000)
    // it comes back when it was told to, and goes
    nowMs += 60_000
    const again = { ...llmTask('b'), delivery: 2 }
    claims.dispatch(again)
    await bench.run(again)
    expect(calls).toBe(2)
  })

  it('gives its place back when it was not made', async () => {
    setUp({ concurrency: 1 }, async () => ({ output: 'ok', usage }))
    const given = { ...llmTask('a'), effect: 'once' as const }
    bench.ports.claims.begin = async () => false
    expect(await bench.run(given)).toMatchObject({ status: 'no-op' })
    expect(calls).toBe(0)
    expect((await limits.states())[0]).toMatchObject({ running: 0, used: { requests: 0 } })
  })

  it('pauses its model for the fleet on a 429, and no other', async () => {
    setUp({}, async () => {
      throw new TaskFailure(failure('rate_limited', 'too many requests', { retryAfterMs: 30_000 }))
    })
    await bench.run(llmTask('a'))
    await bench.run(llmTask('b'))
    expect(calls).toBe(1)
    expect(bench.results()[1]).toMatchObject({ reason: 'provider_limit', why: expect.stringContaining('paused') })
    const other = await limits.acquire({
      ...{ dependency: 'anthropic/other', task: 'x', token: 't' },
      tokens: { input: 1, output: 1 },
    })
    expect(other.granted).toBe(true)
  })

  it('goes back unspent when its turn takes all the time of the attempt', async () => {
    setUp({ concurrency: 1 }, async () => ({ output: 'ok', usage }))
    const held = { dependency: MODEL, task: 'x', token: 't', tokens: { input: 1, output: 1 } }
    expect((await limits.acquire(held)).granted).toBe(true)
    const given = { ...llmTask('a'), timeoutMs: 100 }
    await bench.run(given)
    expect(calls).toBe(0)
    expect(bench.results()[0]).toMatchObject({ status: 'released', reason: 'provider_limit' })
  })

  it('waits for a Redis that refuses, and loses no task', async () => {
    setUp({}, async () => ({ output: 'ok', usage }))
    const { acquire } = limits
    let refusals = 2
    limits.acquire = async (ask) => {
      refusals -= 1
      if (refusals >= 0) throw new Error('OOM command not allowed')
      return acquire.call(limits, ask)
    }
    await bench.run(llmTask('a'))
    expect(bench.results()[0]).toMatchObject({ status: 'done' })
  })

  it('counts the estimate where the provider tells no usage', async () => {
    const silent = { ...usage, inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }
    setUp({}, async () => ({ output: 'ok', usage: silent }))
    await bench.run(llmTask('a'))
    expect((await limits.states())[0]?.used.outputTokens).toBeGreaterThan(0)
  })

  it('does not stand in line while its circuit is open', async () => {
    setUp({ concurrency: 1 }, async () => {
      throw new TaskFailure(failure('provider_error', 'down'))
    })
    for (let n = 0; n < 8; n += 1) await bench.run(llmTask(`s${n}`))
    const last = bench.results().at(-1)
    expect(last).toMatchObject({ status: 'released', reason: 'circuit_open' })
    expect(calls).toBeLessThan(8)
    expect((await limits.states())[0]).toMatchObject({ waiting: 0, running: 0 })
  })
})
