// The limits in memory keep every promise, and any interleaving of holders keeps the limit and the order.
import { rng } from '@stepfleet/testkit'
import { describe, expect, it } from 'vitest'
import { limitsConformance } from './conformance.fixture.ts'
import { createMemoryLimits } from './memory-limits.ts'
import { playFleet } from './play.fixture.ts'
import { PATIENCE } from './port.ts'

limitsConformance('limits in memory', async (patience) => {
  let nowMs = 1_000_000
  return {
    limits: createMemoryLimits(() => nowMs, patience),
    nowMs: async () => nowMs,
    until: async (check) => {
      for (let i = 0; i < 1_000; i += 1) {
        if (await check()) return
        nowMs += 5
      }
      throw new Error('it never came true')
    },
    stop: async () => {},
  }
})

const playAt = (seed: number, perMs: number | null) => {
  const random = rng(seed * 7919)
  const play = { limit: random.int(1, 4), perMs, holders: random.int(2, 25), lateMs: PATIENCE.lateMs }
  let nowMs = 0
  const limits = createMemoryLimits(() => nowMs)
  const setNow = (ms: number): void => {
    nowMs = ms
  }
  return { play, played: playFleet(seed, play, { limits, setNow }) }
}

describe('any interleaving', () => {
  it('of a concurrency keeps the limit and the order, and serves everybody once', async () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const { play, played } = playAt(seed, null)
      const { grants, peak, broken } = await played
      expect(broken, `seed ${seed}`).toEqual([])
      expect(peak, `seed ${seed}`).toBeLessThanOrEqual(play.limit)
      expect(new Set(grants.map(({ came }) => came)).size, `seed ${seed}`).toBe(play.holders)
      expect(grants).toHaveLength(play.holders)
      // nobody was let in while as many as there were places free waited before
      for (const grant of grants) expect(grant.before, `seed ${seed}`).toBeLessThan(grant.free)
    }
  })

  it('of a rate has at most `limit` starts in any `per`, in order, and serves everybody once', async () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const perMs = rng(seed).pick([10, 500, 3_000, 120_000])
      const { play, played } = playAt(seed, perMs)
      const { grants, broken } = await played
      expect(broken, `seed ${seed}`).toEqual([])
      expect(new Set(grants.map(({ came }) => came)).size, `seed ${seed}`).toBe(play.holders)
      expect(grants).toHaveLength(play.holders)
      const starts = grants.map(({ atMs }) => atMs).sort((a, b) => a - b)
      for (const [at, start] of starts.entries()) {
        const before = starts[at - play.limit]
        if (before !== undefined) expect(start - before, `seed ${seed}`).toBeGreaterThanOrEqual(perMs)
      }
      for (const grant of grants) expect(grant.before, `seed ${seed}`).toBeLessThan(grant.free)
    }
  })
})
