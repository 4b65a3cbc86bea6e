// A Redis in a container, by testcontainers, on a host port that stays the same over a restart.
import { freePort } from '@stepfleet/local-redis'
import { RedisContainer } from '@testcontainers/redis'
import { Redis } from 'ioredis'
import { getContainerRuntimeClient } from 'testcontainers'
import { eventually } from './eventually.ts'
import type { TestRedis, TestRedisOptions } from './redis.ts'

const IMAGE = 'redis:7.4-alpine'

const answers = (url: string): Promise<string> =>
  eventually(
    async () => {
      const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 })
      client.on('error', () => {})
      try {
        await client.connect()
        return await client.ping()
      } finally {
        client.disconnect()
      }
    },
    { timeoutMs: 30_000, what: `the container at ${url} to answer`, everyMs: 50 },
  )

export const startRedisContainer = async (options: TestRedisOptions): Promise<TestRedis> => {
  const command = [
    ...['redis-server', '--appendonly', 'yes', '--appendfsync', options.appendfsync ?? 'everysec'],
    ...['--save', '', '--maxmemory-policy', 'noeviction', ...(options.extra ?? [])],
  ]
  const started = await new RedisContainer(IMAGE)
    .withExposedPorts({ container: 6379, host: await freePort() })
    .withCommand(command)
    .start()
  const runtime = await getContainerRuntimeClient()
  const container = runtime.container.getById(started.getId())
  const host = started.getHost()
  const port = started.getPort()
  const url = `redis://${host}:${port}`
  return {
    url,
    host,
    port,
    pid: 0,
    source: 'container',
    // a container that is gone already answers with an error: that is what was asked for
    kill: (signal) => void container.kill({ signal }).catch(() => {}),
    restart: async () => {
      await container.restart()
      await answers(url)
    },
    stop: async () => {
      await started.stop()
    },
  }
}
