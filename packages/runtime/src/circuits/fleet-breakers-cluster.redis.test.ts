// The circuits of a fleet on a real Redis Cluster: each in a slot of its own, the list in another, news from any node.
import { eventually, startRedisCluster, type TestCluster } from '@stepfleet/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createLogger } from '../logger.ts'
import { closeRedis, connectRedis, type RedisClient } from '../redis.ts'
import { CircuitOpen } from './circuit-open.ts'
import { createCircuitStore } from './circuit-store.ts'
import { createFleetBreakers, type FleetBreakers } from './fleet-breakers.ts'

const logger = createLogger('test', 'silent')
const clients: RedisClient[] = []
let cluster: TestCluster
beforeAll(async () => {
  cluster = await startRedisCluster()
})
afterAll(async () => {
  await Promise.all(clients.map(closeRedis))
  await cluster.stop()
})

const connect = (): RedisClient => {
  const settings = { STEPFLEET_REDIS_URL: cluster.url, STEPFLEET_REDIS_CLUSTER: true, STEPFLEET_ALLOW_VOLATILE: true }
  const client = connectRedis(settings, { name: 'test', logger })
  clients.push(client)
  return client
}

const join = async (): Promise<FleetBreakers> => {
  // too long to be what the others hear it by
  const tuning = { refreshMs: 60_000, resetMs: 50, spreadMs: 1 }
  const breakers = createFleetBreakers({
    ...{ client: connect(), subscriber: connect(), blame: () => 'dependency', logger, tuning },
  })
  await breakers.start()
  return breakers
}

it('opens for all, is probed and recovers, on whatever node it is', async () => {
  const [one, two] = await Promise.all([join(), join()])
  const store = createCircuitStore(connect())
  const names = Array.from({ length: 8 }, (_, i) => `http:host-${i}`)
  for (const name of names) {
    await two.run(name, async () => 'well')
    for (let i = 0; i < 6; i += 1) await one.run(name, () => Promise.reject(new Error('529'))).catch(() => undefined)
  }
  await eventually(() => names.every((name) => two.states()[name] === 'open'), { what: 'the news' })
  const listed = (await store.list()).map(({ circuit }) => circuit.dependency)
  expect(listed.sort()).toEqual(names)
  for (const name of names) {
    const called = () => two.run(name, async () => 'well').catch((error: unknown) => error instanceof CircuitOpen)
    await eventually(async () => (await called()) === 'well', { what: 'a probe' })
    await eventually(async () => (await store.read(name)).circuit.state === 'recovering')
  }
  for (const breakers of [one, two]) breakers.stop()
})
