// A local Redis keeps its data over a crash, guards its folder, and reports what is wrong.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isTooOld, parseVersion } from './find.ts'
import { ask } from './port.ts'
import { type LocalRedis, startLocalRedis } from './server.ts'

let dir: string
let redis: LocalRedis | null = null

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stepfleet-local-'))
})
afterEach(async () => {
  await redis?.stop()
  redis = null
  await rm(dir, { recursive: true, force: true })
})

describe('startLocalRedis', () => {
  it('keeps acknowledged data over SIGKILL and restart, on the same port', async () => {
    redis = await startLocalRedis({ dir })
    const { pid, port } = redis
    expect(await ask(port, 'SET kept yes')).toBe('+OK\r\n')
    redis.kill('SIGKILL')
    await redis.restart()
    expect(redis.pid).not.toBe(pid)
    expect(redis.port).toBe(port)
    expect(await ask(port, 'GET kept')).toBe('$3\r\nyes\r\n')
  })

  it('takes the data of an earlier start up again', async () => {
    redis = await startLocalRedis({ dir })
    await ask(redis.port, 'SET kept yes')
    await redis.stop()
    expect(await ask(redis.port, 'PING')).toBeNull()
    redis = await startLocalRedis({ dir, appendfsync: 'everysec' })
    expect(await ask(redis.port, 'GET kept')).toBe('$3\r\nyes\r\n')
    expect(await ask(redis.port, 'CONFIG GET appendfsync')).toContain('everysec')
    expect(await ask(redis.port, 'CONFIG GET maxmemory-policy')).toContain('noeviction')
  })

  it('refuses a folder that a running server uses', async () => {
    redis = await startLocalRedis({ dir })
    await expect(startLocalRedis({ dir })).rejects.toThrow(new RegExp(`pid ${redis.pid}, port ${redis.port}`))
    expect(await ask(redis.port, 'PING')).toBe('+PONG\r\n')
  })

  it('says what the server said when it cannot start', async () => {
    await expect(startLocalRedis({ dir, extra: ['--no-such-setting', '1'] })).rejects.toThrow(/no-such-setting/)
  })

  it('tells of an end that nobody asked for', async () => {
    redis = await startLocalRedis({ dir })
    const ended = new Promise((resolve) => redis?.onExit(resolve))
    process.kill(redis.pid, 'SIGKILL')
    expect(await ended).toBeNull()
  })
})

describe('versions', () => {
  it('reads what servers say of themselves', () => {
    expect(parseVersion('Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64')).toBe('7.0.15')
    expect(parseVersion('Valkey server v=8.0.1 sha=00000000:0')).toBe('8.0.1')
    expect(parseVersion('bash: no')).toBeNull()
  })
  it('refuses what is older than 6.2', () => {
    expect(['5.0.14', '6.0.16', '6.2.0', '7.0.15', '8.4.0'].map(isTooOld)).toEqual([true, true, false, false, false])
  })
})
