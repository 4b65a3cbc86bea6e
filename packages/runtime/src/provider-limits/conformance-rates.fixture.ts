// What limits of requests and tokens promise: order, rates, settlement, repeats.
import { beforeEach, describe, expect, it } from 'vitest'
import { type Bench, expectAbout, MODEL, OTHER } from './conformance-bench.fixture.ts'

export const ratesConformance = (bench: Bench): void => {
  describe('rates', () => {
    it('grants everything where nothing is configured', async () => {
      await bench.start()
      for (let i = 0; i < 50; i += 1)
        await bench.permit(`task-${i}`, { tokens: { input: 1_000_000, output: 1_000_000 } })
    })

    it('tells who waits its turn, one behind the other', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 1 }
      await bench.start()
      await bench.permit('a')
      const b = await bench.refused('b')
      expect(b).toMatchObject({ dependency: MODEL, reason: 'requests' })
      expect(b.why).toContain('requests per minute')
      expectAbout(b.retryAfterMs, 60_000)
      expectAbout(await bench.wait('c'), 120_000)
      // asked again, each keeps its place
      expectAbout(await bench.wait('c'), 120_000)
      expectAbout(await bench.wait('b'), 60_000)
      expect((await bench.refused('d')).why).toContain('2 wait before')
    })

    it('grants in order, to those who come back when they were told', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 300 }
      await bench.start()
      await bench.permit('first')
      const waits = [await bench.wait('a'), await bench.wait('b'), await bench.wait('c')]
      await bench.h.pass(waits[0] ?? 0)
      const a = await bench.permit('a')
      await bench.refused('new')
      await bench.h.pass(Math.max(...waits))
      const [b, c] = [await bench.permit('b'), await bench.ask('c')]
      expect(a.atMs).toBeLessThanOrEqual(b.atMs)
      // c is due as well, but b was late, and so it is behind it
      if (!c.granted) {
        await bench.h.pass(c.retryAfterMs)
        expect((await bench.permit('c')).atMs - b.atMs).toBeGreaterThanOrEqual(199)
      }
    })

    it('lets no second see more than one and a half of a rate', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 1_200 }
      await bench.start({ burstMs: 500 })
      const times: number[] = []
      for (let i = 0; i < 100; i += 1) {
        const answer = await bench.ask(`task-${i}`)
        if (answer.granted) times.push(answer.permit.atMs)
      }
      expect(times.length).toBeGreaterThanOrEqual(10)
      for (const [at, time] of times.entries()) {
        const before = times[at - 30]
        if (before !== undefined) expect(time - before).toBeGreaterThanOrEqual(1_000)
      }
    })

    it('weighs calls by their tokens; the scarcest one counts', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 6_000, inputTokensPerMinute: 1_000, outputTokensPerMinute: 100 }
      await bench.start()
      await bench.permit('a', { tokens: { input: 500, output: 5 } })
      const b = await bench.refused('b', { tokens: { input: 100, output: 0 } })
      expect(b.reason).toBe('input_tokens')
      expectAbout(b.retryAfterMs, 30_000)
      const c = await bench.refused('c', { tokens: { input: 0, output: 100 } })
      expectAbout(c.retryAfterMs, 36_000)
      expect((await bench.refused('d')).reason).toBe('output_tokens')
    })

    it('judges each model alone', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 1 }
      await bench.start()
      await bench.permit('a')
      await bench.refused('b')
      await bench.permit('b', { dependency: OTHER })
    })

    it('judges by the limits of the one who asks', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 1 }
      await bench.start()
      await bench.permit('a')
      await bench.refused('b')
      bench.configured[MODEL] = {}
      await bench.permit('b')
    })

    it('refuses asks that make no sense', async () => {
      await bench.start()
      await expect(bench.ask('a', { dependency: 'http:example.org' })).rejects.toThrow('<provider>/<model>')
      await expect(bench.ask('a', { tokens: { input: 0.5, output: 0 } })).rejects.toThrow('0.5')
      await expect(bench.ask('')).rejects.toThrow('not empty')
    })
  })

  describe('settlement', () => {
    beforeEach(() => {
      bench.configured[MODEL] = { inputTokensPerMinute: 1_000 }
    })
    const tokens = { input: 500, output: 0 }

    it('counts what was used: less', async () => {
      await bench.start()
      const a = await bench.permit('a', { tokens })
      expectAbout(await bench.wait('b', { tokens }), 30_000)
      await bench.h.limits.settle(a, { input: 0, output: 0 })
      await bench.permit('b', { tokens })
    })

    it('counts what was used: more', async () => {
      await bench.start()
      await bench.h.limits.settle(await bench.permit('a', { tokens }), { input: 2_000, output: 10 })
      expectAbout(await bench.wait('b', { tokens }), 120_000)
      expect((await bench.stateOf())?.used).toEqual({ requests: 1, inputTokens: 2_000, outputTokens: 10 })
    })

    it('gives back what was never sent', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 1, inputTokensPerMinute: 1_000 }
      await bench.start()
      await bench.h.limits.settle(await bench.permit('a', { tokens }), null)
      expect((await bench.stateOf())?.used.requests).toBe(0)
      await bench.permit('b', { tokens })
      await bench.refused('c', { tokens })
    })

    it('settles once', async () => {
      await bench.start()
      const a = await bench.permit('a', { tokens: { input: 200, output: 0 } })
      await bench.h.limits.settle(a, { input: 700, output: 0 })
      await bench.h.limits.settle(a, { input: 700, output: 0 })
      await bench.h.limits.settle(a, null)
      expectAbout(await bench.wait('b'), 42_000)
    })
  })

  describe('repeats', () => {
    it('grants the same permit again under its token', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 1, concurrency: 1 }
      await bench.start()
      const a = await bench.permit('a')
      expect(await bench.permit('a')).toEqual(a)
      expectAbout(await bench.wait('b'), 60_000)
      expect(await bench.stateOf()).toMatchObject({ running: 1, used: { requests: 1 } })
    })

    it('does not hear the worker that was given up, once the task was granted anew', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 6_000, concurrency: 5 }
      await bench.start({ burstMs: 500 })
      const dead = await bench.permit('a')
      const second = await bench.permit('a', { token: 'second' })
      await bench.h.limits.settle(dead, null)
      expect(await bench.stateOf()).toMatchObject({ running: 1, used: { requests: 2 } })
      await bench.h.limits.settle(second, null)
      expect(await bench.stateOf()).toMatchObject({ running: 0, used: { requests: 1 } })
    })

    it('takes another token for another call, whose worker died: it counts, and goes first', async () => {
      bench.configured[MODEL] = { requestsPerMinute: 1, concurrency: 5 }
      await bench.start()
      const dead = await bench.permit('a')
      expectAbout(await bench.wait('b'), 60_000)
      expectAbout(await bench.wait('a', { token: 'second' }), 60_000)
      expectAbout(await bench.wait('c'), 180_000)
      expect(await bench.stateOf()).toMatchObject({ waiting: 3, running: 0 })
      // what the dead one still says is not heard
      await bench.h.limits.settle(dead, null)
      expectAbout(await bench.wait('a', { token: 'second' }), 60_000)
    })
  })
}
