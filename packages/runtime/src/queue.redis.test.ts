// The publisher against a real Redis.
import { FLEET, queuePrefix, taskId } from '@stepfleet/contracts'
import { eventually, startRedis, type TestRedis } from '@stepfleet/testkit'
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Consumer, consume } from './consume.ts'
import { createLogger } from './logger.ts'
import { createPublisher, type Publisher } from './queue.ts'

let redis: TestRedis
let client: Redis
let publisher: Publisher
const logger = createLogger('test', 'silent')
const settings = () => ({
  STEPFLEET_REDIS_URL: redis.url,
  STEPFLEET_REDIS_CLUSTER: false,
  STEPFLEET_ALLOW_VOLATILE: false,
})

beforeAll(async () => {
  redis = await startRedis()
  client = new Redis(redis.url, { maxRetriesPerRequest: null })
  client.on('error', () => {})
  publisher = createPublisher(settings(), logger)
})
afterAll(async () => {
  await publisher.close()
  client.disconnect()
  await redis.stop()
})

const item = (queue: string, id: string, priority = 3) => ({ queue, id, priority, payload: { id } })

/** A consumer whose handlers end when told to. */
const slowConsumer = (queue: string, slots: number): { consumer: Consumer; taken: string[]; end: () => void } => {
  const taken: string[] = []
  let end: () => void = () => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  const handle = ({ id }: { id: string }): Promise<void> => {
    taken.push(id)
    return ended
  }
  return { consumer: consume(settings(), { queue, slots, handle, logger }), taken, end }
}

describe('publish', () => {
  it('adds jobs to many queues and remembers their names', async () => {
    await publisher.publish([item('tool.a', 'j1'), item('llm.x.y', 'j2'), item('tool.a', 'j3')])
    expect((await publisher.depth('tool.a')).waiting).toBe(2)
    expect((await publisher.depth('llm.x.y')).waiting).toBe(1)
    expect(await client.sismember(FLEET.queues, 'tool.a')).toBe(1)
    expect(await client.sismember(FLEET.queues, 'llm.x.y')).toBe(1)
  })

  it.each([
    ['a fan-out item', 'search[3]'],
    ['a block', 'draft/iter-2'],
    ['an agent turn', 'work/turn-17/tool-0'],
  ])('takes the task id of %s as job id', async (_what, path) => {
    const id = taskId({ ns: 'default', run: 'run_1-A', path, attempt: 2, delivery: 1 })
    await publisher.publish([item('tool.ids', id)])
    expect(await publisher.findJob('tool.ids', id)).toBe('waiting')
    const { consumer, taken, end } = slowConsumer('tool.ids', 1)
    await eventually(() => taken.includes(id))
    end()
    await eventually(async () => (await publisher.findJob('tool.ids', id)) === null)
    await consumer.stop()
  })

  it('the same id twice is one job', async () => {
    await publisher.publish([item('tool.twice', 'j'), item('tool.twice', 'j')])
    await publisher.publish([item('tool.twice', 'j')])
    expect((await publisher.depth('tool.twice')).waiting).toBe(1)
  })

  it.each([0, 6, 1.5, Number.NaN])('refuses priority %s', async (priority) => {
    await expect(publisher.publish([item('tool.p', 'j', priority)])).rejects.toThrow(RangeError)
    expect((await publisher.depth('tool.p')).waiting).toBe(0)
  })

  it('remembers a queue again after Redis came back', async () => {
    await publisher.publish([item('tool.again', 'j1')])
    await client.srem(FLEET.queues, 'tool.again')
    await redis.restart()
    await eventually(async () => {
      await publisher.publish([item('tool.again', 'j2')])
      return (await client.sismember(FLEET.queues, 'tool.again')) === 1
    })
  })
})

describe('findJob', () => {
  it('tells a job that waits from one that was taken, and null before and after', async () => {
    expect(await publisher.findJob('tool.h', 'j')).toBeNull()
    await publisher.publish([item('tool.h', 'j')])
    expect(await publisher.findJob('tool.h', 'j')).toBe('waiting')
    const { consumer, taken, end } = slowConsumer('tool.h', 1)
    await eventually(() => taken.length === 1)
    expect(await publisher.findJob('tool.h', 'j')).toBe('taken')
    end()
    await eventually(async () => (await publisher.findJob('tool.h', 'j')) === null)
    await consumer.stop()
  })

  it('is null for a job that BullMQ failed and kept, and its id can be used again', async () => {
    const name = 'tool.failed'
    const queue = new Queue(name, { connection: client, prefix: queuePrefix(name) })
    const worker = new Worker(name, () => Promise.reject(new Error('no')), {
      connection: client,
      prefix: queuePrefix(name),
    })
    await queue.add('task', {}, { jobId: 'j', attempts: 1 })
    await eventually(async () => (await queue.getJobState('j')) === 'failed')
    await worker.close()
    // as BullMQ leaves it, the id is blocked
    await publisher.publish([item(name, 'j')])
    expect(await queue.getJobState('j')).toBe('failed')

    expect(await publisher.findJob(name, 'j')).toBeNull()
    await publisher.publish([item(name, 'j')])
    expect(await publisher.findJob(name, 'j')).toBe('waiting')
    await queue.close()
  })
})

describe('depth', () => {
  it('counts what waits and what runs, and tells the age of the oldest of any priority', async () => {
    expect(await publisher.depth('tool.d')).toEqual({ waiting: 0, active: 0, oldestAgeMs: null })
    await publisher.publish([item('tool.d', 'old', 5)])
    const startedMs = Date.now()
    await eventually(() => Date.now() - startedMs > 50)
    await publisher.publish([item('tool.d', 'new', 1)])
    const depth = await publisher.depth('tool.d')
    expect(depth).toMatchObject({ waiting: 2, active: 0 })
    expect(depth.oldestAgeMs).toBeGreaterThanOrEqual(50)

    const { consumer, taken, end } = slowConsumer('tool.d', 1)
    await eventually(() => taken.length === 1)
    expect(taken).toEqual(['new'])
    expect(await publisher.depth('tool.d')).toMatchObject({ waiting: 1, active: 1 })
    end()
    await eventually(async () => (await publisher.depth('tool.d')).active === 0)
    await consumer.stop()
  })
})
