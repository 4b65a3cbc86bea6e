// What claims do that the store's conformance suite does not see: their keys, and words that would break a field.
import { formatOut, runKeys, shardKeys, type TaskRef } from '@stepfleet/contracts'
import { startRedis, type TestRedis } from '@stepfleet/testkit'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { blobIndexKey, createClaims, PayloadTooLargeError } from './claims.ts'

let redis: TestRedis
let client: Redis

beforeAll(async () => {
  redis = await startRedis()
  client = new Redis(redis.url)
})
afterAll(async () => {
  client.disconnect()
  await redis.stop()
})

const task: TaskRef = { ns: 'default', run: 'run-1', path: 'work/turn-2/tool-0', attempt: 2, delivery: 3 }

it('writes a claim in Redis time into the field, and the sets of the shard', async () => {
  const claims = createClaims(client)
  const { out, shard } = runKeys(task.ns, task.run)
  await client.hset(out, task.path, formatOut(2, 3))
  const [seconds] = await client.time()
  const granted = await claims.claim(task, 'worker-1', 'token-1')
  const atMs = granted.status === 'granted' ? granted.atMs : 0
  expect(atMs).toBeGreaterThanOrEqual(Number(seconds) * 1_000)
  expect(await client.hget(out, task.path)).toBe(`2|3|worker-1|${atMs}|token-1||`)
  expect(await claims.begin(task, 'token-1')).toBe(true)
  expect(await client.hget(out, task.path)).toBe(`2|3|worker-1|${atMs}|token-1|1|`)
  expect(await client.smembers(shardKeys(shard).claims('worker-1'))).toEqual(['default~run-1.work/turn-2/tool-0.2.3'])
})

it('refuses words that would break the field', async () => {
  const claims = createClaims(client)
  await expect(claims.claim(task, 'worker|1', 'token-1')).rejects.toThrow('worker id')
  await expect(claims.claim(task, 'worker-1', 'token|1')).rejects.toThrow('token')
  await expect(claims.claim(task, '', 'token-1')).rejects.toThrow('worker id')
})

it('lists each blob with its run, so that it can be deleted with it', async () => {
  const claims = createClaims(client)
  const payload = await claims.payload('default', 'run-2', 'x'.repeat(70_000))
  expect(payload).toMatchObject({ bytes: 70_002 })
  const sha = 'blob' in payload ? payload.blob : ''
  expect(await client.smembers(blobIndexKey('default', 'run-2'))).toEqual([sha])
  expect(await client.exists(runKeys('default', 'run-2').blob(sha))).toBe(1)
  const tooLarge = 'x'.repeat(16 * 1024 * 1024)
  await expect(claims.payload('default', 'run-2', tooLarge)).rejects.toThrow(PayloadTooLargeError)
})
