// The container behind `startRedis`, where a Docker engine answers.
import { dockerAnswers } from '@stepfleet/local-redis'
import { Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { eventually } from './eventually.ts'

const engine = await dockerAnswers()

describe.skipIf(!engine)('a Redis in Docker', () => {
  it('keeps acknowledged data over SIGKILL and restart, on the same port', { timeout: 120_000 }, async () => {
    const { startRedisContainer } = await import('./container.ts')
    const redis = await startRedisContainer({ appendfsync: 'always' })
    const client = new Redis(redis.url, { retryStrategy: () => 100, maxRetriesPerRequest: null })
    client.on('error', () => {})
    try {
      await client.set('kept', 'yes')
      redis.kill('SIGKILL')
      await eventually(() => client.status !== 'ready', { what: 'the connection to break' })
      await redis.restart()
      expect(await client.get('kept')).toBe('yes')
      expect(redis.source).toBe('container')
    } finally {
      client.disconnect()
      await redis.stop()
    }
  })
})

describe('without a Docker engine', () => {
  it('STEPFLEET_TEST_REDIS=docker is refused in words', async ({ skip }) => {
    if (engine) skip('a Docker engine answers')
    const { startRedis } = await import('./redis.ts')
    process.env.STEPFLEET_TEST_REDIS = 'docker'
    try {
      await expect(startRedis()).rejects.toThrow('no Docker engine answers')
    } finally {
      delete process.env.STEPFLEET_TEST_REDIS
    }
  })
})
