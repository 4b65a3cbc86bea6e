// The limits keep every promise on a real Cluster of three nodes: the keys of one limit share a slot.
import { eventually, startRedisCluster, type TestCluster } from '@stepfleet/testkit'
import { Cluster } from 'ioredis'
import { afterAll, beforeAll } from 'vitest'
import { limitsConformance } from './conformance.fixture.ts'
import { createRedisLimits } from './redis-limits.ts'

let cluster: TestCluster
let client: Cluster

beforeAll(async () => {
  cluster = await startRedisCluster()
  client = new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })))
  await client.ping()
})
afterAll(async () => {
  client.disconnect()
  await cluster.stop()
})

limitsConformance('limits on a Cluster', async (patience) => {
  await Promise.all(client.nodes('master').map((node) => node.flushall()))
  return {
    limits: createRedisLimits(client, patience),
    nowMs: async () => {
      const [seconds, micros] = await client.time()
      return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
    },
    until: async (check) => {
      await eventually(check)
    },
    stop: async () => {},
  }
})
