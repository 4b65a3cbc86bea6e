// The worker's side of a queue, behind one port: takes jobs while slots are free, hands each to `handle`.
import type { RedisSettings } from './config.ts'
import { FetchLoop } from './consume-loop.ts'
import type { Logger } from './logger.ts'
import { outsideSpans } from './telemetry.ts'

export interface ConsumeOptions {
  queue: string
  /** Jobs handled side by side by this consumer. */
  slots: number
  /** The job is finished when this settles. A rejection is a bug: logged, and the job is gone all the same. */
  handle: (job: { id: string; data: unknown }) => Promise<void>
  logger: Logger
  /** Length of BullMQ's lock of a job; renewed, and stalled jobs looked for, three times as often. Default 30 s. */
  lockMs?: number
}

export interface ConsumerStats {
  active: number
  slots: number
  /** Wall clock of the last job taken; null: none yet. */
  lastTakenAtMs: number | null
}

export interface Consumer {
  /** Takes no more and waits for what runs. */
  stop(): Promise<void>
  stats(): ConsumerStats
  /** Fresh connections for fetching; what runs is not touched. */
  rebuild(): Promise<void>
}

/** Starts at once; while Redis is away it waits for it. */
export const consume = (settings: RedisSettings, options: ConsumeOptions): Consumer =>
  // whoever starts a consumer may be in a span; the jobs it will take are no part of that
  outsideSpans(() => {
    const loop = new FetchLoop(settings, options)
    loop.start()
    return loop
  })
