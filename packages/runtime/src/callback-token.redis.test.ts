// The secret that tokens are signed with: one for the fleet, whoever asks first.
import { FLEET } from '@stepfleet/contracts'
import { startRedis, type TestRedis } from '@stepfleet/testkit'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { callbackSecret } from './callback-token.ts'

let redis: TestRedis
let clients: Redis[]

beforeAll(async () => {
  redis = await startRedis()
  clients = Array.from({ length: 4 }, () => new Redis(redis.url))
})
afterAll(async () => {
  for (const client of clients) client.disconnect()
  await redis.stop()
})

it('is made once, though many ask at the same time, and made anew when Redis has lost everything', async () => {
  const secrets = await Promise.all(clients.flatMap((client) => [callbackSecret(client), callbackSecret(client)]))
  expect(new Set(secrets).size).toBe(1)
  expect(secrets[0]?.length).toBe(43)
  const [client] = clients
  if (!client) throw new Error('no client')
  expect(await client.ttl(FLEET.callbackSecret)).toBe(-1)
  await client.flushall()
  expect(await callbackSecret(client)).not.toBe(secrets[0])
})
