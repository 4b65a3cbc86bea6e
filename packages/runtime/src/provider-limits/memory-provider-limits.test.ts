// The limits of model providers in memory keep every promise, and any crowd of tasks keeps the rates.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { providerLimitsConformance } from './conformance.fixture.ts'
import { NO_LIMITS } from './conformance-bench.fixture.ts'
import { createMemoryProviderLimits } from './memory-provider-limits.ts'
import { type Grant, mostWithin, PLAYED, type PlayedTask, play, type Stage } from './play.fixture.ts'
import type { DependencyLimits } from './port.ts'

providerLimitsConformance('provider limits in memory', async (limitsOf, tuning) => {
  let nowMs = 1_000_000_020_000
  return {
    limits: createMemoryProviderLimits(() => nowMs, limitsOf, tuning),
    pass: async (ms) => {
      nowMs += ms
    },
    stop: async () => {},
  }
})

const stageOf = (limits: Partial<DependencyLimits>, pauses: Stage['pauses'] = []): Stage => {
  let nowMs = 0
  return {
    limits: createMemoryProviderLimits(
      () => nowMs,
      () => ({ ...NO_LIMITS, ...limits }),
    ),
    setNow: (ms) => {
      nowMs = ms
    },
    pauses,
  }
}

const simple = (more: Partial<PlayedTask> = {}): PlayedTask => ({
  atMs: 0,
  tokens: { input: 0, output: 0 },
  lateMs: [],
  gone: false,
  call: null,
  ...more,
})

const crowd = (count: number, more: Partial<PlayedTask> = {}): PlayedTask[] =>
  Array.from({ length: count }, () => simple(more))

/** Whole calls: a rate of 50 a minute cannot let less than one into a second. */
const mostInSecond = (perMinute: number): number =>
  Math.max(Math.ceil(perMinute / 60), Math.floor((1.5 * perMinute) / 60))

const rate = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 300, max: 60_000 }))
const lateness = fc.array(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 20_000 })), {
  maxLength: 4,
})
const arrivals = fc.array(
  fc.record({ atMs: fc.integer({ min: 0, max: 30_000 }), lateMs: lateness, gone: fc.boolean() }).map(simple),
  { minLength: 1, maxLength: 200 },
)
const pauses = fc.array(
  fc.record({ atMs: fc.integer({ min: 0, max: 60_000 }), forMs: fc.integer({ min: 1, max: 200_000 }) }),
  { maxLength: 3 },
)

describe('any crowd', () => {
  it('keeps the rate in every second and every minute, and everyone who comes back is served', async () => {
    await fc.assert(
      fc.asyncProperty(rate, arrivals, pauses, async (perMinute, tasks, held) => {
        const stage = stageOf({ requestsPerMinute: perMinute }, held)
        const { grants } = await play(stage, tasks)
        expect(mostWithin(grants, 1_000)).toBeLessThanOrEqual(mostInSecond(perMinute))
        expect(mostWithin(grants, 60_000)).toBeLessThan(perMinute + 1 + perMinute / 120)
        const served = new Set(grants.map(({ task }) => task))
        for (const [index, { gone }] of tasks.entries()) if (!gone) expect(served.has(index)).toBe(true)
        expect(grants.length).toBe(served.size)
      }),
      { numRuns: 300 },
    )
  })

  it('keeps limits of tokens, but for a call that is larger than what a second may be ahead', async () => {
    const tokens = fc.record({ input: fc.integer({ min: 0, max: 5_000 }), output: fc.integer({ min: 0, max: 500 }) })
    const weighed = fc.array(
      fc.record({ atMs: fc.integer({ min: 0, max: 5_000 }), lateMs: lateness, tokens }).map(simple),
      {
        minLength: 1,
        maxLength: 60,
      },
    )
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1_000, max: 600_000 }), weighed, async (perMinute, tasks) => {
        const { grants } = await play(stageOf({ inputTokensPerMinute: perMinute }), tasks)
        const inputOf = (index: number): number => tasks[index]?.tokens.input ?? 0
        const largest = Math.max(...tasks.map(({ tokens: { input } }) => input))
        for (const [windowMs, share] of [[1_000, perMinute / 60] as const, [60_000, perMinute] as const]) {
          const most = mostWithin(grants, windowMs, ({ task }) => inputOf(task))
          // a token for the rounding of the clock to milliseconds
          expect(most).toBeLessThanOrEqual(share + Math.max(perMinute / 120, largest) + perMinute / 60_000)
        }
        expect(grants).toHaveLength(tasks.length)
      }),
      { numRuns: 200 },
    )
  })

  it('that comes when it is told is served in its order, at its full rate, and asks twice', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 60, max: 60_000 }),
        fc.integer({ min: 1, max: 300 }),
        async (perMinute, count) => {
          fc.pre((count / perMinute) * 60 <= 60)
          const { grants } = await play(stageOf({ requestsPerMinute: perMinute }), crowd(count))
          expect(grants.map(({ task }) => task)).toEqual([...grants.keys()])
          expect(Math.max(...grants.map(({ asks }) => asks))).toBeLessThanOrEqual(2)
          // a meter is rounded up to microseconds, a time to come to milliseconds
          expect(grants.at(-1)?.atMs).toBeLessThanOrEqual(Math.ceil(((count - 1) * 60_000) / perMinute) + 2)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('never has more calls under way than there are places', async () => {
    const calls = fc.array(
      fc
        .record({ atMs: fc.integer({ min: 0, max: 5_000 }), ms: fc.integer({ min: 1, max: 8_000 }), lateMs: lateness })
        .map(({ atMs, ms, lateMs }) => simple({ atMs, lateMs, call: { ms, used: { input: 0, output: 0 } } })),
      { minLength: 1, maxLength: 60 },
    )
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6 }), calls, async (concurrency, tasks) => {
        const { grants, peak } = await play(stageOf({ concurrency }), tasks)
        expect(peak).toBeLessThanOrEqual(concurrency)
        expect(grants).toHaveLength(tasks.length)
      }),
      { numRuns: 200 },
    )
  })
})

