// The beat against a real Redis: it goes on whatever the main loop does, and comes back after an outage.
import { FLEET } from '@stepfleet/contracts'
import { eventually, startRedis, type TestRedis } from '@stepfleet/testkit'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Beat, startBeat } from './beat.ts'
import { createLogger } from './logger.ts'

let redis: TestRedis
let client: Redis
const beats: Beat[] = []

beforeAll(async () => {
  redis = await startRedis()
  client = new Redis(redis.url, { maxRetriesPerRequest: null })
  client.on('error', () => {})
})
afterEach(async () => {
  for (const beat of beats.splice(0)) await beat.stop()
})
afterAll(async () => {
  client.disconnect()
  await redis.stop()
})

const start = (worker: string): Beat => {
  const settings = {
    STEPFLEET_REDIS_URL: redis.url,
    STEPFLEET_REDIS_CLUSTER: false,
    STEPFLEET_ALLOW_VOLATILE: true,
  }
  const beat = startBeat({ settings, worker, logger: createLogger('test', 'silent') })
  beats.push(beat)
  return beat
}
const count = async (worker: string): Promise<number> => Number(await client.hget(FLEET.beats, worker))

describe('the beat', () => {
  it('goes on while the main loop is blocked for 3 s', async () => {
    await start('w1').first
    const before = await count('w1')
    expect(before).toBeGreaterThan(0)
    const until = performance.now() + 3_000
    let spins = 0
    while (performance.now() < until) spins += 1
    expect(spins).toBeGreaterThan(0)
    // 15 beats are due; the machine may be slow, but five in a row missed would be a death
    expect((await count('w1')) - before).toBeGreaterThanOrEqual(10)
  })

  it('comes back after Redis was away', async () => {
    await start('w2').first
    redis.kill('SIGKILL')
    await redis.restart()
    const after = await count('w2')
    await eventually(async () => (await count('w2')) > after)
  })

  it('is still when it was stopped, and can be stopped while Redis is away', async () => {
    const beat = start('w3')
    await beat.first
    await beat.stop()
    await client.hdel(FLEET.beats, 'w3')
    // another worker's beats show that time goes by
    await start('w4').first
    const from = await count('w4')
    await eventually(async () => (await count('w4')) >= from + 3)
    expect(await client.hexists(FLEET.beats, 'w3')).toBe(0)
    const last = beats.at(-1)
    redis.kill('SIGKILL')
    await last?.stop()
    await redis.restart()
  })
})
