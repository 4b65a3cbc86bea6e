// The queues a worker serves: a fixed list, or those of its prefixes as they appear in the fleet; and whether it hears
// them. Readiness means consuming: a worker that is up but takes nothing while tasks wait is deaf.
import { queueKind, suspectQueue, type TaskKind } from '@stepfleet/contracts'
import type { Consumer } from './consume.ts'
import type { Logger } from './logger.ts'

export interface QueuesTuning {
  /** How often new queues of the prefixes are looked for. */
  discoverMs: number
  /** How often the queues are checked for being heard. */
  checkMs: number
  /** Tasks waiting, free slots and nothing taken for so long: deaf. */
  deafMs: number
}

export const QUEUES_TUNING: QueuesTuning = { discoverMs: 250, checkMs: 2_000, deafMs: 10_000 }
/** A check that takes longer has no Redis to ask. */
const SILENT_MS = 5_000

export interface ServedQueues {
  /** Names served now. */
  names(): string[]
  /** Why nothing is consumed; null: all is well. */
  why(): string | null
  /** Takes no more; resolves when what runs has ended. */
  stop(): Promise<void>
}

export interface ServedQueuesOptions {
  kind: TaskKind
  queues: readonly string[] | { prefixes: readonly string[] }
  /** The queues that have been used in the fleet. */
  known: () => Promise<string[]>
  /** Tasks of a queue that could be taken now; none while it is paused for the fleet. */
  waiting: (queue: string) => Promise<number>
  consume: (queue: string) => Consumer
  onChange: () => void
  logger: Logger
  tuning?: Partial<QueuesTuning>
}

interface Served {
  name: string
  consumer: Consumer
  /** Wall clock of the first of the unbroken row of checks that found tasks waiting and none taken since. */
  starvingSinceMs: number | null
  rebuiltAtMs: number
}

class Queues implements ServedQueues {
  readonly #options: ServedQueuesOptions
  readonly #tuning: QueuesTuning
  readonly #served = new Map<string, Served>()
  readonly #timers: NodeJS.Timeout[] = []
  #discovering = false
  #checkingSinceMs: number | null = null
  #deaf: string | null = null
  #stopped = false

  constructor(options: ServedQueuesOptions) {
    this.#options = options
    this.#tuning = { ...QUEUES_TUNING, ...options.tuning }
  }

  start(): void {
    const { queues } = this.#options
    const prefixes = 'prefixes' in queues ? queues.prefixes : []
    if (!('prefixes' in queues)) for (const name of queues) this.#serve(name)
    // suspects of the queues that are served are found as they appear, like queues of a prefix
    const own = 'prefixes' in queues ? queues.prefixes : queues
    const wanted = [...prefixes, ...own.map(suspectQueue)]
    const discover = (): void => void this.#discover(wanted)
    this.#timers.push(setInterval(discover, this.#tuning.discoverMs))
    discover()
    this.#timers.push(setInterval(() => void this.#check(), this.#tuning.checkMs))
  }

  names(): string[] {
    return [...this.#served.keys()]
  }

  why(): string | null {
    const since = this.#checkingSinceMs
    return since !== null && performance.now() - since > SILENT_MS ? 'redis does not answer' : this.#deaf
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers) clearInterval(timer)
    await Promise.all([...this.#served.values()].map(({ consumer }) => consumer.stop()))
  }

  #serve(name: string): void {
    if (this.#served.has(name) || this.#stopped) return
    const consumer = this.#options.consume(name)
    this.#served.set(name, { name, consumer, starvingSinceMs: null, rebuiltAtMs: 0 })
    this.#options.logger.info({ queue: name }, 'serving queue')
    this.#options.onChange()
  }

  async #discover(prefixes: readonly string[]): Promise<void> {
    // while Redis is away, questions must not pile up
    if (this.#discovering) return
    this.#discovering = true
    try {
      for (const name of await this.#options.known()) {
        if (queueKind(name) === this.#options.kind && prefixes.some((prefix) => name.startsWith(prefix))) {
          this.#serve(name)
        }
      }
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'looking for queues failed')
    } finally {
      this.#discovering = false
    }
  }

  async #check(): Promise<void> {
    if (this.#checkingSinceMs !== null) return
    this.#checkingSinceMs = performance.now()
    try {
      const deaf: string[] = []
      for (const served of this.#served.values()) {
        if (await this.#isDeaf(served)) deaf.push(served.name)
      }
      this.#deaf = deaf.length === 0 ? null : `tasks wait and none is taken: ${deaf.join(', ')}`
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'looking at the queues failed')
    } finally {
      this.#checkingSinceMs = null
    }
  }

  async #isDeaf(served: Served): Promise<boolean> {
    const nowMs = Date.now()
    if (!(await this.#starves(served))) {
      served.starvingSinceMs = null
      return false
    }
    served.starvingSinceMs ??= nowMs
    if (nowMs - served.starvingSinceMs < this.#tuning.deafMs) return false
    if (nowMs - served.rebuiltAtMs >= this.#tuning.deafMs && !this.#stopped) {
      served.rebuiltAtMs = nowMs
      this.#options.logger.warn({ queue: served.name }, 'deaf: tasks wait and none is taken; rebuilding the consumer')
      await served.consumer.rebuild()
    }
    return true
  }

  async #starves({ name, consumer, starvingSinceMs }: Served): Promise<boolean> {
    const { active, slots, lastTakenAtMs } = consumer.stats()
    if (active >= slots) return false
    if (starvingSinceMs !== null && lastTakenAtMs !== null && lastTakenAtMs >= starvingSinceMs) return false
    return (await this.#options.waiting(name)) > 0
  }
}

export const serveQueues = (options: ServedQueuesOptions): ServedQueues => {
  const queues = new Queues(options)
  queues.start()
  return queues
}
