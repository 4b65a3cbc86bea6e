// On a real Redis Cluster: all keys of a provider are in one slot, and providers are on different nodes.
import { startRedisCluster } from '@stepfleet/testkit'
import { Cluster } from 'ioredis'
import { expect, it } from 'vitest'
import { createLogger } from '../logger.ts'
import { NO_LIMITS } from './conformance-bench.fixture.ts'
import { createRedisProviderLimits } from './redis-provider-limits.ts'

it('grants, refuses, pauses, settles and shows the models of many providers', async () => {
  const cluster = await startRedisCluster()
  const client = new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })))
  const limits = createRedisProviderLimits({
    client,
    limitsOf: () => ({ ...NO_LIMITS, requestsPerMinute: 1, concurrency: 5, providerConcurrency: 9 }),
    logger: createLogger('test', 'silent'),
  })
  try {
    const providers = Array.from({ length: 8 }, (_, i) => `provider-${i}/model`)
    const ask = (dependency: string, task: string) =>
      limits.acquire({ dependency, task, token: task, tokens: { input: 5, output: 5 } })
    for (const dependency of providers) {
      const first = await ask(dependency, 'a')
      if (!first.granted) throw new Error(first.why)
      expect(await ask(dependency, 'b')).toMatchObject({ granted: false, reason: 'requests' })
      await limits.settle(first.permit, { input: 5, output: 5 })
      await limits.pause(dependency, 60_000, '429')
      expect(await ask(dependency, 'c')).toMatchObject({ granted: false, reason: 'paused' })
    }
    const states = await limits.states()
    expect(states.map(({ dependency }) => dependency)).toEqual(providers)
    for (const state of states) expect(state).toMatchObject({ waiting: 2, running: 0 })
    const sizes = await Promise.all(client.nodes('master').map((node) => node.dbsize()))
    expect(Math.min(...sizes)).toBeGreaterThan(0)
  } finally {
    limits.stop()
    client.disconnect()
    await cluster.stop()
  }
})
