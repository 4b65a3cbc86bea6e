// The upkeep of a fetch loop: renews locks, lets stalled jobs be sent again, gives back strays.
//
// A stray is a job taken by nobody: the reply to a fetch was lost on the wire, ioredis sent the fetch again and got
// another job. It carries a token of the loop without being known to it.
import type { QueueLink, TakenJob } from './consume-link.ts'
import type { Logger } from './logger.ts'

/** What upkeep sees of its loop. */
export interface Held {
  /** Beginning of every token of the loop. */
  readonly id: string
  readonly running: ReadonlyMap<string, TakenJob>
  /** Tokens of calls whose reply is outstanding. */
  readonly inFlight: ReadonlySet<string>
  link(): QueueLink
}

const LOOK_AGAIN_MS = 250

export class Upkeep {
  readonly #held: Held
  readonly #everyMs: number
  readonly #logger: Logger
  #timer: NodeJS.Timeout | undefined
  #busy = false
  #stopped = false

  constructor(held: Held, everyMs: number, logger: Logger) {
    this.#held = held
    this.#everyMs = everyMs
    this.#logger = logger
  }

  /** A round now, and then one each `everyMs`. Called again after a reconnect: that is when there are strays. */
  start(): void {
    this.#next(this.#everyMs)
    void this.#round()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #next(ms: number): void {
    clearTimeout(this.#timer)
    if (!this.#stopped) this.#timer = setTimeout(() => this.start(), ms)
  }

  async #round(): Promise<void> {
    // while Redis is away the last round still waits, and will go on when it is back
    if (this.#busy) return
    this.#busy = true
    const link = this.#held.link()
    try {
      if (this.#held.running.size > 0) await link.renew([...this.#held.running.values()])
      await link.requeueStalled()
      await this.#giveBackStrays(link)
    } catch (error) {
      // a broken connection, or one that was replaced; the next round is soon enough
      this.#logger.debug({ err: error }, 'upkeep of a queue failed')
    } finally {
      this.#busy = false
    }
  }

  async #giveBackStrays(link: QueueLink): Promise<void> {
    const { id, running, inFlight } = this.#held
    const suspects = await link.takenUnknown(id, (job) => running.has(job))
    const strays = suspects.filter(({ token }) => !inFlight.has(token))
    // the reply may still come: ioredis has only just sent the fetch again
    if (strays.length < suspects.length) this.#next(LOOK_AGAIN_MS)
    if (strays.length === 0) return
    this.#logger.warn({ jobs: strays.length }, 'gave back jobs whose fetch was lost')
    await Promise.all(strays.map((stray) => link.giveBack(stray)))
  }
}
