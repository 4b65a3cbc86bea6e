// The consumer against a real Redis: slots, ends, stop, and everything that can happen to the connection.
import { queuePrefix } from '@stepfleet/contracts'
import { eventually, type FaultProxy, faultProxy, startRedis, type TestRedis } from '@stepfleet/testkit'
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type ConsumeOptions, type Consumer, consume } from './consume.ts'
import { createLogger } from './logger.ts'
import { createPublisher, type Publisher } from './queue.ts'

let redis: TestRedis
let proxy: FaultProxy
let client: Redis
let publisher: Publisher
const consumers: Consumer[] = []
const logger = createLogger('test', 'silent')
const settingsOf = (url: string) => ({
  STEPFLEET_REDIS_URL: url,
  STEPFLEET_REDIS_CLUSTER: false,
  STEPFLEET_ALLOW_VOLATILE: false,
})

beforeAll(async () => {
  redis = await startRedis()
  proxy = await faultProxy({ target: { host: redis.host, port: redis.port } })
  client = new Redis(redis.url, { maxRetriesPerRequest: null })
  client.on('error', () => {})
  publisher = createPublisher(settingsOf(redis.url), logger)
})
afterEach(async () => {
  await Promise.all(consumers.splice(0).map((consumer) => consumer.stop()))
})
afterAll(async () => {
  await publisher.close()
  client.disconnect()
  await proxy.stop()
  await redis.stop()
})

let queues = 0
const newQueue = (): string => {
  queues += 1
  return `tool.q${queues}`
}

type Handle = ConsumeOptions['handle']
const start = (queue: string, handle: Handle, more: Partial<ConsumeOptions> & { url?: string } = {}): Consumer => {
  const { url = redis.url, slots = 5, ...rest } = more
  const consumer = consume(settingsOf(url), { queue, slots, handle, logger, ...rest })
  consumers.push(consumer)
  return consumer
}

const throughProxy = () => `redis://${proxy.host}:${proxy.port}`

const publish = (queue: string, ids: readonly string[], priority = 3): Promise<void> =>
  publisher.publish(ids.map((id) => ({ queue, id, priority, payload: { id } })))
const names = (count: number, prefix = 'j'): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)

const gate = () => {
  let open: () => void = () => {}
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { passed, open }
}
const empty = async (queue: string): Promise<boolean> => {
  const { waiting, active } = await publisher.depth(queue)
  return waiting + active === 0
}

describe('jobs', () => {
  it('are handled once each with their data, and are gone afterwards', async () => {
    const queue = newQueue()
    const ids = names(300)
    const seen = new Map<string, unknown>()
    let times = 0
    start(queue, async ({ id, data }) => {
      times += 1
      seen.set(id, data)
    })
    await publish(queue, ids)
    await eventually(() => seen.size === ids.length)
    await eventually(() => empty(queue))
    expect(times).toBe(ids.length)
    for (const id of ids) expect(seen.get(id)).toEqual({ id })
    const left = await client.keys(`${queuePrefix(queue)}:${queue}:j*`)
    expect(left).toEqual([])
  })

  it('never take more than the slots, and fill them', async () => {
    const queue = newQueue()
    const { passed, open } = gate()
    let running = 0
    let most = 0
    const consumer = start(queue, async () => {
      running += 1
      most = Math.max(most, running)
      await passed
      running -= 1
    })
    await publish(queue, names(40))
    await eventually(() => running === 5, { what: 'all slots to be filled' })
    expect(consumer.stats()).toMatchObject({ active: 5, slots: 5 })
    expect((await publisher.depth(queue)).active).toBe(5)
    open()
    await eventually(() => empty(queue))
    expect(most).toBe(5)
  })

  it('a free slot takes the next job while another one is busy', async () => {
    const queue = newQueue()
    const { passed, open } = gate()
    const done: string[] = []
    start(
      queue,
      async ({ id }) => {
        if (id === 'slow') await passed
        done.push(id)
      },
      { slots: 2 },
    )
    await publish(queue, ['slow'])
    for (const id of names(20)) await publish(queue, [id])
    await eventually(() => done.length === 20)
    expect(done).not.toContain('slow')
    open()
    await eventually(() => done.includes('slow'))
  })

  it('come by priority', async () => {
    const queue = newQueue()
    await publish(queue, ['later'], 5)
    await publish(queue, ['normal'], 3)
    await publish(queue, ['urgent'], 1)
    const order: string[] = []
    start(queue, async ({ id }) => void order.push(id), { slots: 1 })
    await eventually(() => order.length === 3)
    expect(order).toEqual(['urgent', 'normal', 'later'])
  })

  it('whose handler throws are gone, and the next ones come', async () => {
    const queue = newQueue()
    const seen: string[] = []
    start(
      queue,
      async ({ id }) => {
        seen.push(id)
        if (id === 'bad') throw new Error('bug')
      },
      { slots: 1 },
    )
    await publish(queue, ['bad', 'good'])
    await eventually(() => seen.includes('good'))
    await eventually(() => empty(queue))
    expect(await publisher.findJob(queue, 'bad')).toBeNull()
    await publish(queue, ['bad'])
    await eventually(() => seen.filter((id) => id === 'bad').length === 2)
  })

  it('are shared by consumers', async () => {
    const queue = newQueue()
    const by: string[] = []
    const { passed, open } = gate()
    const handle = (name: string) => async () => {
      by.push(name)
      await passed
    }
    start(queue, handle('a'), { slots: 3 })
    start(queue, handle('b'), { slots: 3 })
    await publish(queue, names(6))
    await eventually(() => by.length === 6)
    expect(by.filter((name) => name === 'a')).toHaveLength(3)
    open()
  })
})

