// The desk's store on a real Redis: notices in any order, any number of times.
import { deskKeys, type EscalationNotice } from '@stepfleet/contracts'
import { closeRedis, connectRedis, loadConfig, type RedisClient, redisSettings } from '@stepfleet/runtime'
import { startRedis, type TestRedis } from '@stepfleet/testkit'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { BadCursor, type CaseFilter, type CaseStore } from './port.ts'
import { createCaseStore } from './redis.ts'

let redis: TestRedis
let client: RedisClient
let store: CaseStore
beforeAll(async () => {
  redis = await startRedis()
  client = connectRedis(loadConfig(z.object(redisSettings), { STEPFLEET_REDIS_URL: redis.url }), { name: 'test' })
  store = createCaseStore(client, 90)
})
afterAll(async () => {
  await closeRedis(client)
  await redis.stop()
})
beforeEach(async () => {
  await client.flushall()
})

const opened = (id: string, atMs: number, run = 'r'): EscalationNotice => ({
  type: 'opened',
  ns: 'default',
  run,
  path: 'mail',
  case: id,
  atMs,
  reason: 'permanent_failure',
  workflow: 'w',
  kind: 'tool',
  attempts: [],
  input: null,
})
const closed = (id: string, atMs: number, by = 'ada', run = 'r'): EscalationNotice => ({
  type: 'closed',
  ns: 'default',
  run,
  path: 'mail',
  case: id,
  atMs,
  action: 'retry',
  by,
})

const listed = async (status: CaseFilter['status'], more: { run?: string; limit?: number; cursor?: string } = {}) => {
  const { run, limit = 50, cursor } = more
  const page = await store.list('default', { status, run }, { limit, cursor })
  return { ids: page.items.map(({ id }) => id), cursor: page.cursor }
}

const orders: EscalationNotice[][] = [
  [opened('esc_r_1', 1), closed('esc_r_1', 2)],
  [closed('esc_r_1', 2), opened('esc_r_1', 1)],
  [opened('esc_r_1', 1), closed('esc_r_1', 2), opened('esc_r_1', 1)],
  [closed('esc_r_1', 2), opened('esc_r_1', 1), closed('esc_r_1', 2), opened('esc_r_1', 1)],
]
test.each(orders.map((order) => [order.map(({ type }) => type).join(' '), order] as const))(
  '%s: one closed case',
  async (_, order) => {
    for (const notice of order) await store.put(notice)
    expect(await store.get('default', 'esc_r_1')).toMatchObject({ closed: { by: 'ada' } })
    expect([await listed('open'), await listed('closed'), await listed('all')]).toEqual([
      { ids: [], cursor: null },
      { ids: ['esc_r_1'], cursor: null },
      { ids: ['esc_r_1'], cursor: null },
    ])
  },
)

test('both at once, many times over: each case ends closed and in no index of open ones', async () => {
  const ids = Array.from({ length: 200 }, (_, i) => `esc_r_${i + 1}`)
  await Promise.all(
    ids.flatMap((id, i) => [store.put(closed(id, i)), store.put(opened(id, i)), store.put(opened(id, i))]),
  )
  expect(await client.zcard(deskKeys('default').open)).toBe(0)
  expect((await listed('closed', { limit: 200 })).ids.length).toBe(200)
})

test('the first closing counts, and a case closed but never opened is not shown', async () => {
  await store.put(closed('esc_r_1', 2, 'ada'))
  expect(await store.get('default', 'esc_r_1')).toBeNull()
  expect((await listed('all')).ids).toEqual([])
  await store.put(closed('esc_r_1', 3, 'bob'))
  await store.put(opened('esc_r_1', 1))
  expect(await store.get('default', 'esc_r_1')).toMatchObject({ closed: { by: 'ada', atMs: 2 } })
})

test('pages are newest first, without gap or repeat, also among cases of one millisecond', async () => {
  const ids = Array.from({ length: 250 }, (_, i) => `esc_r_${String(i).padStart(3, '0')}`)
  await Promise.all(ids.map((id, i) => store.put(opened(id, Math.floor(i / 120)))))
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = await listed('open', { limit: 7, ...(cursor === undefined ? {} : { cursor }) })
    seen.push(...page.ids)
    cursor = page.cursor ?? undefined
  } while (cursor !== undefined)
  expect(seen).toEqual([...ids].reverse())
})

test('a list can be of one run, and knows a cursor that is none', async () => {
  await store.put(opened('esc_a_1', 1, 'a'))
  await store.put(opened('esc_a_1_2', 2, 'a_1'))
  expect((await listed('all', { run: 'a' })).ids).toEqual(['esc_a_1'])
  expect((await listed('all', { run: 'a_1' })).ids).toEqual(['esc_a_1_2'])
  await expect(listed('all', { cursor: 'nonsense' })).rejects.toThrow(BadCursor)
})

test('namespaces are apart', async () => {
  await store.put(opened('esc_r_1', 1))
  expect(await store.get('other', 'esc_r_1')).toBeNull()
  expect((await store.list('other', { status: 'all', run: undefined }, { limit: 5, cursor: undefined })).items).toEqual(
    [],
  )
})

test('a note of a decision is taken back by its own command alone', async () => {
  await store.put(opened('esc_r_1', 1))
  const asked = { action: 'skip', by: 'ada', reason: null, atMs: 5, command: 'one' }
  await store.ask('default', 'esc_r_1', asked)
  await store.unask('default', 'esc_r_1', 'two')
  expect(await store.get('default', 'esc_r_1')).toMatchObject({ asked })
  await store.unask('default', 'esc_r_1', 'one')
  expect(await store.get('default', 'esc_r_1')).toMatchObject({ asked: null })
})

test('a closed case expires, an open one does not, and what has expired leaves the index', async () => {
  await store.put(opened('esc_r_1', 1))
  await store.put(opened('esc_r_2', 2))
  await store.put(closed('esc_r_1', 3))
  const keys = deskKeys('default')
  expect(await client.ttl(keys.case('esc_r_1'))).toBeGreaterThan(89 * 86_400)
  expect(await client.ttl(keys.case('esc_r_2'))).toBe(-1)
  await client.del(keys.case('esc_r_1'))
  await store.put(opened('esc_r_3', 4))
  await store.put(closed('esc_r_3', 5))
  expect(await client.zrange(keys.all, '0', '-1')).toEqual(['esc_r_2', 'esc_r_3'])
})
