// The conformance suite of the limits: what both of them promise.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FleetLimits, type Holder, type LimitAnswer, type LimitAsk, PATIENCE, type Patience } from './port.ts'

/** Empty limits, and their clock. */
export interface LimitsHarness {
  limits: FleetLimits
  nowMs(): Promise<number>
  /** Lets the limits' time pass until the check answers true; throws after long enough. */
  until(check: () => Promise<boolean>): Promise<void>
  stop(): Promise<void>
}

const NS = 'default'
const PLACES = { kind: 'concurrency', key: 'openai' } as const
const STARTS = { kind: 'rate', key: 'openai' } as const
const holder = (run: string, path = 'draft'): Holder => ({ run, path })

/** `make` gives empty limits for each test, which read the patience at each call. */
export const limitsConformance = (name: string, make: (patience: Patience) => Promise<LimitsHarness>): void => {
  let h: LimitsHarness
  let patience: Patience
  beforeEach(async () => {
    patience = { ...PATIENCE }
    h = await make(patience)
  })
  afterEach(() => h.stop())

  const take = (run: string, more: Partial<LimitAsk> = {}): Promise<LimitAnswer> =>
    h.limits.take(NS, { key: 'openai', limit: 1, perMs: null, holder: holder(run), version: 1, ...more })
  const granted = async (run: string, more: Partial<LimitAsk> = {}): Promise<boolean> => (await take(run, more)).granted
  const ahead = async (run: string, more: Partial<LimitAsk> = {}): Promise<number | null> => {
    const answer = await take(run, more)
    return answer.granted ? null : answer.ahead
  }
  const againAtMs = async (run: string, more: Partial<LimitAsk> = {}): Promise<number> => {
    const answer = await take(run, more)
    if (answer.granted) throw new Error(`${run} was granted`)
    return answer.againAtMs
  }
  const free = (run: string, seq = 9): Promise<Holder[]> => h.limits.release(NS, PLACES, holder(run), seq)

  const concurrencyLaws = (): void => {
    it('grants as many places as the limit says, and the rest waits in order', async () => {
      expect(await granted('a', { limit: 2 })).toBe(true)
      expect(await granted('b', { limit: 2 })).toBe(true)
      expect(await ahead('c', { limit: 2 })).toBe(0)
      expect(await ahead('d', { limit: 2 })).toBe(1)
      expect(await ahead('e', { limit: 2 })).toBe(2)
      // asking again changes nothing of it
      expect(await ahead('d', { limit: 2 })).toBe(1)
      expect(await ahead('c', { limit: 2 })).toBe(0)
    })

    it('grants a holder again what it has', async () => {
      await take('a')
      expect(await granted('a')).toBe(true)
      expect(await granted('b')).toBe(false)
      expect(await free('a')).toEqual([holder('b')])
      expect(await granted('b')).toBe(true)
    })

    it('calls as many as places are free, and lets nobody in before them', async () => {
      for (const run of ['a', 'b', 'c', 'd', 'e']) await take(run, { limit: 2 })
      expect(await free('a')).toEqual([holder('c')])
      // the place is c's: the others wait, and c has been called
      expect(await take('d', { limit: 2 })).toMatchObject({ granted: false, ahead: 1, call: [] })
      expect(await free('b')).toEqual([holder('d')])
      // both places are free, and d may come before c
      expect(await granted('d', { limit: 2 })).toBe(true)
      expect(await granted('e', { limit: 2 })).toBe(false)
      expect(await granted('c', { limit: 2 })).toBe(true)
    })

    it('takes a repeated release for what it is', async () => {
      await take('a')
      await take('b')
      await take('c')
      await free('a')
      expect(await granted('b')).toBe(true)
      expect(await free('a')).toEqual([])
      expect(await granted('c')).toBe(false)
      expect(await free('nobody')).toEqual([])
    })

    it('ignores a release that is older than the last ask', async () => {
      await take('a', { version: 3 })
      await take('a', { version: 12 })
      expect(await free('a', 9)).toEqual([])
      expect(await granted('b', { version: 4 })).toBe(false)
      await h.limits.release(NS, PLACES, holder('b'), 4)
      expect(await ahead('c')).toBe(1)
      expect(await free('a', 13)).toEqual([holder('b')])
    })

    it('lets a waiter leave the queue', async () => {
      await take('a')
      await take('b')
      await take('c')
      expect(await free('b')).toEqual([])
      expect(await ahead('c')).toBe(0)
      expect(await free('a')).toEqual([holder('c')])
    })

    it('knows the steps of a run, and the run itself, apart; and namespaces and keys', async () => {
      expect(await granted('a', { holder: holder('a', '') })).toBe(true)
      expect(await granted('a', { holder: holder('a', 'search[3]/iter-2/work/turn-1/llm') })).toBe(false)
      expect(await free('other')).toEqual([])
      expect(await h.limits.release(NS, PLACES, holder('a', ''), 9)).toEqual([
        holder('a', 'search[3]/iter-2/work/turn-1/llm'),
      ])
      expect(await granted('b', { key: 'another' })).toBe(true)
      const ask = { key: 'openai', limit: 1, perMs: null, holder: holder('b'), version: 1 }
      expect(await h.limits.take('elsewhere', ask)).toMatchObject({ granted: true })
    })

    it('goes by the limit that is named: raised at once, lowered as places come free', async () => {
      await take('a')
      await take('b')
      // two more are free by the new limit, and one of them is for b, who waits before
      expect(await granted('c', { limit: 3 })).toBe(true)
      expect(await granted('d', { limit: 3 })).toBe(false)
      expect(await granted('b', { limit: 3 })).toBe(true)
      expect(await granted('d', { limit: 2 })).toBe(false)
      expect(await free('a')).toEqual([])
      expect(await free('b')).toEqual([holder('d')])
    })

    it('tells who asks to call the first in the queue, when that one may come and does not know it', async () => {
      for (const run of ['a', 'b', 'c', 'd']) await take(run)
      expect(await free('a')).toEqual([holder('b')])
      patience.lateMs = 20
      let answer = await take('d')
      await h.until(async () => {
        answer = await take('d')
        return answer.call.length > 0
      })
      // b was late
      expect(answer).toMatchObject({ granted: false, ahead: 1, call: [holder('c')] })
    })

    it('passes over who was called and does not come, and keeps its turn', async () => {
      for (const run of ['a', 'b', 'c', 'd']) await take(run)
      expect(await free('a')).toEqual([holder('b')])
      expect(await granted('c')).toBe(false)
      patience.lateMs = 20
      let calls: Holder[] = []
      await h.until(async () => {
        calls = [...calls, ...(await free('a'))]
        return calls.length > 0
      })
      // b was late, so c may come
      expect(calls).toEqual([holder('c')])
      patience.lateMs = PATIENCE.lateMs
      expect(await granted('c')).toBe(true)
      // b is before d all the same
      expect(await ahead('b')).toBe(0)
      expect(await ahead('d')).toBe(1)
    })

    it('forgets who stays away for long', async () => {
      for (const run of ['a', 'b', 'c']) await take(run)
      await free('a')
      expect(await ahead('c')).toBe(1)
      Object.assign(patience, { lateMs: 20, forgottenMs: 20 })
      await h.until(() => granted('c'))
      const since = await h.nowMs()
      await h.until(async () => {
        await free('nobody')
        return (await h.nowMs()) > since + 200
      })
      Object.assign(patience, PATIENCE)
      expect(await ahead('d')).toBe(0)
      expect(await ahead('b')).toBe(1)
    })

    it('tells who holds a place for long, oldest first', async () => {
      for (const run of ['a', 'b', 'c']) {
        const before = await h.nowMs()
        await h.until(async () => (await h.nowMs()) > before)
        await take(run, { limit: 2 })
      }
      expect(await h.limits.holders(NS, 'openai', 60_000)).toEqual([])
      await h.until(async () => (await h.limits.holders(NS, 'openai', 10)).length === 2)
      expect(await h.limits.holders(NS, 'openai', 10)).toEqual([holder('a'), holder('b')])
      expect(await h.limits.holders(NS, 'nothing', 0)).toEqual([])
    })
  }

  const rateLaws = (): void => {
    const perMs = 800
    const start = { limit: 2, perMs }

    it('lets `limit` start in any `per`, and says exactly when the others may', async () => {
      const before = await h.nowMs()
      expect(await granted('a', start)).toBe(true)
      expect(await granted('b', start)).toBe(true)
      const after = await h.nowMs()
      const c = await againAtMs('c', start)
      const d = await againAtMs('d', start)
      const e = await againAtMs('e', start)
      expect(c).toBeGreaterThanOrEqual(before + perMs)
      expect(d).toBeLessThanOrEqual(after + perMs + 1)
      expect(d).toBeGreaterThanOrEqual(c)
      // the third in the queue starts when c's start, still to come, is over
      expect(e).toBe(c + perMs)
      await h.until(async () => (await h.nowMs()) >= d)
      expect(await granted('d', start)).toBe(true)
      expect(await granted('e', start)).toBe(false)
      expect(await granted('c', start)).toBe(true)
      expect(await ahead('e', start)).toBe(0)
    })

    it('counts a start that is asked for again once', async () => {
      await take('a', start)
      expect(await granted('a', start)).toBe(true)
      expect(await granted('b', start)).toBe(true)
      expect(await granted('a', start)).toBe(true)
      expect(await granted('c', start)).toBe(false)
    })

    it('keeps counting a start that was released, and counts the next one of its holder anew', async () => {
      await take('a', start)
      expect(await h.limits.release(NS, STARTS, holder('a'), 9)).toEqual([])
      expect(await granted('a', { ...start, version: 10 })).toBe(true)
      expect(await granted('b', start)).toBe(false)
    })

    it('calls the next ones when somebody leaves the queue and a start is free', async () => {
      const one = { ...start, limit: 1 }
      await take('a', one)
      const c = await againAtMs('c', one)
      expect(await againAtMs('d', one)).toBe(c + perMs)
      await h.until(async () => (await h.nowMs()) >= c)
      expect(await h.limits.release(NS, STARTS, holder('c'), 9)).toEqual([holder('d')])
      expect(await granted('d', one)).toBe(true)
    })

    it('goes by the longest `per` that was asked, and counts apart from a concurrency of the same key', async () => {
      expect(await granted('a', { limit: 1, perMs: 60_000 })).toBe(true)
      expect(await granted('a', { limit: 1, perMs: 10 })).toBe(true)
      await h.until(() => granted('b', { limit: 1, perMs: 10 }))
      expect(await granted('c', { limit: 1, perMs: 60_000 })).toBe(false)
      expect(await granted('c')).toBe(true)
    })
  }

  const cacheLaws = (): void => {
    it('knows a cached null from nothing', async () => {
      expect(await h.limits.cached(NS, 'k')).toBeNull()
      await h.limits.store(NS, 'k', null, 60_000)
      expect(await h.limits.cached(NS, 'k')).toEqual({ value: null })
      expect(await h.limits.cached('elsewhere', 'k')).toBeNull()
    })

    it('gives the last one, until its time is over', async () => {
      await h.limits.store(NS, 'k', { text: 'tea', n: [1, null] }, 60_000)
      expect(await h.limits.cached(NS, 'k')).toEqual({ value: { text: 'tea', n: [1, null] } })
      await h.limits.store(NS, 'k', 'short', 50)
      await h.until(async () => (await h.limits.cached(NS, 'k')) === null)
    })
  }

  describe(name, () => {
    describe('concurrency', concurrencyLaws)
    describe('rate', rateLaws)
    describe('cache', cacheLaws)
  })
}