describe('stop', () => {
  it('waits for what runs, finishes it, and takes no more', async () => {
    const queue = newQueue()
    const { passed, open } = gate()
    const seen: string[] = []
    const consumer = start(
      queue,
      async ({ id }) => {
        seen.push(id)
        await passed
      },
      { slots: 1 },
    )
    await publish(queue, ['first'])
    await eventually(() => seen.length === 1)
    let stopped = false
    const stopping = consumer.stop().then(() => {
      stopped = true
    })
    await publish(queue, ['second'])
    expect(stopped).toBe(false)
    open()
    await stopping
    expect(seen).toEqual(['first'])
    expect(await publisher.depth(queue)).toMatchObject({ waiting: 1, active: 0 })
  })

  it('ends an idle consumer at once, and no connection stays', async () => {
    const queue = newQueue()
    const consumer = start(queue, async () => undefined)
    const connections = async () => String(await client.client('LIST')).split(queue).length - 1
    await eventually(async () => (await connections()) > 0)
    await consumer.stop()
    await eventually(async () => (await connections()) === 0)
  })

  it('gives back a job whose fetch was under way', async () => {
    const queue = newQueue()
    const seen: string[] = []
    const consumer = start(queue, async ({ id }) => void seen.push(id), { url: throughProxy() })
    await publish(queue, ['warm'])
    await eventually(() => empty(queue))
    seen.length = 0
    proxy.delay(150)
    await publish(queue, ['late'])
    await eventually(async () => (await publisher.depth(queue)).active === 1, { what: 'the job to be taken' })
    // its reply is still on the way
    expect(consumer.stats().active).toBe(0)
    await consumer.stop()
    proxy.delay(0)
    expect(seen).toEqual([])
    expect(await publisher.depth(queue)).toMatchObject({ waiting: 1, active: 0 })
  })

  it('ends while Redis is away', async () => {
    const queue = newQueue()
    const seen: string[] = []
    const consumer = start(queue, async ({ id }) => void seen.push(id), { url: throughProxy() })
    await publish(queue, ['j'])
    await eventually(() => seen.length === 1)
    proxy.refuse(true)
    await consumer.stop()
    proxy.refuse(false)
    expect(consumer.stats().active).toBe(0)
  })
})

describe('a Redis that was never there', () => {
  it('lets the consumer stop', async () => {
    const consumer = start(newQueue(), async () => undefined, { url: 'redis://127.0.0.1:1' })
    await consumer.stop()
    expect(consumer.stats().active).toBe(0)
  })
})

describe('locks', () => {
  it('are renewed while a handler runs', async () => {
    const queue = newQueue()
    const { passed, open } = gate()
    let times = 0
    start(
      queue,
      async () => {
        times += 1
        await passed
      },
      { lockMs: 900 },
    )
    await publish(queue, ['j'])
    const key = `${queuePrefix(queue)}:${queue}:j:lock`
    let lowest = Number.POSITIVE_INFINITY
    let renewals = 0
    await eventually(async () => {
      const left = await client.pttl(key)
      if (left > lowest) {
        renewals += 1
        lowest = left
      }
      lowest = Math.min(lowest, left)
      return renewals >= 4
    })
    expect(times).toBe(1)
    open()
  })

  it('that run out send the job again, as often as it takes', async () => {
    const queue = newQueue()
    const dead = new Worker(queue, null, {
      connection: client,
      prefix: queuePrefix(queue),
      lockDuration: 50,
      autorun: false,
    })
    await publish(queue, ['j'])
    await dead.getNextJob('token-of-a-dead-worker', { block: false })
    expect((await publisher.depth(queue)).active).toBe(1)
    const seen: string[] = []
    start(queue, async ({ id }) => void seen.push(id), { lockMs: 300 })
    await eventually(() => seen.length === 1)
    await dead.close()
  })
})

