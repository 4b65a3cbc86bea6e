// Connections and queues on a real Redis Cluster.
import { eventually, startRedisCluster, type TestCluster } from '@stepfleet/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { consume } from './consume.ts'
import { createLogger } from './logger.ts'
import { createPublisher } from './queue.ts'
import { checkRedis, closeRedis, connectRedis } from './redis.ts'

let cluster: TestCluster
const logger = createLogger('test', 'silent')
const settings = () => ({
  STEPFLEET_REDIS_URL: cluster.url,
  STEPFLEET_REDIS_CLUSTER: true,
  STEPFLEET_ALLOW_VOLATILE: false,
})

beforeAll(async () => {
  cluster = await startRedisCluster()
})
afterAll(() => cluster.stop())

it('looks at every master', async () => {
  const client = connectRedis(settings(), { name: 'stepfleet-test', logger })
  expect(await checkRedis(client, { allowVolatile: false })).toEqual({ volatile: false })
  const other = connectRedis(
    { ...settings(), STEPFLEET_REDIS_CLUSTER: false, STEPFLEET_REDIS_URL: nodeUrl(2) },
    { name: 'stepfleet-test', logger },
  )
  await other.config('SET', 'maxmemory-policy', 'allkeys-lru')
  await expect(checkRedis(client, { allowVolatile: false })).rejects.toThrow('may evict')
  await other.config('SET', 'maxmemory-policy', 'noeviction')
  await closeRedis(other)
  await closeRedis(client)
})

const nodeUrl = (at: number): string => {
  const node = cluster.nodes[at]
  if (!node) throw new Error(`no node ${at}`)
  return `redis://${node.host}:${node.port}`
}

it('many queues, on different nodes, each published, consumed and counted', async () => {
  const publisher = createPublisher(settings(), logger)
  const queues = Array.from({ length: 6 }, (_, i) => `tool.q${i}`)
  const seen = new Set<string>()
  const consumers = queues.map((queue) =>
    consume(settings(), { queue, slots: 2, logger, handle: async ({ id }) => void seen.add(`${queue}/${id}`) }),
  )
  await publisher.publish(
    queues.flatMap((queue) => ['a', 'b', 'c'].map((id) => ({ queue, id, priority: 3, payload: {} }))),
  )
  await eventually(() => seen.size === 18)
  await Promise.all(consumers.map((consumer) => consumer.stop()))
  await publisher.close()
})
