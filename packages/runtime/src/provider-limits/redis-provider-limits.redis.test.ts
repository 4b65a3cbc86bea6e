// The limits of model providers over a real Redis keep every promise, also for 5,000 tasks over several connections.
import { eventually, startRedis, type TestRedis } from '@stepfleet/testkit'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createLogger } from '../logger.ts'
import { luaScript } from '../redis.ts'
import { providerLimitsConformance } from './conformance.fixture.ts'
import { NO_LIMITS } from './conformance-bench.fixture.ts'
import { createMemoryProviderLimits } from './memory-provider-limits.ts'
import { mostWithin, PLAYED, type PlayedTask, play } from './play.fixture.ts'
import type { DependencyLimits } from './port.ts'
import { createRedisProviderLimits } from './redis-provider-limits.ts'

let redis: TestRedis
let client: Redis
const logger = createLogger('test', 'silent')

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

providerLimitsConformance('provider limits over Redis', async (limitsOf, tuning) => {
  await client.flushall()
  const limits = createRedisProviderLimits({ client, limitsOf, logger, tuning })
  return {
    limits,
    pass: async (ms) => {
      const until = (await nowMs()) + ms + 1
      await eventually(async () => (await nowMs()) >= until, { everyMs: 5 })
    },
    stop: async () => limits.stop(),
  }
})

describe('5,000 tasks over four connections', () => {
  const PER_MINUTE = 60_000
  const limitsOf = (): DependencyLimits => ({ ...NO_LIMITS, requestsPerMinute: PER_MINUTE })

  it('after a pause never come faster than one and a half of the rate, and leave nothing behind', async () => {
    await client.flushall()
    const clients = Array.from({ length: 4 }, () => new Redis(redis.url, { maxRetriesPerRequest: null }))
    const workers = clients.map((one) => createRedisProviderLimits({ client: one, limitsOf, logger }))
    await workers[0]?.pause(PLAYED, 1_000, '429')
    const grants = await Promise.all(
      Array.from({ length: 5_000 }, async (_, task) => {
        const limits = workers[task % workers.length]
        if (!limits) throw new Error('no worker')
        for (let asks = 1; ; asks += 1) {
          const tokens = { input: 100, output: 10 }
          const answer = await limits.acquire({ dependency: PLAYED, task: `task-${task}`, token: `${asks}`, tokens })
          if (answer.granted) {
            await limits.settle(answer.permit, tokens)
            return { task, atMs: answer.permit.atMs, asks }
          }
          await new Promise((resolve) => setTimeout(resolve, answer.retryAfterMs))
        }
      }),
    )
    grants.sort((a, b) => a.atMs - b.atMs)
    expect(mostWithin(grants, 1_000)).toBeLessThanOrEqual((1.5 * PER_MINUTE) / 60)
    const [state] = (await workers[1]?.states()) ?? []
    expect(state).toMatchObject({ waiting: 0, running: 0, providerRunning: 0, paused: null })
    expect((await client.keys('*')).filter((key) => !/:(state|used)$|:limited$/.test(key))).toEqual([])
    for (const worker of workers) worker.stop()
    for (const one of clients) one.disconnect()
  })
})

describe('memory', () => {
  it('has an end for all that is kept', async () => {
    await client.flushall()
    const limits = createRedisProviderLimits({
      client,
      limitsOf: () => ({ ...NO_LIMITS, requestsPerMinute: 1, providerConcurrency: 5 }),
      logger,
    })
    for (const task of ['a', 'b']) {
      await limits.acquire({ dependency: PLAYED, task, token: task, tokens: { input: 1, output: 1 } })
    }
    await limits.pause('openai/gpt', 60_000, '429')
    const keys = (await client.keys('*')).filter((key) => key !== 'sf:{fleet}:limited')
    expect(keys).toHaveLength(8)
    for (const key of keys) expect(await client.pttl(key), key).toBeGreaterThan(0)
    // what has vanished leaves the list
    await client.del(...keys)
    expect(await limits.states()).toEqual([])
    expect(await client.scard('sf:{fleet}:limited')).toBe(0)
    limits.stop()
  })
})