describe('connections', () => {
  it('a restart of Redis: jobs added after it are taken', async () => {
    const queue = newQueue()
    const seen = new Set<string>()
    start(queue, async ({ id }) => void seen.add(id))
    await publish(queue, ['before'])
    await eventually(() => seen.has('before'))
    for (const round of ['r1', 'r2']) {
      redis.kill('SIGKILL')
      await redis.restart()
      await publish(queue, [round])
      await eventually(() => seen.has(round), { what: `the job after restart ${round}` })
    }
  })

  it('a restart of Redis while handlers run: they end, and nothing stays behind', async () => {
    const queue = newQueue()
    const { passed, open } = gate()
    let running = 0
    start(queue, async () => {
      running += 1
      await passed
    })
    await publish(queue, names(8))
    await eventually(() => running === 5)
    redis.kill('SIGKILL')
    open()
    await redis.restart()
    await eventually(() => empty(queue), { what: 'the queue to be empty' })
  })

  it('a stalled Redis: it goes on where it was', async () => {
    const queue = newQueue()
    const seen = new Set<string>()
    start(queue, async ({ id }) => void seen.add(id))
    await publish(queue, ['before'])
    await eventually(() => seen.has('before'))
    redis.kill('SIGSTOP')
    const published = publish(queue, ['during'])
    await eventually(() => true)
    redis.kill('SIGCONT')
    await published
    await eventually(() => seen.has('during'))
  })

  it.each([
    ['a fetch', (request: Buffer) => request.includes('lockDuration') && !request.includes('returnvalue')],
    ['an end that brings the next job', (request: Buffer) => request.includes('returnvalue')],
  ])('the lost reply to %s: no job stays behind', async (_what, which) => {
    const queue = newQueue()
    const seen: string[] = []
    start(queue, async ({ id }) => void seen.push(id), { url: throughProxy(), slots: 1 })
    await publish(queue, ['warm'])
    await eventually(() => empty(queue))
    proxy.dropReplies(which)
    await publish(queue, names(3))
    await eventually(() => new Set(seen).size === 4, { what: 'all jobs to be handled' })
    await eventually(() => empty(queue))
    expect(seen.filter((id) => id === 'warm')).toHaveLength(1)
  })

  it('cut again and again under load: every job is handled', async () => {
    const queue = newQueue()
    const ids = names(600)
    const seen = new Set<string>()
    let cuts = 0
    start(
      queue,
      async ({ id }) => {
        seen.add(id)
        if (seen.size % 60 === 30) {
          cuts += 1
          proxy.cut()
        }
      },
      { url: throughProxy() },
    )
    await publish(queue, ids)
    await eventually(() => seen.size === ids.length, { timeoutMs: 20_000, what: 'all jobs to be handled' })
    await eventually(() => empty(queue))
    expect(cuts).toBeGreaterThan(5)
  })

  it('a black hole is noticed, and left when it closes', async () => {
    const queue = newQueue()
    const lines: string[] = []
    const seen = new Set<string>()
    start(queue, async ({ id }) => void seen.add(id), {
      url: throughProxy(),
      // how often it looks after its locks, and so finds out that nothing answers
      lockMs: 3_000,
      logger: createLogger('test', 'warn', { write: (line) => lines.push(line) }),
    })
    await publish(queue, ['before'])
    await eventually(() => seen.has('before'))
    proxy.blackhole(true)
    await publish(queue, ['during'])
    const noticed = () => lines.some((line) => line.includes('redis away') && line.includes('Socket timeout'))
    await eventually(noticed, { timeoutMs: 15_000, what: 'the silence to be noticed' })
    proxy.blackhole(false)
    await eventually(() => seen.has('during'), { what: 'the job of the outage' })
  })

  it('rebuild: what runs ends, what comes is taken', async () => {
    const queue = newQueue()
    const { passed, open } = gate()
    const started: string[] = []
    const done: string[] = []
    const consumer = start(queue, async ({ id }) => {
      started.push(id)
      if (id === 'running') await passed
      done.push(id)
    })
    await publish(queue, ['running'])
    await eventually(() => started.includes('running'))
    await consumer.rebuild()
    await publish(queue, ['after'])
    await eventually(() => done.includes('after'))
    open()
    await eventually(() => empty(queue))
    expect(started).toEqual(['running', 'after'])
  })
})
