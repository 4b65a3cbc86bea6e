// The Redis store keeps every law of the store, and what only a real connection can break.
import { randomUUID } from 'node:crypto'
import { FLEET, SHARDS, shardKeys } from '@stepfleet/contracts'
import { createClaims } from '@stepfleet/runtime'
import { eventually, type FaultProxy, faultProxy, startRedis, type TestRedis } from '@stepfleet/testkit'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  dispatch,
  ENGINE,
  endOf,
  freshIn,
  type Harness,
  NS,
  outcome,
  ownedRun,
  shardOfRun,
  signal,
  startCommand,
  submission,
  waiting,
  workflow,
} from './conformance/harness.ts'
import { storeConformance } from './conformance.ts'
import { checkShards, createRedisStore, ShardCountError } from './redis-store.ts'

let redis: TestRedis
let client: Redis

beforeAll(async () => {
  redis = await startRedis()
  client = new Redis(redis.url, { maxRetriesPerRequest: null })
})
afterAll(async () => {
  client.disconnect()
  await redis.stop()
})

const make = async (through: Redis = client): Promise<Harness> => {
  await client.flushall()
  const store = createRedisStore(through)
  return {
    store,
    claims: createClaims(through),
    until: async (check) => {
      await eventually(check)
    },
    stop: () => store.close(),
  }
}

storeConformance('Redis store', () => make())

describe('shard count', () => {
  it('is written once and refused when it differs', async () => {
    await client.del(FLEET.shards)
    await checkShards(client)
    expect(await client.get(FLEET.shards)).toBe(String(SHARDS))
    await checkShards(client)
    await client.set(FLEET.shards, '16')
    await expect(checkShards(client)).rejects.toThrow(ShardCountError)
    expect(await client.get(FLEET.shards)).toBe('16')
  })
})

describe('indexes', () => {
  it('hold a run under what it is now, and nothing of what it was', async () => {
    const h = await make()
    const run = await ownedRun(h)
    const holding = async (): Promise<string[]> => {
      const keys = await client.keys(`${shardKeys(run.shard).index(NS, '')}*`)
      const scores = await Promise.all(keys.map((key) => client.zscore(key, run.run)))
      const names = keys.filter((_, i) => scores[i] !== null)
      return names.map((key) => key.slice(shardKeys(run.shard).index(NS, '').length)).sort()
    }
    expect(await holding()).toEqual(['all', 'status:queued', 'workflow:report'])
    await run.append()
    expect(await holding()).toEqual(['all', 'status:running', 'workflow:report'])
    await run.append(endOf(await run.head()))
    expect(await holding()).toEqual(['all', 'status:completed', 'workflow:report'])
    const again = startCommand(run.run, { workflow: workflow('tea'), labels: { team: 'a' } })
    await h.store.submit(submission(again, { onConflict: 'restart' }))
    expect(await holding()).toEqual(['all', 'label:team:a', 'status:queued', 'workflow:tea'])
    await run.append(endOf(await run.head()))
    await h.store.submit(submission(startCommand(run.run), { onConflict: 'restart' }))
    expect(await holding()).toEqual(['all', 'status:queued', 'workflow:report'])
    await h.stop()
  })
})

