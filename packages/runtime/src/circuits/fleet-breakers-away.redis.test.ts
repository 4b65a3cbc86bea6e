// The circuits of a fleet while Redis is away or does not hear: what was last known holds, and opossum goes on.
import { eventually, type FaultProxy, faultProxy, startRedis, type TestRedis } from '@stepfleet/testkit'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createCircuitStore } from './circuit-store.ts'
import { breakDown, Fleet, hold, isRefused, type Member } from './fleet-breakers.fixture.ts'

const X = 'http:example.org'
let redis: TestRedis
let proxy: FaultProxy
const fleet = new Fleet()

beforeEach(async () => {
  redis = await startRedis()
  proxy = await faultProxy({ target: { host: redis.host, port: redis.port } })
})
afterEach(async () => {
  fleet.stop()
  await proxy.stop()
  await redis.stop()
})

const url = () => `redis://${proxy.host}:${proxy.port}`
/** By a connection that has no faults. */
const stateOf = async (member: Member) => (await createCircuitStore(member.client).read(X)).circuit.state

it('opens by its own count, and tells the fleet when Redis is back', async () => {
  const cut = await fleet.join(url(), { refreshMs: 50 })
  const other = await fleet.join(redis.url)
  proxy.refuse(true)
  await eventually(() => cut.client.status !== 'ready')
  await breakDown(cut, X)
  expect(isRefused(await cut.call(X))).toBe(true)
  expect(await other.call(X)).toBe('well')
  proxy.refuse(false)
  await eventually(async () => isRefused(await other.call(X)))
  expect(await stateOf(other)).toBe('open')
})

it('keeps what it knew, and probes by itself what is due', async () => {
  const cut = await fleet.join(url(), { resetMs: 100, refreshMs: 50, askMs: 50 })
  await breakDown(cut, X)
  const other = await fleet.join(redis.url)
  expect(await stateOf(other)).toBe('open')
  proxy.refuse(true)
  await eventually(() => cut.client.status !== 'ready')
  await eventually(async () => (await cut.call(X)) === 'well', { what: 'a probe of its own' })
  // the fleet has heard nothing of it
  expect(await stateOf(other)).toBe('open')
  proxy.refuse(false)
  await eventually(async () => (await cut.call(X)) === 'well' && (await stateOf(other)) !== 'open')
})

it('does not wait for a Redis that is silent, and gives back a probe that came too late', async () => {
  const slow = await fleet.join(url(), { resetMs: 50, askMs: 50, leaseMs: 60_000, refreshMs: 60_000 })
  await breakDown(slow, X)
  const other = await fleet.join(redis.url, { resetMs: 50, leaseMs: 60_000 })
  await eventually(async () => (await stateOf(other)) === 'open')
  await eventually(() => slow.breakers.states()[X] === 'open')
  proxy.pause()
  const call = hold(slow, X)
  await call.begun
  proxy.resume()
  call.end('nobody')
  await eventually(async () => (await other.call(X)) === 'well', { what: 'the probe of another' })
})

it('hears of changes that it missed while its connection was cut', async () => {
  const cut = await fleet.join(url(), { refreshMs: 60_000 })
  const other = await fleet.join(redis.url)
  proxy.refuse(true)
  await eventually(() => cut.subscriber.status !== 'ready')
  await breakDown(other, X)
  await eventually(async () => (await stateOf(other)) === 'open')
  expect(await cut.call(X)).toBe('well')
  proxy.refuse(false)
  await eventually(async () => isRefused(await cut.call(X)))
})
