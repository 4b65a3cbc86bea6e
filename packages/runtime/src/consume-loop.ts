// The fetch loop of one queue: parallel fetches while there is work, one blocking wait while there is none.
//
// States of the loop
// - hunting: fetches run side by side, up to `width` and never more than there are free slots. A job found widens
//   the hunt, an empty fetch ends it.
// - idle: the queue was empty a moment ago. One wait for work blocks in Redis; when it ends, whatever the reason,
//   the hunt begins again with one fetch.
// - waiting: Redis answered an error; a timer starts the hunt again.
// A slot that ends a job brings the next one in the same script, so a busy queue costs one script a job, and no
// fetch of its own. Only what such an end could not bring is hunted for.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisSettings } from './config.ts'
import type { ConsumeOptions, Consumer, ConsumerStats } from './consume.ts'
import { isVerdict, QueueLink, type TakenJob } from './consume-link.ts'
import { Upkeep } from './consume-upkeep.ts'

const WIDEST_HUNT = 8
const RETRY_MS = 250
/**
 * Length of a job's lock. Liveness of work is decided by claims, not by locks: a lock that runs out only sends the
 * job once more, to a claim that is refused. So it can be long, and its renewals few.
 */
const LOCK_MS = 30_000
/** A wait for work ends after 2 s, BullMQ's own watchdog after 3 s. */
const DEAF_MS = 10_000
/** At stop: for what must still be told to Redis, once the handlers are done. */
const LAST_WORDS_MS = 2_000

const asError = (value: unknown): Error => (value instanceof Error ? value : new Error(String(value)))

export class FetchLoop implements Consumer {
  readonly #settings: RedisSettings
  readonly #options: ConsumeOptions
  readonly #lockMs: number
  readonly #upkeep: Upkeep
  readonly #id = randomUUID()
  readonly #running = new Map<string, TakenJob>()
  /** Tokens of fetches and ends whose reply is outstanding. */
  readonly #inFlight = new Set<string>()
  readonly #handlers = new Set<Promise<unknown>>()
  #link: QueueLink
  #tokens = 0
  #fetches = 0
  #width = 1
  /** Hunts begun. An empty answer to a fetch that was sent before the newest one says nothing: a job may have come since. */
  #hunts = 0
  #idle = false
  #waitingSinceMs: number | null = null
  #quietUntilMs = 0
  #failingSinceMs: number | null = null
  #stopping = false
  #closed = false
  #lastTakenAtMs: number | null = null
  #retryTimer: NodeJS.Timeout | undefined
  #watchdog: NodeJS.Timeout | undefined

