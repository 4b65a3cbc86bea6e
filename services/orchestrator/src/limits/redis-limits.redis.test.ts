// The limits over a real Redis keep every promise, also with several clients at once, and leave nothing behind.
import { eventually, startRedis, type TestRedis } from '@stepfleet/testkit'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limitsConformance } from './conformance.fixture.ts'
import type { FleetLimits, Holder } from './port.ts'
import { createRedisLimits } from './redis-limits.ts'

const NS = 'default'
let redis: TestRedis
let client: Redis

beforeAll(async () => {
  redis = await startRedis()
  client = new Redis(redis.url, { maxRetriesPerRequest: null })
})
afterAll(async () => {
  client.disconnect()
  await redis.stop()
})

const nowMs = async (): Promise<number> => {
  const [seconds, micros] = await client.time()
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
}

limitsConformance('limits over Redis', async (patience) => {
  await client.flushall()
  return {
    limits: createRedisLimits(client, patience),
    nowMs,
    until: async (check) => {
      await eventually(check)
    },
    stop: async () => {},
  }
})

/** What one of several engines does for its steps: asks, asks again when called or when it is time, and gives back. */
class Engine {
  readonly #limits: FleetLimits
  readonly #wake: (holder: Holder) => void

  constructor(through: Redis, wake: (holder: Holder) => void) {
    this.#limits = createRedisLimits(through)
    this.#wake = wake
  }

  /** Asks for a place; when it is told to wait, until it is called or its time has come. */
  async enter(ask: { limit: number; perMs: number | null }, holder: Holder, called: () => boolean): Promise<void> {
    for (let version = 1; ; version += 1) {
      const answer = await this.#limits.take(NS, { key: 'k', ...ask, holder, version })
      answer.call.forEach(this.#wake)
      if (answer.granted) return
      await eventually(async () => called() || (await nowMs()) >= answer.againAtMs, { everyMs: 2, timeoutMs: 40_000 })
    }
  }

  async giveBack(holder: Holder, seq: number): Promise<void> {
    const called = await this.#limits.release(NS, { kind: 'concurrency', key: 'k' }, holder, seq)
    called.forEach(this.#wake)
  }
}

describe('four clients', () => {
  const wakes = new Map<string, boolean>()
  const engines: { engine: Engine; connection: Redis }[] = []

  beforeAll(async () => {
    await client.flushall()
    for (let i = 0; i < 4; i += 1) {
      const connection = new Redis(redis.url, { maxRetriesPerRequest: null })
      const engine = new Engine(connection, ({ run, path }) => wakes.set(`${run}/${path}`, true))
      engines.push({ engine, connection })
    }
  })
  afterAll(() => {
    for (const { connection } of engines) connection.disconnect()
  })

  const each = async (count: number, act: (engine: Engine, holder: Holder) => Promise<void>): Promise<void> => {
    const acts = Array.from({ length: count }, async (_, index) => {
      const { engine } = engines[index % engines.length] ?? {}
      if (!engine) throw new Error('no engine')
      await act(engine, { run: `run-${index}`, path: 'draft' })
    })
    await Promise.all(acts)
  }
  const calledOf =
    ({ run, path }: Holder) =>
    (): boolean =>
      wakes.delete(`${run}/${path}`)

  it('never hold more places than there are, serve everybody, and leave nothing behind', async () => {
    let held = 0
    let peak = 0
    let served = 0
    await each(80, async (engine, holder) => {
      await engine.enter({ limit: 5, perMs: null }, holder, calledOf(holder))
      held += 1
      peak = Math.max(peak, held)
      served += 1
      await client.ping()
      held -= 1
      await engine.giveBack(holder, 1_000)
    })
    expect(served).toBe(80)
    expect(peak).toBe(5)
    expect(await client.dbsize()).toBe(0)
  })

  it('never start more than the rate says', async () => {
    const perMs = 200
    // a longer `per` of the same key: until it is over Redis keeps all starts, for the test to read
    const keeper = { limit: 100, perMs: 60_000 }
    await each(1, (engine, holder) => engine.enter(keeper, { ...holder, path: 'keeper' }, () => false))
    await each(24, (engine, holder) => engine.enter({ limit: 4, perMs }, holder, calledOf(holder)))
    const [key = ''] = await client.keys('*:rate:places')
    const found = await client.zrangebyscore(key, '-inf', '+inf', 'WITHSCORES')
    const times = found.filter((_, index) => index % 2 === 1).map(Number)
    expect(times).toHaveLength(25)
    for (const [at, time] of times.entries()) {
      const before = times[at - 4]
      if (before !== undefined) expect(time - before).toBeGreaterThanOrEqual(perMs * 1_000)
    }
  })
})

describe('memory', () => {
  it('is held for places, and has an end for all that waits', async () => {
    await client.flushall()
    const limits = createRedisLimits(client)
    const ask = (run: string, perMs: number | null) =>
      limits.take(NS, { key: 'k', limit: 1, perMs, holder: { run, path: '' }, version: 1 })
    for (const perMs of [null, 60_000]) for (const run of ['a', 'b']) await ask(run, perMs)
    const endless = []
    for (const key of await client.keys('*')) if ((await client.pttl(key)) < 0) endless.push(key.split(':').slice(-2))
    expect(endless.sort()).toEqual([
      ['concurrency', 'places'],
      ['concurrency', 'who'],
    ])
    await limits.release(NS, { kind: 'concurrency', key: 'k' }, { run: 'a', path: '' }, 2)
    for (const key of await client.keys('*:concurrency:*')) expect(await client.pttl(key)).toBeGreaterThan(0)
  })

  it('of a rate ends with its `per`', async () => {
    await client.flushall()
    const limits = createRedisLimits(client)
    const ask = { key: 'k', limit: 1, perMs: 100, holder: { run: 'a', path: '' }, version: 1 }
    expect(await limits.take(NS, ask)).toMatchObject({ granted: true })
    expect(await client.dbsize()).toBeGreaterThan(0)
    await eventually(async () => (await client.dbsize()) === 0)
  })
})
