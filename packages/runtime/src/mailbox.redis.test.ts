// The mailbox against a real Redis: sent once, answered by the receipt, or not in time.
import { type CommandOf, runKeys, shardKeys } from '@stepfleet/contracts'
import { eventually, startRedis, type TestRedis } from '@stepfleet/testkit'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createMailbox, receiptKey } from './mailbox.ts'

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

const cancel = (run: string): CommandOf<'cancel'> => ({
  type: 'cancel',
  id: `cancel/${run}`,
  ns: 'default',
  run,
  by: { kind: 'caller', id: 'test' },
})
const sent = async (run: string): Promise<unknown[]> => {
  const entries = await client.xrange(shardKeys(runKeys('default', run).shard).mailbox, '-', '+')
  return entries.map(([, fields]) => JSON.parse(fields[1] ?? '')).filter((command) => command.run === run)
}

it('asks: the command carries the wish for a receipt, and the verdict comes back', async () => {
  const mailbox = createMailbox(client)
  const asking = mailbox.ask(cancel('run-1'), 5_000)
  await eventually(async () => (await sent('run-1')).length === 1)
  expect(await sent('run-1')).toEqual([{ ...cancel('run-1'), receipt: true }])
  const verdict = { status: 'applied', seq: 4 }
  await client.set(receiptKey('default', 'run-1', 'cancel/run-1'), JSON.stringify(verdict))
  expect(await asking).toEqual(verdict)
  expect(await mailbox.ask(cancel('run-1'), 5_000)).toEqual(verdict)
  expect(await sent('run-1')).toHaveLength(1)
})

it('answers null when no verdict came in time, and later asks share the command', async () => {
  const mailbox = createMailbox(client)
  expect(await mailbox.ask(cancel('run-2'), 30)).toBeNull()
  expect(await mailbox.ask(cancel('run-2'), 0)).toBeNull()
  expect(await sent('run-2')).toHaveLength(1)
  expect(await mailbox.receipt('default', 'run-2', 'cancel/run-2')).toBeNull()
  const ttl = await client.ttl(receiptKey('default', 'run-2', 'cancel/run-2'))
  expect(ttl).toBeGreaterThan(86_000)
})

it('refuses to read a receipt it does not know', async () => {
  await client.set(receiptKey('default', 'run-3', 'x'), '{"status":"maybe"}')
  await expect(createMailbox(client).receipt('default', 'run-3', 'x')).rejects.toThrow()
})
