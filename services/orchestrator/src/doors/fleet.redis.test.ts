import { FLEET, type WorkerInfo } from '@stepfleet/contracts'
import { connectRedis, type RedisClient } from '@stepfleet/runtime'
import { startRedis, type TestRedis } from '@stepfleet/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createFleetReader, readToolManifests } from './fleet.ts'
import { fleetViewSchema } from './http/bodies.ts'

let redis: TestRedis
let client: RedisClient
beforeAll(async () => {
  redis = await startRedis()
  const settings = { STEPFLEET_REDIS_URL: redis.url, STEPFLEET_REDIS_CLUSTER: false, STEPFLEET_ALLOW_VOLATILE: true }
  client = connectRedis(settings, { name: 'fleet-test' })
})
afterAll(async () => {
  client.disconnect()
  await redis.stop()
})

const worker = (id: string, circuits: WorkerInfo['circuits']): WorkerInfo => ({
  ...{ id, service: 'llm-worker', host: 'h', pid: 1, version: '0.1.0', startedAtMs: 1, queues: ['llm.a.b'], slots: 4 },
  ...{ tasks: [], circuits, draining: false },
})

test('tells the living from the dead by their beats, and merges circuits of the living', async () => {
  const infos = {
    w1: worker('w1', { 'anthropic/m': 'closed' }),
    w2: worker('w2', { 'anthropic/m': 'halfOpen', 'http:x': 'closed' }),
    dead: worker('dead', { 'anthropic/m': 'open' }),
  }
  for (const [id, info] of Object.entries(infos)) await client.hset(FLEET.workers, id, JSON.stringify(info))
  await client.hset(FLEET.workers, 'old', '{"from":"another release"}')
  await client.hset(FLEET.beats, { w1: 1, w2: 1, dead: 9 })
  await client.sadd(FLEET.queues, 'tool.http', 'llm.a.b')
  const beating = setInterval(() => {
    void client.hincrby(FLEET.beats, 'w1', 1)
    void client.hincrby(FLEET.beats, 'w2', 1)
  }, 50)
  const reader = createFleetReader(client, { depth: async () => ({ waiting: 2, active: 1, oldestAgeMs: null }) })
  try {
    const view = fleetViewSchema.parse(await reader.view())
    expect(Object.fromEntries(view.workers.map(({ id, alive }) => [id, alive]))).toEqual({
      w1: true,
      w2: true,
      dead: false,
    })
    expect(view.workers.find(({ id }) => id === 'w1')?.lastBeatAgoMs).toBe(0)
    expect(view.queues.map(({ name, waiting }) => [name, waiting])).toEqual([
      ['llm.a.b', 2],
      ['tool.http', 2],
    ])
    expect(view.circuits).toMatchObject([
      { dependency: 'anthropic/m', state: 'halfOpen', workers: 2 },
      { dependency: 'http:x', state: 'closed', sinceMs: null, why: null, workers: 1 },
    ])
    const first = view.workers.find(({ id }) => id === 'dead')?.lastBeatAgoMs ?? 0
    const second = (await reader.view()).workers.find(({ id }) => id === 'dead')?.lastBeatAgoMs ?? 0
    expect(first).toBeGreaterThanOrEqual(200)
    expect(second).toBeGreaterThan(first)
  } finally {
    clearInterval(beating)
  }
})

test('reads the tools that workers have published, and leaves out what it cannot read', async () => {
  const manifest = { spec: { name: 'mail', description: 'd', input: {} }, effect: 'once', secrets: [] }
  await client.hset(FLEET.tools, { mail: JSON.stringify(manifest), broken: 'no json' })
  const tools = await readToolManifests(client)
  expect([...tools]).toEqual([['mail', manifest]])
})