describe('5,000 steps after an outage', () => {
  const asksOf = (grants: readonly Grant[]): number => grants.reduce((sum, { asks }) => sum + asks, 0) / grants.length
  const OUTAGE = [{ atMs: 0, forMs: 10_000 }]

  it('come back once each, in order, at the rate of the limit', async () => {
    const { grants } = await play(stageOf({ requestsPerMinute: 6_000 }, OUTAGE), crowd(5_000))
    expect(grants.map(({ task }) => task)).toEqual([...grants.keys()])
    expect(mostWithin(grants, 1_000)).toBeLessThanOrEqual(150)
    expect(mostWithin(grants, 1_000)).toBeGreaterThanOrEqual(100)
    expect(asksOf(grants)).toBeLessThan(2.3)
    expect(grants.at(-1)?.atMs).toBeLessThanOrEqual(60_100)
  })

  it('come at the rate of the limit when they are late, each in its own way', async () => {
    const late = crowd(5_000).map((task, index) => ({
      ...task,
      lateMs: [(index * 7919) % 400, (index * 104_729) % 400],
    }))
    const { grants } = await play(stageOf({ requestsPerMinute: 6_000 }, OUTAGE), late)
    expect(grants).toHaveLength(5_000)
    expect(mostWithin(grants, 1_000)).toBeLessThanOrEqual(150)
    expect(asksOf(grants)).toBeLessThan(2.3)
    // 50 s of work, behind 10 s of outage
    expect(grants.at(-1)?.atMs).toBeLessThanOrEqual(61_500)
  })

  it('all at once, when every worker has been away for a while', async () => {
    const stalled = crowd(5_000).map((task, index) => ({ ...task, lateMs: [Math.max(0, 20_000 - index * 10), 0] }))
    const { grants } = await play(stageOf({ requestsPerMinute: 6_000 }, OUTAGE), stalled)
    expect(grants).toHaveLength(5_000)
    expect(mostWithin(grants, 1_000)).toBeLessThanOrEqual(150)
    expect(asksOf(grants)).toBeLessThan(4)
    // 20 s were lost for everybody
    expect(grants.at(-1)?.atMs).toBeLessThanOrEqual(82_000)
  })

  it('come in growing waves where no limit is configured', async () => {
    const { grants } = await play(stageOf({}, OUTAGE), crowd(5_000))
    expect(grants).toHaveLength(5_000)
    const within = (fromMs: number, toMs: number): number =>
      grants.filter(({ atMs }) => atMs >= fromMs && atMs < toMs).length
    const waves = [within(10_000, 15_000), within(15_000, 20_000), within(20_000, 25_000), within(25_000, 30_000)]
    expect(waves[0]).toBeLessThanOrEqual(50)
    for (const [at, wave] of waves.entries()) if (at > 0) expect(wave).toBeGreaterThan(1.5 * (waves[at - 1] ?? 0))
    expect(grants.at(-1)?.atMs).toBeLessThan(60_000)
  })
})

describe('what is lost', () => {
  it('to tickets nobody comes back for is their own share, and nothing of those who do', async () => {
    const tasks = crowd(400).map((task, index) => ({ ...task, gone: index % 2 === 1 }))
    const { grants } = await play(stageOf({ requestsPerMinute: 600 }), tasks)
    expect(grants.length).toBeGreaterThanOrEqual(200)
    // the last of 400 has its slot after 39.9 s, whether those before it come or not
    expect(grants.at(-1)?.atMs).toBeLessThanOrEqual(40_000)
  })

  it('to a whole line that is cancelled is at most a look at it', async () => {
    const line = crowd(1_000, { gone: true })
    const { grants } = await play(stageOf({ requestsPerMinute: 60 }), [...line, simple({ atMs: 1_000 })])
    const late = grants.find(({ task }) => task === 1_000)
    // its slot would have come after 1,000 s; it looks after 500 s, when all that should have come back has not
    expect(late?.atMs).toBeLessThan(510_000)
  })

  it('is nothing when calls use less than was thought', async () => {
    const call = { ms: 100, used: { input: 100, output: 0 } }
    const tasks = Array.from({ length: 100 }, (_, index) =>
      simple({ atMs: index * 1_000, tokens: { input: 200, output: 0 }, call }),
    )
    const { grants } = await play(stageOf({ inputTokensPerMinute: 6_000 }), tasks)
    // a hundred tokens a second: thought to need twice that, and settled in time each
    expect(grants.map(({ asks }) => asks)).toEqual(tasks.map(() => 1))
  })

  it('leaves nobody in line when all have come', async () => {
    const stage = stageOf({ requestsPerMinute: 6_000 })
    await play(stage, crowd(300))
    expect(await stage.limits.states()).toMatchObject([{ dependency: PLAYED, waiting: 0 }])
  })
})