describe('the scripts', () => {
  it('renew no place that is gone', async () => {
    await client.flushall()
    const places = ['sf:{p:anthropic}:sonnet:places', 'sf:{p:anthropic}:places'] as const
    expect(await client.sfProviderRenew(...places, '1000000', 'a', 'sonnet a')).toBe(0)
    expect(await client.exists(...places)).toBe(0)
  })

  const NAMES = {
    sfProviderTidy: 'provider-tidy.6',
    sfProviderSettle: 'provider-settle.5',
    sfProviderPause: 'provider-pause.1',
  }
  const textOf = (file: string) => luaScript(new URL(`../lua/${file}.lua`, import.meta.url))

  /** The scripts as they are, but by a clock that the test sets. */
  const setClock = (): void => {
    const patched = (lua: string): string => {
      const text = lua.replace(/(redis\.)?call\('TIME'\)/, "redis.call('LRANGE', 'clock', 0, 1)")
      if (text === lua) throw new Error('a script without a clock')
      return text
    }
    for (const [name, file] of Object.entries(NAMES)) {
      const { lua, numberOfKeys } = textOf(file)
      client.defineCommand(name, { lua: patched(lua), numberOfKeys })
    }
    const lua = patched(`${textOf('provider-slot.7').lua}\n${textOf('provider-acquire.7').lua}`)
    client.defineCommand('sfProviderAcquire', { lua, numberOfKeys: 7 })
  }

  const tokens = fc.record({ input: fc.integer({ min: 0, max: 3_000 }), output: fc.integer({ min: 0, max: 300 }) })
  const task = fc.record({
    atMs: fc.integer({ min: 0, max: 20_000 }),
    tokens,
    lateMs: fc.array(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 20_000 })), { maxLength: 3 }),
    gone: fc.boolean(),
    // always settled: a place that is never given back would be asked for for ever
    call: fc.record({ ms: fc.integer({ min: 1, max: 9_000 }), used: fc.option(tokens) }),
  })
  const limit = (max: number) => fc.option(fc.integer({ min: 1, max }))
  const limits = fc.record({
    requestsPerMinute: limit(600),
    inputTokensPerMinute: limit(200_000),
    outputTokensPerMinute: limit(20_000),
    concurrency: limit(10),
    providerConcurrency: limit(10),
  })
  const pauses = fc.array(
    fc.record({ atMs: fc.integer({ min: 0, max: 30_000 }), forMs: fc.integer({ min: 1, max: 90_000 }) }),
    { maxLength: 2 },
  )

  it('do what the limits in memory do', async () => {
    const compare = async (
      configured: DependencyLimits,
      tasks: PlayedTask[],
      held: { atMs: number; forMs: number }[],
    ) => {
      await client.flushall()
      const over = createRedisProviderLimits({ client, limitsOf: () => configured, logger, tuning: { leaseMs: 1e9 } })
      setClock()
      let nowMs = 0
      const BASE_MS = 1_000_000_020_000
      const inRedis = await play(
        {
          limits: over,
          setNow: async (ms) => {
            const us = (ms % 1_000) * 1_000
            await client
              .multi()
              .del('clock')
              .rpush('clock', Math.floor((BASE_MS + ms) / 1_000), us)
              .exec()
          },
          pauses: held,
        },
        tasks,
      )
      over.stop()
      const inMemory = await play(
        {
          limits: createMemoryProviderLimits(
            () => BASE_MS + nowMs,
            () => configured,
          ),
          setNow: (ms) => {
            nowMs = ms
          },
          pauses: held,
        },
        tasks,
      )
      expect(inRedis).toEqual(inMemory)
    }
    // the same each time: a time that lies just between two milliseconds could be rounded up here and down there
    await fc.assert(fc.asyncProperty(limits, fc.array(task, { minLength: 1, maxLength: 40 }), pauses, compare), {
      numRuns: 200,
      seed: 4711,
    })
  })
})
