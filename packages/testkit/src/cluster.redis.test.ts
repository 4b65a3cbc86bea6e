// The test cluster takes writes to every master.
import { Cluster } from 'ioredis'
import { expect, it } from 'vitest'
import { startRedisCluster } from './cluster.ts'

it('starts three masters that share the slots', async () => {
  const cluster = await startRedisCluster()
  const client = new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })))
  try {
    for (let i = 0; i < 64; i += 1) await client.set(`{s${i}}:x`, i)
    expect(client.nodes('master')).toHaveLength(3)
    const sizes = await Promise.all(client.nodes('master').map((node) => node.dbsize()))
    expect(sizes.reduce((sum, n) => sum + n, 0)).toBe(64)
    expect(Math.min(...sizes)).toBeGreaterThan(0)
  } finally {
    client.disconnect()
    await cluster.stop()
  }
})
