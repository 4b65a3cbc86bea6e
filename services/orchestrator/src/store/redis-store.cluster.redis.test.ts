// The Redis store keeps every law of the store on a real Cluster of three nodes.
import { SHARDS, shardKeys } from '@stepfleet/contracts'
import { createClaims } from '@stepfleet/runtime'
import { eventually, startRedisCluster, type TestCluster } from '@stepfleet/testkit'
import { Cluster } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { note, ownedRun } from './conformance/harness.ts'
import { type Harness, storeConformance } from './conformance.ts'
import { slotOfShard } from './redis/pipelined.ts'
import { createRedisStore } from './redis-store.ts'

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

const make = async (): Promise<Harness> => {
  await Promise.all(client.nodes('master').map((node) => node.flushall()))
  const store = createRedisStore(client)
  return {
    store,
    claims: createClaims(client),
    until: async (check) => {
      await eventually(check)
    },
    stop: () => store.close(),
  }
}

storeConformance('Redis store on a Cluster', make)

describe('shards on a Cluster', () => {
  it('know their slots', async () => {
    const shards = Array.from({ length: SHARDS }, (_, shard) => shard)
    const told = await Promise.all(shards.map((shard) => client.cluster('KEYSLOT', shardKeys(shard).mailbox)))
    expect(shards.map(slotOfShard)).toEqual(told)
    const nodes = new Set(shards.map((shard) => client.slots[slotOfShard(shard)]?.[0]))
    expect(nodes.size).toBe(3)
  })

  it('are found again when the client believes an old layout', async () => {
    const h = await make()
    const runs = []
    for (let i = 0; i < 12; i += 1) runs.push(await ownedRun(h))
    const appends = await Promise.all(runs.map((run) => run.make({ events: [note(1)] })))
    const nodes = [...new Set(client.slots.map((slot) => slot?.[0]))]
    // every slot on the next node: each pipeline meets MOVED
    client.slots = client.slots.map(([node = '']) => [nodes[(nodes.indexOf(node) + 1) % nodes.length] ?? node])
    expect(await h.store.append(appends)).toEqual(runs.map(() => 'appended'))
    await h.stop()
  })
})