describe('a lost reply', () => {
  let proxy: FaultProxy
  let through: Redis
  let h: Harness

  beforeAll(async () => {
    proxy = await faultProxy({ target: redis })
    through = new Redis({ host: proxy.host, port: proxy.port, maxRetriesPerRequest: null, retryStrategy: () => 10 })
    through.on('error', () => {})
    h = await make(through)
  })
  afterAll(async () => {
    await h.stop()
    through.disconnect()
    await proxy.stop()
  })

  /** Does something while the reply to it is lost once: ioredis sends it again. */
  const losing = async <T>(word: string, act: () => Promise<T>): Promise<T> => {
    let lost = false
    proxy.dropReplies((request) => {
      lost = request.includes(word)
      return lost
    })
    const answer = await act()
    expect(lost).toBe(true)
    return answer
  }

  it('makes no second fact, command, claim or report', async () => {
    const { store, claims } = h
    const run = await ownedRun(h)
    const ask = signal(run.run, { receipt: true })
    await losing(ask.id, () => store.send(ask))
    expect(await waiting(store, run.shard)).toHaveLength(2)
    const ack = (await waiting(store, run.shard)).map(({ id }) => id)
    const append = await run.make({ ...dispatch('a'), ack })
    expect(await losing(append.tip, () => store.append([append]))).toEqual(['repeat'])
    expect(await store.journal(NS, run.run, 1, 10)).toHaveLength(1)
    const task = { ns: NS, run: run.run, path: 'a', attempt: 1, delivery: 1 }
    const token = randomUUID()
    const granted = await losing(token, () => claims.claim(task, 'worker-1', token))
    expect(granted.status).toBe('granted')
    const claimedAtMs = granted.status === 'granted' ? granted.atMs : 0
    expect(await losing(token, () => claims.report(task, token, outcome(task, claimedAtMs)))).toBe('repeat')
    expect(await waiting(store, run.shard)).toHaveLength(1)
  })

  it('counts a trial once, and still says that a shard was taken', async () => {
    const { store } = h
    const [entry] = await waiting(store, (await ownedRun(h)).shard)
    if (!entry) throw new Error('an entry')
    expect(await losing(entry.id, () => store.trial(entry.shard, entry.id))).toBe(1)
    const engine = randomUUID()
    const free = (shardOfRun(entry.command.run) + 1) % SHARDS
    expect(await losing(engine, () => store.own(free, engine, 60_000))).toMatchObject({ taken: true, clean: true })
  })
})

it('discards what Lua cannot parse', async () => {
  const h = await make()
  const run = await ownedRun(h)
  const payload = { value: JSON.parse('['.repeat(1_500) + ']'.repeat(1_500)) }
  await h.store.send(signal(run.run, { payload, receipt: true }))
  const ids = (await waiting(h.store, run.shard)).map(({ id }) => id)
  await h.store.discard(run.shard, ENGINE, run.epoch, ids)
  expect(await waiting(h.store, run.shard)).toEqual([])
  await h.stop()
})

describe('reading', () => {
  it('puts aside what is no command, and goes on', async () => {
    const { store, stop } = await make()
    const { mailbox, dead } = shardKeys(5)
    await client.xadd(mailbox, '*', 'c', '{"half')
    await client.xadd(mailbox, '*', 'c', '{"type":"wake"}')
    expect(await store.read([{ shard: 5, after: '0' }], 10, 0)).toEqual([])
    expect(await client.xlen(mailbox)).toBe(0)
    const buried = (await client.xrange(dead, '-', '+')).map(([, fields]) => fields)
    expect(buried.map((fields) => [fields[1], fields[5]])).toEqual([
      ['{"half', 'not a command'],
      ['{"type":"wake"}', 'not a command'],
    ])
    await stop()
  })

  it('leaves its connection free after an interrupt', async () => {
    const { store, stop } = await make()
    const reading = store.read([{ shard: 1, after: '0' }], 10, 9_000)
    await eventually(async () => /cmd=xread/.test(String(await client.client('LIST'))))
    store.interrupt()
    expect(await reading).toEqual([])
    // another shard: an arrival in the first would free the connection, too
    const again = store.read([{ shard: 2, after: '0' }], 10, 9_000)
    await store.send(signal(freshIn(2)))
    expect(await again).toHaveLength(1)
    await stop()
  }, 5_000)

  it('goes on after Redis was restarted under it', async () => {
    const { store, stop } = await make()
    const from = [{ shard: shardOfRun('run-y'), after: '0' }]
    const reading = store.read(from, 10, 9_000)
    await eventually(async () => /cmd=xread/.test(String(await client.client('LIST'))))
    redis.kill('SIGKILL')
    await redis.restart()
    await store.send(signal('run-y'))
    expect(await reading).toHaveLength(1)
    await stop()
  })
})
