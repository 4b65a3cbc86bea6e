// The publisher's side of the queues: add jobs, look for one, count them.
import { FLEET, queuePrefix } from '@stepfleet/contracts'
import { Queue } from 'bullmq'
import type { RedisSettings } from './config.ts'
import type { Logger } from './logger.ts'
import { closeRedis, connectRedis, type RedisClient } from './redis.ts'

export interface Publication {
  queue: string
  /** Job id. A job that waits or runs under this id is not added again. */
  id: string
  /** 1 to 5, 1 first. */
  priority: number
  /** A JSON value. */
  payload: unknown
}

export interface QueueDepth {
  /** Not yet taken. */
  waiting: number
  /** Taken by a worker. */
  active: number
  /** Age of the oldest waiting job by its publisher's clock; null: none waits. */
  oldestAgeMs: number | null
}

export interface Publisher {
  /** Resolves when every job is in Redis. Not atomic: after an error any of them may be there; publish all again. */
  publish(items: readonly Publication[]): Promise<void>
  /**
   * A job that waits, one that a worker has taken, or null. One that BullMQ gave up is removed, so that its id can be
   * used again. A taken job may be nobody's any more: BullMQ tells a dead worker's only after its lock has run out.
   */
  findJob(queue: string, id: string): Promise<'waiting' | 'taken' | null>
  depth(queue: string): Promise<QueueDepth>
  close(): Promise<void>
}

const PRIORITIES = [1, 2, 3, 4, 5]
/** BullMQ scores a prioritized job `priority * 2^32 + a running number`. */
const PRIORITY_SPAN = 0x1_0000_0000
/** Nobody reads BullMQ's event streams here; by default each would keep 10,000 entries. */
const EVENTS_KEPT = 100

const grouped = (items: readonly Publication[]): Map<string, Publication[]> => {
  const byQueue = new Map<string, Publication[]>()
  for (const item of items) {
    // BullMQ runs priority 0 first, before all others: never what is meant
    if (!PRIORITIES.includes(item.priority))
      throw new RangeError(`priority of ${item.id} is ${item.priority}, not 1 to 5`)
    const group = byQueue.get(item.queue)
    if (group) group.push(item)
    else byQueue.set(item.queue, [item])
  }
  return byQueue
}

const jobOf = (item: Publication) => ({
  name: 'task',
  data: item.payload,
  opts: { jobId: item.id, priority: item.priority, attempts: 1, removeOnComplete: true, removeOnFail: true },
})

/** From here on a pipeline is the cheaper way. */
const BULK = 32

/** One by one they still leave in one write; `addBulk` makes a pipeline, which is dear to make (see gatherWrites). */
const addAll = async (queue: Queue, jobs: readonly ReturnType<typeof jobOf>[]): Promise<void> => {
  if (jobs.length >= BULK) await queue.addBulk([...jobs])
  else await Promise.all(jobs.map(({ name, data, opts }) => queue.add(name, data, opts)))
}

const WAITING = new Set(['waiting', 'prioritized', 'delayed'])

const findJob = async (queue: Queue, id: string): Promise<'waiting' | 'taken' | null> => {
  const state = await queue.getJobState(id)
  if (WAITING.has(state)) return 'waiting'
  if (state === 'active') return 'taken'
  if (state === 'failed' || state === 'completed') await queue.remove(id)
  return null
}

const oldestAgeMs = async (client: RedisClient, queue: Queue): Promise<number | null> => {
  const heads = await Promise.all(
    PRIORITIES.map((priority) => {
      const from = priority * PRIORITY_SPAN
      return client.zrangebyscore(queue.toKey('prioritized'), from, `(${from + PRIORITY_SPAN}`, 'LIMIT', 0, 1)
    }),
  )
  const times = await Promise.all(heads.flat().map((id) => client.hget(queue.toKey(id), 'timestamp')))
  const known = times.filter((time) => time !== null).map(Number)
  return known.length === 0 ? null : Math.max(0, Date.now() - Math.min(...known))
}

/** `shared`: a connection that stays its maker's; what was sent on it before goes before what is published. */
export const createPublisher = (settings: RedisSettings, logger: Logger, shared?: RedisClient): Publisher => {
  const client = shared ?? connectRedis(settings, { name: 'stepfleet-publisher', logger })
  const queues = new Map<string, Queue>()
  const remembered = new Set<string>()
  // what came back may have forgotten the newest names
  client.on('ready', () => remembered.clear())

  const queueOf = (name: string): Queue => {
    const known = queues.get(name)
    if (known) return known
    const queue = new Queue(name, {
      connection: client,
      prefix: queuePrefix(name),
      streams: { events: { maxLen: EVENTS_KEPT } },
    })
    // connection errors are told by the connection itself, failed calls to their callers
    queue.on('error', (error) => logger.debug({ queue: name, err: error }, 'queue error'))
    queues.set(name, queue)
    return queue
  }

  const remember = async (name: string): Promise<void> => {
    if (remembered.has(name)) return
    await client.sadd(FLEET.queues, name)
    remembered.add(name)
  }

  return {
    publish: async (items) => {
      const groups = [...grouped(items)]
      await Promise.all(
        groups.map(async ([name, group]) => {
          await remember(name)
          await addAll(queueOf(name), group.map(jobOf))
        }),
      )
    },
    findJob: (name, id) => findJob(queueOf(name), id),
    depth: async (name) => {
      const queue = queueOf(name)
      const [counts, oldest] = await Promise.all([
        queue.getJobCounts('waiting', 'prioritized', 'delayed', 'active'),
        oldestAgeMs(client, queue),
      ])
      const { waiting = 0, prioritized = 0, delayed = 0, active = 0 } = counts
      return { waiting: waiting + prioritized + delayed, active, oldestAgeMs: oldest }
    },
    close: async () => {
      await Promise.all([...queues.values()].map((queue) => queue.close()))
      if (!shared) await closeRedis(client)
    },
  }
}
