// Delivers jobs a second time, as BullMQ may: copies of what waits and of what is being worked on, under other job ids.
import { queuePrefix } from '@stepfleet/contracts'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'

export interface Duplicator {
  /** Copies sent so far. */
  count(): number
  stop(): Promise<void>
}

const EVERY_MS = 25
const PER_LOOK = 10

/** Sends each job once more, as far as it sees them: it looks every 25 ms and takes up to ten new ones of each queue. */
export const startDuplicator = (redisUrl: string, names: readonly string[]): Duplicator => {
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null })
  const queues = names.map((name) => new Queue(name, { connection, prefix: queuePrefix(name) }))
  for (const queue of queues) queue.on('error', () => {})
  const seen = new Set<string>()
  let copies = 0
  const look = async (queue: Queue): Promise<void> => {
    const [active, waiting] = await Promise.all([
      connection.lrange(queue.toKey('active'), 0, -1),
      connection.zrange(queue.toKey('prioritized'), 0, String(PER_LOOK)),
    ])
    const fresh = [...active, ...waiting].filter((id) => !id.endsWith('.again') && !seen.has(id)).slice(0, PER_LOOK)
    for (const id of fresh) {
      const data = await connection.hget(queue.toKey(id), 'data')
      if (data === null) continue
      seen.add(id)
      copies += 1
      const opts = { jobId: `${id}.again`, priority: 3, attempts: 1, removeOnComplete: true, removeOnFail: true }
      await queue.add('task', JSON.parse(data), opts)
    }
  }
  let stopped = false
  const loop = (async () => {
    while (!stopped) {
      await Promise.all(queues.map((queue) => look(queue).catch(() => {})))
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
    }
  })()
  return {
    count: () => copies,
    stop: async () => {
      stopped = true
      await loop
      await Promise.all(queues.map((queue) => queue.close()))
      connection.disconnect()
    },
  }
}
