// The circuits in the fleet view, and forced ones, over a real Redis.
import { circuitViewSchema, FLEET, type WorkerInfo } from '@stepfleet/contracts'
import { createCircuitStore } from '@stepfleet/runtime'
import { startRedis, type TestRedis } from '@stepfleet/testkit'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createCircuits } from './circuits.ts'

let redis: TestRedis
let client: Redis
beforeAll(async () => {
  redis = await startRedis()
  client = new Redis(redis.url)
})
afterAll(async () => {
  client.disconnect()
  await redis.stop()
})

const worker = (id: string, circuits: WorkerInfo['circuits']): WorkerInfo => ({
  ...{ id, service: 'llm-worker', host: 'h', pid: 1, version: '0.1.0', startedAtMs: 1, queues: [], slots: 4 },
  ...{ tasks: [], circuits, draining: false },
})

test('shows what the fleet knows, and what workers tell where it knows nothing', async () => {
  const store = createCircuitStore(client)
  await store.trip('anthropic/m', '0', '529 ×7')
  const views = await createCircuits(client).list([
    worker('w1', { 'anthropic/m': 'closed', 'http:own': 'open', 'http:well': 'closed' }),
    worker('w2', { 'anthropic/m': 'open', 'http:own': 'closed' }),
  ])
  for (const view of views) circuitViewSchema.parse(view)
  const { sinceMs, nextProbeAtMs, ...open } = views[0] ?? { sinceMs: 0, nextProbeAtMs: 0 }
  expect(open).toEqual({
    ...{ dependency: 'anthropic/m', state: 'open', forced: null, by: null, workers: 2 },
    why: expect.stringMatching(/^circuit anthropic\/m is open since .* \(529 ×7\); next probe at /),
  })
  expect((nextProbeAtMs ?? 0) - (sinceMs ?? 0)).toBe(15_000)
  expect(views.slice(1)).toMatchObject([
    {
      dependency: 'http:own',
      state: 'open',
      why: 'circuit http:own is open in a worker, by its own calls',
      workers: 2,
    },
    { dependency: 'http:well', state: 'closed', why: null, workers: 1 },
  ])
})

test('forces a circuit, also one that no worker has used, and lets go of it', async () => {
  const circuits = createCircuits(client)
  await client.hset(FLEET.workers, 'w1', JSON.stringify(worker('w1', { 'openai/m': 'closed' })))
  expect(await circuits.force('openai/m', { force: 'open', by: 'ada', reason: 'bad bill' })).toMatchObject({
    ...{ state: 'open', forced: 'open', by: 'ada', nextProbeAtMs: null, workers: 1 },
    why: expect.stringMatching(/^circuit openai\/m was forced open at \d\d:\d\d:\d\dZ by ada: bad bill$/),
  })
  expect(await circuits.list([])).toContainEqual(expect.objectContaining({ dependency: 'openai/m', forced: 'open' }))
  expect(await circuits.force('http:new', { force: 'closed' })).toMatchObject({
    ...{ state: 'closed', forced: 'closed', by: 'api', workers: 0 },
  })
  expect(await circuits.force('openai/m', { force: null, by: 'ada' })).toMatchObject({
    ...{ state: 'open', forced: null, by: null },
    nextProbeAtMs: expect.any(Number),
  })
})
