// Measures how jobs are best fetched from a BullMQ queue: several small BullMQ Workers in one process, or the
// runtime's own fetch loop. Run: npx tsx -C source bench/fetch-loop.ts [--rounds 3] [--jobs 20000] [--slots 50] [--only own]
import { parseArgs } from 'node:util'
import { queuePrefix } from '@stepfleet/contracts'
import { type ConsumeOptions, consume, createLogger, createPublisher, type Publisher } from '@stepfleet/runtime'
import { eventually, startRedis } from '@stepfleet/testkit'
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    jobs: { type: 'string', default: '20000' },
    slots: { type: 'string', default: '50' },
    only: { type: 'string', default: '' },
  },
})
const ROUNDS = Number(values.rounds)
const JOBS = Number(values.jobs)
const SLOTS = Number(values.slots)
const LONE_JOBS = 1_000
const logger = createLogger('bench', 'warn')

type Settings = Parameters<typeof consume>[0]
interface Stoppable {
  stop(): Promise<void>
}
type Candidate = (settings: Settings, options: ConsumeOptions) => Stoppable

/** BullMQ Workers of `each` slots that share one connection; every one has a blocking connection of its own. */
const smallWorkers =
  (each: number): Candidate =>
  (settings, { queue, slots, handle }) => {
    const connection = new Redis(settings.STEPFLEET_REDIS_URL, { maxRetriesPerRequest: null })
    const workers = Array.from(
      { length: Math.ceil(slots / each) },
      () =>
        new Worker(queue, (job) => handle({ id: job.id ?? '', data: job.data }), {
          connection,
          prefix: queuePrefix(queue),
          concurrency: each,
          lockDuration: 30_000,
          maxStalledCount: 1_000_000,
        }),
    )
    return {
      stop: async () => {
        await Promise.all(workers.map((worker) => worker.close()))
        connection.disconnect()
      },
    }
  }

const CANDIDATES: Record<string, Candidate> = {
  'one Worker of 50': smallWorkers(SLOTS),
  '10 Workers of 5': smallWorkers(5),
  'own fetch loop': consume,
}

const job = (queue: string, id: string) => ({ queue, id, priority: 3, payload: { at: performance.now() } })

const publishAll = async (publisher: Publisher, queue: string): Promise<void> => {
  for (let from = 0; from < JOBS; from += 1_000) {
    await publisher.publish(Array.from({ length: 1_000 }, (_, i) => job(queue, `default~run.step[${from + i}].1.1`)))
  }
}

/** A full queue, emptied: jobs per second. */
const backlog = async (settings: Settings, candidate: Candidate, publisher: Publisher): Promise<number> => {
  const queue = `tool.backlog`
  await publishAll(publisher, queue)
  let done = 0
  const startedMs = performance.now()
  const consumer = candidate(settings, {
    queue,
    slots: SLOTS,
    logger,
    handle: async () => {
      done += 1
    },
  })
  await eventually(() => done >= JOBS, { timeoutMs: 120_000, everyMs: 1 })
  const seconds = (performance.now() - startedMs) / 1_000
  await consumer.stop()
  return JOBS / seconds
}

/** `width` chains: the end of each job publishes the next. Jobs per second, as a fleet of small steps sees it. */
const chains = async (settings: Settings, candidate: Candidate, publisher: Publisher): Promise<number> => {
  const queue = 'tool.chains'
  const total = Math.min(JOBS, 20_000)
  let published = 0
  let done = 0
  const next = async (): Promise<void> => {
    if (published >= total) return
    published += 1
    await publisher.publish([job(queue, `default~run.chain[${published}].1.1`)])
  }
  const consumer = candidate(settings, {
    queue,
    slots: SLOTS,
    logger,
    // like the engine, the next job is published by somebody else, while this one ends
    handle: async () => {
      done += 1
      void next()
    },
  })
  const startedMs = performance.now()
  await Promise.all(Array.from({ length: 50 }, next))
  await eventually(() => done >= total, { timeoutMs: 120_000, everyMs: 1 })
  const seconds = (performance.now() - startedMs) / 1_000
  await consumer.stop()
  return total / seconds
}

/** An idle queue gets one job at a time: milliseconds from `publish` called to `handle` entered. */
const lone = async (settings: Settings, candidate: Candidate, publisher: Publisher): Promise<number[]> => {
  const queue = 'tool.lone'
  const waits: number[] = []
  let taken: () => void = () => {}
  const consumer = candidate(settings, {
    queue,
    slots: SLOTS,
    logger,
    handle: async ({ data }) => {
      const { at } = data as { at: number }
      waits.push(performance.now() - at)
      taken()
    },
  })
  for (let i = 0; i < LONE_JOBS; i += 1) {
    const took = new Promise<void>((resolve) => {
      taken = resolve
    })
    await publisher.publish([job(queue, `default~run.lone[${i}].1.1`)])
    await took
    // the queue must be idle again; this pause is part of the load, not a wait for a condition
    await new Promise((resolve) => setTimeout(resolve, 3))
  }
  await consumer.stop()
  return waits.sort((a, b) => a - b)
}

const median = (numbers: number[]): number =>
  numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
const at = (sorted: number[], share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN

interface Figures {
  full: number[]
  chained: number[]
  p50: number[]
  p99: number[]
}

const round = async (appendfsync: 'always' | 'everysec', candidate: Candidate, figures: Figures): Promise<void> => {
  const redis = await startRedis({ appendfsync })
  const settings = { STEPFLEET_REDIS_URL: redis.url, STEPFLEET_REDIS_CLUSTER: false, STEPFLEET_ALLOW_VOLATILE: false }
  const publisher = createPublisher(settings, logger)
  figures.full.push(await backlog(settings, candidate, publisher))
  figures.chained.push(await chains(settings, candidate, publisher))
  const waits = await lone(settings, candidate, publisher)
  figures.p50.push(at(waits, 0.5))
  figures.p99.push(at(waits, 0.99))
  await publisher.close()
  await redis.stop()
}

console.log('| appendfsync | candidate | backlog jobs/s | chains jobs/s | lone p50 ms | lone p99 ms |')
console.log('| --- | --- | --- | --- | --- | --- |')
for (const appendfsync of ['everysec', 'always'] as const) {
  const measured = Object.entries(CANDIDATES).flatMap(([name, candidate]) => {
    if (!name.includes(values.only)) return []
    const figures: Figures = { full: [], chained: [], p50: [], p99: [] }
    return [{ name, candidate, figures }]
  })
  // candidates take turns: what else the machine does then hits all of them alike
  for (let i = 0; i < ROUNDS; i += 1) {
    for (const { candidate, figures } of measured) await round(appendfsync, candidate, figures)
  }
  for (const { name, figures } of measured) {
    const rates = [figures.full, figures.chained].map((all) => median(all).toFixed(0))
    const waits = [figures.p50, figures.p99].map((all) => median(all).toFixed(2))
    console.log(`| ${[appendfsync, name, ...rates, ...waits].join(' | ')} |`)
  }
}
