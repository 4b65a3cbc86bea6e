// The budgets over a real Redis keep every promise, also with several clients at once, and leave nothing behind.
import { startRedis, type TestRedis } from '@stepfleet/testkit'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { budgetsConformance } from './conformance.fixture.ts'
import { createRedisBudgets } from './redis-budgets.ts'

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

budgetsConformance('budgets over Redis', async () => {
  await client.flushall()
  return { budgets: createRedisBudgets(client), stop: async () => {} }
})

it('is exact for several engines, and every key of it expires', async () => {
  await client.flushall()
  const clients = Array.from({ length: 4 }, () => new Redis(redis.url, { maxRetriesPerRequest: null }))
  const engines = clients.map(createRedisBudgets)
  const caps = [{ scope: 'namespace', tokens: null, microUsd: 5_000 }] as const
  const asked = Array.from({ length: 400 }, (_, at) => ({
    run: `r${at % 9}`,
    workflow: 'report',
    holder: `s.${at}.1`,
    tokens: 1,
    microUsd: 100,
    caps,
  }))
  const answers = await Promise.all(asked.map((call, at) => engines[at % 4]?.reserve(NS, call)))
  expect(answers.filter((answer) => answer?.granted)).toHaveLength(50)
  for (const key of await client.keys('sf:{b:*')) expect(await client.pttl(key), key).toBeGreaterThan(0)
  for (const one of clients) one.disconnect()
})
