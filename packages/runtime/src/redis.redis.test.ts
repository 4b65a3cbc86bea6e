// Connections against a real Redis: names, outages, the check at boot.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { eventually, startRedis, type TestRedis } from '@stepfleet/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { createLogger } from './logger.ts'
import { checkRedis, closeRedis, connectRedis, luaScript, type RedisClient, RedisUnsuitableError } from './redis.ts'

let redis: TestRedis
const clients: RedisClient[] = []
afterEach(async () => {
  await Promise.all(clients.splice(0).map(closeRedis))
  await redis.stop()
})

const settingsOf = (server: TestRedis) => ({
  STEPFLEET_REDIS_URL: server.url,
  STEPFLEET_REDIS_CLUSTER: false,
  STEPFLEET_ALLOW_VOLATILE: false,
})

const setUp = async (extra: string[] = []) => {
  redis = await startRedis({ extra })
  const lines: { msg: string; connection: string }[] = []
  const logger = createLogger('test', 'info', { write: (line) => lines.push(JSON.parse(line)) })
  const client = connectRedis(settingsOf(redis), { name: 'stepfleet-test', logger })
  clients.push(client)
  return { client, lines }
}

describe('connectRedis', () => {
  it('names the connection', async () => {
    const { client } = await setUp()
    expect(await client.client('GETNAME')).toBe('stepfleet-test')
  })

  it('outlives a restart: waiting commands are answered, and the outage is logged once', async () => {
    const { client, lines } = await setUp()
    await client.set('k', 'v')
    redis.kill('SIGKILL')
    await eventually(() => lines.length > 0, { what: 'the outage to be seen' })
    const waiting = client.get('k')
    // several attempts fail before it is back
    let attempts = 0
    client.on('reconnecting', () => {
      attempts += 1
    })
    await eventually(() => attempts >= 3, { what: 'three attempts' })
    await redis.restart()
    expect(await waiting).toBe('v')
    await eventually(() => lines.length === 2, { what: 'the end of the outage to be told' })
    expect(lines.map((line) => line.msg)).toEqual(['redis away', 'redis back'])
    expect(lines[0]?.connection).toBe('stepfleet-test')
  })

  it('closes at once while Redis is away', async () => {
    const { client, lines } = await setUp()
    await client.ping()
    redis.kill('SIGKILL')
    await eventually(() => lines.length > 0)
    const waiting = client.get('k').catch((error: Error) => error.message)
    await closeRedis(client)
    expect(await waiting).toBe('Connection is closed.')
  })

  it('closes within its limit while Redis hangs', async () => {
    const { client } = await setUp()
    await client.ping()
    redis.kill('SIGSTOP')
    await closeRedis(client)
    expect(['end', 'close']).toContain(client.status)
    redis.kill('SIGCONT')
  })
})

describe('checkRedis', () => {
  it('takes a Redis that keeps everything', async () => {
    const { client } = await setUp()
    expect(await checkRedis(client, { allowVolatile: false })).toEqual({ volatile: false })
  })

  it('refuses one that evicts, also when volatile is allowed', async () => {
    const { client } = await setUp(['--maxmemory-policy', 'allkeys-lru'])
    const check = checkRedis(client, { allowVolatile: true })
    await expect(check).rejects.toThrow(RedisUnsuitableError)
    await expect(check).rejects.toThrow('maxmemory-policy is allkeys-lru')
  })

  it('refuses one without AOF, unless volatile is allowed', async () => {
    const { client } = await setUp(['--appendonly', 'no'])
    await expect(checkRedis(client, { allowVolatile: false })).rejects.toThrow('appendonly yes')
    expect(await checkRedis(client, { allowVolatile: true })).toEqual({ volatile: true })
  })
})

describe('luaScript', () => {
  it('reads a script and the number of its keys', async () => {
    const { client } = await setUp()
    const dir = await mkdtemp(join(tmpdir(), 'stepfleet-lua-'))
    const file = join(dir, 'copy.2.lua')
    await writeFile(file, "return redis.call('SET', KEYS[2], redis.call('GET', KEYS[1]))")
    const script = luaScript(pathToFileURL(file))
    await rm(dir, { recursive: true })
    await client.set('{t}a', 'v')
    await client.eval(script.lua, script.numberOfKeys, '{t}a', '{t}b')
    expect(await client.get('{t}b')).toBe('v')
    expect(script.numberOfKeys).toBe(2)
    expect(() => luaScript(new URL('file:///x/copy.lua'))).toThrow('<number of keys>')
  })
})
