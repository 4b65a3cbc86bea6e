// What pauses, places and waiting lines promise, and the fleet view shows.
import { describe, expect, it } from 'vitest'
import { type Bench, expectAbout, MODEL, NO_LIMITS, OTHER } from './conformance-bench.fixture.ts'

export const linesConformance = (bench: Bench): void => {
  describe('pauses', () => {
    it('hold one model, for the longest time that was said', async () => {
      await bench.start()
      await bench.h.limits.pause(MODEL, 100_000, 'the provider answered 429')
      await bench.h.limits.pause(MODEL, 10_000, 'an older answer')
      const a = await bench.refused('a')
      expect(a).toMatchObject({ reason: 'paused' })
      expect(a.why).toContain('the provider answered 429')
      expectAbout(a.retryAfterMs, 100_000)
      await bench.permit('a', { dependency: OTHER })
      expect((await bench.stateOf())?.paused?.why).toBe('the provider answered 429')
    })

    it('end, and let those who wait come one by one at the rate of the limit', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 60 }
      await bench.start()
      await bench.h.limits.pause(MODEL, 20_000, '429')
      const waits = [await bench.wait('a'), await bench.wait('b'), await bench.wait('c')]
      expectAbout(waits[0] ?? 0, 20_000)
      for (const [at, ms] of waits.entries()) expectAbout(ms - at * 1_000, 20_000)
    })

    it('move those who wait already', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 300 }
      await bench.start()
      await bench.permit('first')
      const [a] = [await bench.wait('a'), await bench.wait('b')]
      await bench.h.limits.pause(MODEL, 50_000, '429')
      await bench.h.pass(a ?? 0)
      expect(await bench.refused('a')).toMatchObject({ reason: 'paused' })
      expectAbout(await bench.wait('b'), 50_200)
    })

    it('are over for those who waited first', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 6_000 }
      await bench.start({ burstMs: 500 })
      await bench.h.limits.pause(MODEL, 300, '429')
      await bench.wait('a')
      await bench.h.pass(400)
      const late = await bench.refused('new')
      expect(late.why).toContain('1 wait before')
      await bench.permit('a')
    })

    it('end in growing waves where there is no limit', async () => {
      await bench.start()
      await bench.h.limits.pause(MODEL, 10_000, '429')
      const waits: number[] = []
      for (let i = 0; i < 400; i += 1) waits.push(await bench.wait(`task-${i}`))
      const [first = 0, last = 0] = [waits[0], waits.at(-1)]
      // start 5 a second, doubled each 5 s: 400 come within log2(1 + 400 ln2 / 25) doublings, 18 s
      expectAbout(last, 28_000)
      const half = waits.filter((ms) => ms < (first + last) / 2).length
      expect(half).toBeLessThan(120)
      expect(half).toBeGreaterThan(20)
    })

    it('are over when they are over', async () => {
      await bench.start()
      await bench.h.limits.pause(MODEL, 300, '429')
      await bench.h.pass(await bench.wait('a'))
      expect((await bench.stateOf())?.paused).toBeNull()
      await bench.permit('a')
    })
  })

  describe('places', () => {
    it('are as many as the limit says, and free again when a call is settled', async () => {
      bench.configured[MODEL] = { concurrency: 2 }
      await bench.start()
      const a = await bench.permit('a')
      await bench.permit('b')
      expect(await bench.refused('c')).toMatchObject({ reason: 'concurrency' })
      await bench.h.limits.settle(a, { input: 1, output: 1 })
      // c waits before it
      expect(await bench.refused('d')).toMatchObject({ reason: 'concurrency' })
      await bench.permit('c')
      expect(await bench.stateOf()).toMatchObject({ running: 2, waiting: 1 })
    })

    it('of a provider are shared by its models', async () => {
      bench.configured[MODEL] = { providerConcurrency: 2 }
      bench.configured[OTHER] = { providerConcurrency: 2 }
      bench.configured['openai/sonnet'] = { providerConcurrency: 2 }
      await bench.start()
      await bench.permit('a')
      const b = await bench.permit('b', { dependency: OTHER })
      expect(await bench.refused('c')).toMatchObject({ reason: 'provider_concurrency' })
      await bench.permit('c', { dependency: 'openai/sonnet' })
      expect(await bench.stateOf(OTHER)).toMatchObject({ running: 1, providerRunning: 2 })
      await bench.h.limits.settle(b, null)
      await bench.permit('c')
    })

    it.each([
      ['of a model', { concurrency: 1 }],
      ['of a provider', { providerConcurrency: 1 }],
    ])('%s come back when their worker is not heard of any more', async (_, limits) => {
      bench.configured[MODEL] = limits
      await bench.start({ leaseMs: 300 })
      await bench.permit('a')
      await bench.h.pass(700)
      await bench.refused('b')
      bench.h.limits.stop()
      await bench.h.pass(400)
      await bench.permit('b')
      expect(await bench.stateOf()).toMatchObject({ running: 1, providerRunning: 1 })
    })
  })

  describe('lines', () => {
    it('do not wait for who is late, and let it go first when it is back', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 200 }
      await bench.start({ lateMs: 100 })
      await bench.permit('first')
      await bench.wait('late')
      await bench.wait('b')
      await bench.h.pass(900)
      await bench.permit('c')
      expect((await bench.stateOf())?.waiting).toBe(0)
      bench.configured[MODEL] = { requestsPerMinute: 1 }
      await bench.h.limits.pause(MODEL, 100_000, '429')
      expectAbout(await bench.wait('d'), 100_000)
      expectAbout(await bench.wait('late'), 100_000)
      expectAbout(await bench.wait('d'), 160_000)
      expect((await bench.stateOf())?.waiting).toBe(2)
    })

    it('count one that was away once, when it is back and granted', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 200 }
      await bench.start({ lateMs: 50 })
      await bench.permit('first')
      await bench.wait('late')
      await bench.h.pass(600)
      await bench.permit('late')
      expect((await bench.stateOf())?.waiting).toBe(0)
    })

    it('forget who never comes back', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 200 }
      await bench.start({ lateMs: 50, forgottenMs: 100 })
      await bench.permit('first')
      await bench.wait('gone')
      await bench.h.pass(600)
      await bench.permit('b')
      await bench.h.pass(600)
      bench.configured[MODEL] = { requestsPerMinute: 1 }
      await bench.permit('c')
      await bench.wait('d')
      expectAbout(await bench.wait('gone'), 120_000)
    })

    it('are looked at half-way when they are long', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 1 }
      await bench.start({ nearMs: 100_000, farMs: 200_000 })
      await bench.permit('first')
      expectAbout(await bench.wait('a'), 60_000)
      expectAbout(await bench.wait('b'), 100_000)
      await bench.wait('c')
      await bench.wait('d')
      expectAbout(await bench.wait('e'), 150_000)
      for (const task of ['f', 'g', 'h']) await bench.wait(task)
      expectAbout(await bench.wait('i'), 200_000)
      await bench.h.limits.pause(MODEL, 500_000, '429')
      expectAbout(await bench.wait('e'), 500_000 + 120_000)
    })
  })

  describe('the fleet view', () => {
    it('shows limits, line, use and pauses', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 1, inputTokensPerMinute: 1_000, concurrency: 7 }
      await bench.start()
      await bench.permit('a', { tokens: { input: 30, output: 4 } })
      await bench.wait('b')
      expect(await bench.h.limits.states()).toEqual([
        {
          dependency: MODEL,
          limits: { ...NO_LIMITS, ...bench.configured[MODEL] },
          waiting: 1,
          running: 1,
          providerRunning: 1,
          used: { requests: 1, inputTokens: 30, outputTokens: 4 },
          paused: null,
        },
      ])
    })
  })
}