  constructor(settings: RedisSettings, options: ConsumeOptions) {
    this.#settings = settings
    this.#options = options
    this.#lockMs = options.lockMs ?? LOCK_MS
    const held = { id: this.#id, running: this.#running, inFlight: this.#inFlight, link: () => this.#link }
    this.#upkeep = new Upkeep(held, this.#lockMs / 3, options.logger)
    this.#link = this.#open()
  }

  start(): void {
    this.#watchdog = setInterval(() => this.#rebuildIfDeaf(), DEAF_MS / 4)
    this.#upkeep.start()
    this.#pump()
  }

  stats(): ConsumerStats {
    return { active: this.#running.size, slots: this.#options.slots, lastTakenAtMs: this.#lastTakenAtMs }
  }

  async rebuild(): Promise<void> {
    if (this.#stopping) return
    const old = this.#link
    this.#link = this.#open()
    this.#waitingSinceMs = null
    this.#failingSinceMs = null
    this.#hunt()
    // calls in flight on the old connections end now; ends of jobs are repeated on the new ones
    await old.close()
  }

  async stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#retryTimer)
    clearInterval(this.#watchdog)
    // not waited for: it cannot end while Redis is away
    void this.#link.interrupt().catch(() => undefined)
    while (this.#handlers.size > 0) await Promise.all(this.#handlers)
    const until = performance.now() + LAST_WORDS_MS
    while (this.#inFlight.size > 0 && performance.now() < until) await sleep(5)
    this.#closed = true
    this.#upkeep.stop()
    await this.#link.close()
    // an end that was not told by now never will be: its lock runs out, and BullMQ sends the job again
    this.#running.clear()
  }

  #open(): QueueLink {
    const { queue, logger } = this.#options
    const link = new QueueLink(this.#settings, queue, this.#lockMs, logger)
    link.client.on('ready', () => {
      // deafness is counted from when there is something to hear
      if (this.#waitingSinceMs !== null) this.#waitingSinceMs = performance.now()
      this.#failingSinceMs = null
      this.#upkeep.start()
    })
    return link
  }

  // a wait holds a slot: the wake-up it takes is nobody else's, so there must be a slot for the job
  #free(): number {
    return this.#options.slots - this.#running.size - this.#fetches - (this.#waitingSinceMs === null ? 0 : 1)
  }

  #hunt(): void {
    this.#hunts += 1
    this.#idle = false
    this.#width = 1
    this.#pump()
  }

  #pump(): void {
    if (this.#stopping || Date.now() < this.#quietUntilMs) return
    if (!this.#idle) {
      while (this.#fetches < this.#width && this.#free() > 0) void this.#fetch()
    } else if (this.#waitingSinceMs === null && this.#free() > 0) {
      void this.#wait()
    }
  }

  async #fetch(): Promise<void> {
    const hunt = this.#hunts
    const link = this.#link
    this.#fetches += 1
    this.#tokens += 1
    const token = `${this.#id}:${this.#tokens}`
    this.#inFlight.add(token)
    const found = await link.fetch(token).catch((error: unknown) => this.#complain(link, error))
    // from here to the end nothing waits: a job is at no moment neither in flight nor running
    this.#inFlight.delete(token)
    this.#fetches -= 1
    if (found !== undefined) this.#digest(found, hunt)
    if (found) void this.#serve(found)
    this.#pump()
  }

  async #wait(): Promise<void> {
    const link = this.#link
    this.#waitingSinceMs = performance.now()
    await link.waitForWork().catch((error: unknown) => this.#complain(link, error))
    // after a rebuild this was the wait of a connection that is gone
    if (this.#link !== link) return
    this.#waitingSinceMs = null
    this.#hunt()
  }

  #digest(job: TakenJob | null, hunt: number): void {
    this.#failingSinceMs = null
    if (job) {
      this.#idle = false
      this.#width = Math.min(this.#width * 2, WIDEST_HUNT)
      this.#running.set(job.id, job)
      this.#lastTakenAtMs = Date.now()
    } else if (hunt === this.#hunts) {
      this.#idle = true
      this.#width = 1
    }
  }

  #huntLater(): void {
    this.#quietUntilMs = Date.now() + RETRY_MS
    clearTimeout(this.#retryTimer)
    if (this.#stopping) return
    this.#retryTimer = setTimeout(() => this.#hunt(), RETRY_MS)
  }

  /** A slot: handles a job and whatever its end brings, until an end brings nothing. */
  async #serve(first: TakenJob): Promise<void> {
    for (let job: TakenJob | null = first; job; ) {
      if (this.#stopping) {
        await this.#giveBack(job)
        return
      }
      const handling = this.#handle(job)
      this.#handlers.add(handling)
      const error = await handling
      this.#handlers.delete(handling)
      job = await this.#finish(job, error)
    }
    this.#pump()
  }

  async #handle(job: TakenJob): Promise<Error | null> {
    try {
      await this.#options.handle({ id: job.id, data: JSON.parse(job.data) })
      return null
    } catch (error) {
      this.#options.logger.error({ job: job.id, queue: this.#options.queue, err: error }, 'handler threw: job dropped')
      return asError(error)
    }
  }

  async #finish(job: TakenJob, error: Error | null): Promise<TakenJob | null> {
    this.#inFlight.add(job.token)
    try {
      while (!this.#closed) {
        const link = this.#link
        const hunt = this.#hunts
        try {
          const found = await link.finish(job, error, !this.#stopping)
          this.#running.delete(job.id)
          this.#digest(found, hunt)
          return found
        } catch (failure) {
          if (isVerdict(failure)) {
            // its lock ran out, or this was the repeat of an end that had got through
            this.#options.logger.debug({ job: job.id, err: failure }, 'job had ended already')
            this.#idle = false
            return null
          }
          this.#complain(link, failure)
          await sleep(RETRY_MS)
        }
      }
      return null
    } finally {
      this.#running.delete(job.id)
      this.#inFlight.delete(job.token)
    }
  }

  async #giveBack(job: TakenJob): Promise<void> {
    this.#inFlight.add(job.token)
    try {
      await this.#link.giveBack(job)
    } catch (error) {
      // its lock runs out, and BullMQ sends it again
      this.#options.logger.debug({ job: job.id, err: error }, 'could not give a job back')
    } finally {
      this.#running.delete(job.id)
      this.#inFlight.delete(job.token)
    }
  }

  #rebuildIfDeaf(): void {
    const deafFrom = performance.now() - DEAF_MS
    const stuck = [this.#waitingSinceMs, this.#failingSinceMs].some((since) => since !== null && since < deafFrom)
    // while Redis is away there is nothing to hear, and the connections come back by themselves
    if (!stuck || this.#stopping || this.#link.client.status !== 'ready') return
    this.#options.logger.warn({ queue: this.#options.queue }, 'consumer is deaf: new connections')
    void this.rebuild()
  }

  #complain(link: QueueLink, error: unknown): undefined {
    if (this.#stopping || link !== this.#link) return undefined
    if (this.#failingSinceMs === null) {
      this.#failingSinceMs = performance.now()
      this.#options.logger.warn({ queue: this.#options.queue, err: error }, 'queue does not answer as it should')
    }
    this.#huntLater()
    return undefined
  }
}
