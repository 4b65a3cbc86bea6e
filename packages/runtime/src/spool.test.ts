// Files in a folder of their own; Redis is a function that answers as told.
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '@stepfleet/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLogger } from './logger.ts'
import { createSpool, type Sent, type Spool, type Spooled } from './spool.ts'

const logger = createLogger('test', 'silent')
let dir = ''
const spools: Spool[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stepfleet-spool-'))
})
afterEach(async () => {
  for (const spool of spools.splice(0)) await spool.stop(0)
  await rm(dir, { recursive: true, force: true })
})

const item = (path = 'search[3]', token = 'token-1'): Spooled => ({
  token,
  command: {
    type: 'outcome',
    id: `default~r1.${path}.1.1.${token}`,
    ns: 'default',
    run: 'r1',
    by: { kind: 'worker', id: 'w1' },
    outcome: {
      path,
      attempt: 1,
      delivery: 1,
      worker: 'w1',
      claimedAtMs: 5,
      durationMs: 6,
      result: { status: 'done', output: { value: { text: 'paid for' } } },
    },
  },
})

/** A Redis that is up, refuses, or does not answer; and what it took. */
const fakeRedis = (mode: 'up' | 'refusing' | 'silent') => {
  const taken: Spooled[] = []
  const hanging: (() => void)[] = []
  const state = { mode, calls: 0 }
  const send = (given: Spooled): Promise<Sent> => {
    state.calls += 1
    if (state.mode === 'refusing') return Promise.reject(new Error('OOM'))
    if (state.mode === 'up') {
      taken.push(given)
      return Promise.resolve('reported')
    }
    // as a connection does: what waits is sent when Redis is back
    return new Promise((resolve) => {
      hanging.push(() => {
        taken.push(given)
        resolve('reported')
      })
    })
  }
  const back = (): void => {
    state.mode = 'up'
    for (const go of hanging.splice(0)) go()
  }
  return { state, taken, send, back }
}

const open = (send: (given: Spooled) => Promise<Sent>): Spool => {
  const spool = createSpool({ dir, send, logger, answerMs: 30, backoff: { fromMs: 5, toMs: 20 } })
  spools.push(spool)
  return spool
}

describe('spool', () => {
  it('writes nothing while Redis takes outcomes', async () => {
    const redis = fakeRedis('up')
    const spool = open(redis.send)
    await spool.start()
    expect(await spool.deliver(item())).toBe('reported')
    expect(redis.taken).toEqual([item()])
    expect(await readdir(dir)).toEqual([])
  })

  it.each(['refusing', 'silent'] as const)(
    'keeps an outcome on disk while Redis is %s, then sends it',
    async (mode) => {
      const redis = fakeRedis(mode)
      const spool = open(redis.send)
      await spool.start()
      expect(await spool.deliver(item())).toBe('spooled')
      const [name = ''] = await readdir(dir)
      expect(name).toMatch(/^default~r1\.search%5B3%5D\.1\.1\.[0-9a-f]{16}\.json$/)
      expect(JSON.parse(await readFile(join(dir, name), 'utf8'))).toEqual({ v: 1, ...item() })
      expect(spool.size()).toBe(1)
      redis.back()
      await eventually(async () => (await readdir(dir)).length === 0 && spool.size() === 0)
      expect(redis.taken).toEqual([item()])
    },
  )

  it('has one call per outcome under way while Redis is silent', async () => {
    const redis = fakeRedis('silent')
    const spool = open(redis.send)
    await spool.start()
    await spool.deliver(item())
    const before = redis.state.calls
    // a second outcome that is spooled shows that time went by
    await spool.deliver(item('other'))
    expect(before).toBe(1)
    expect(redis.state.calls).toBe(2)
  })

  it('sends what a former process left, under its old token, before anything else', async () => {
    const former = open(fakeRedis('refusing').send)
    await former.start()
    await former.deliver(item('a', 'old-token'))
    await former.deliver(item('a', 'old-token-2'))
    await former.stop(0)
    expect(await readdir(dir)).toHaveLength(2)
    const redis = fakeRedis('up')
    const spool = open(redis.send)
    await spool.start()
    expect(redis.taken.map(({ token }) => token).sort()).toEqual(['old-token', 'old-token-2'])
    expect(await readdir(dir)).toEqual([])
  })

  it('moves torn files aside and goes on', async () => {
    const former = open(fakeRedis('refusing').send)
    await former.start()
    await former.deliver(item())
    await former.stop(0)
    await writeFile(join(dir, 'torn.json'), '{"v":1,"token":"t","comm')
    await writeFile(join(dir, 'other.json'), JSON.stringify({ v: 1, token: 't', command: { type: 'wake' } }))
    await writeFile(join(dir, 'old.json.ab.tmp'), '{"v":')
    await utimes(join(dir, 'old.json.ab.tmp'), 1, 1)
    await writeFile(join(dir, 'young.json.cd.tmp'), '{"v":')
    const redis = fakeRedis('up')
    const spool = open(redis.send)
    await spool.start()
    expect(redis.taken).toEqual([item()])
    // a young temporary file is being written by a neighbour
    const left = ['old.json.ab.tmp.bad', 'other.json.bad', 'torn.json.bad', 'young.json.cd.tmp']
    expect((await readdir(dir)).sort()).toEqual(left)
  })

  it('goes on with others when Redis refuses one', async () => {
    const taken: string[] = []
    const send = async ({ command }: Spooled): Promise<Sent> => {
      if (command.outcome.path === 'bad') throw new Error('refused')
      if (taken.length < 1) {
        taken.push('first call')
        throw new Error('away')
      }
      taken.push(command.outcome.path)
      return 'reported'
    }
    const spool = open(send)
    await spool.start()
    expect(await spool.deliver(item('bad'))).toBe('spooled')
    expect(await spool.deliver(item('good'))).toBe('spooled')
    await eventually(() => taken.includes('good'))
    await eventually(() => spool.size() === 1)
  })

  it('keeps an outcome in memory when the disk does not take it', async () => {
    const redis = fakeRedis('refusing')
    const spool = open(redis.send)
    await spool.start()
    await rm(dir, { recursive: true })
    expect(await spool.deliver(item())).toBe('spooled')
    redis.back()
    await eventually(() => redis.taken.length === 1)
  })

  it('shortens names that a file system would refuse', async () => {
    const long = Array.from({ length: 40 }, (_, i) => `step-number-${i}`).join('/')
    const spool = open(fakeRedis('refusing').send)
    await spool.start()
    await spool.deliver(item(long))
    await spool.deliver(item(`${long}/x`))
    const names = await readdir(dir)
    expect(names).toHaveLength(2)
    for (const name of names) expect(name.length).toBeLessThan(255)
  })
})
