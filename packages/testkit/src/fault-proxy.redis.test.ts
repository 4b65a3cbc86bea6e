// The proxy against a real Redis: each fault does what its name says, and heals.
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from './eventually.ts'
import { type FaultProxy, faultProxy } from './fault-proxy.ts'
import { startRedis, type TestRedis } from './redis.ts'

let redis: TestRedis
let proxy: FaultProxy
let direct: Redis
let client: Redis

beforeAll(async () => {
  redis = await startRedis()
  proxy = await faultProxy({ target: redis })
  direct = new Redis(redis.url)
  client = new Redis({ host: proxy.host, port: proxy.port, maxRetriesPerRequest: null, retryStrategy: () => 20 })
  client.on('error', () => {})
  await client.ping()
})
afterEach(() => {
  proxy.resume()
  proxy.refuse(false)
  proxy.blackhole(false)
  proxy.delay(0)
  proxy.dropReplies(false)
})
afterAll(async () => {
  client.disconnect()
  direct.disconnect()
  await proxy.stop()
  await redis.stop()
})

describe('faultProxy', () => {
  it('holds everything while paused and loses nothing', async () => {
    proxy.pause()
    let answered = false
    const reply = client.incr('paused').then((n) => {
      answered = true
      return n
    })
    await direct.ping()
    expect(answered).toBe(false)
    expect(await direct.get('paused')).toBeNull()
    proxy.resume()
    expect(await reply).toBe(1)
  })

  it('cuts connections, and new ones work', async () => {
    let closed = 0
    client.on('close', () => {
      closed += 1
    })
    proxy.cut()
    await eventually(() => closed === 1, { what: 'the client to notice' })
    expect(await client.ping()).toBe('PONG')
  })

  it('refuses connections until told otherwise', async () => {
    proxy.refuse(true)
    const reply = client.ping()
    await eventually(() => client.status === 'reconnecting', { what: 'the client to try again' })
    proxy.refuse(false)
    expect(await reply).toBe('PONG')
  })

  it('swallows bytes in a black hole and resets what lost some', async () => {
    await client.ping()
    proxy.blackhole(true)
    const reply = client.incr('hole')
    await direct.ping()
    expect(await direct.get('hole')).toBeNull()
    proxy.blackhole(false)
    // the client sends it again on a new connection
    expect(await reply).toBe(1)
  })

  it('loses the reply after the command was applied', async () => {
    await client.ping()
    proxy.dropReplies((request) => request.includes('counted'))
    expect(await client.incr('counted')).toBe(2)
    expect(await direct.get('counted')).toBe('2')
  })

  it('delays without changing the order, also when the delay shrinks', async () => {
    await client.ping()
    let arrived = false
    proxy.dropReplies(() => {
      arrived = true
      return false
    })
    proxy.delay(60)
    const startedAt = Date.now()
    const slow = client.rpush('order', 'first')
    await eventually(() => arrived, { what: 'the first command to reach the proxy' })
    proxy.delay(1)
    const fast = client.rpush('order', 'second')
    await Promise.all([slow, fast])
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(60)
    expect(await direct.lrange('order', 0, -1)).toEqual(['first', 'second'])
  })

  it('forgets links that are closed', async () => {
    const open = proxy.connections()
    const other = new Redis({ host: proxy.host, port: proxy.port })
    await other.ping()
    expect(proxy.connections()).toBe(open + 1)
    other.disconnect()
    await eventually(() => proxy.connections() === open, { what: 'the link to go' })
  })
})
