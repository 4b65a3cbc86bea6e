// Due times: one timer per engine, for the earliest wake of its shards. Only the owner's appends write due times,
// so the owner knows the next one without asking.
import type { Logger } from '@stepfleet/runtime'
import type { ShardStore } from '../store/port.ts'
import type { OwnedShard } from './shards.ts'

const BATCH = 200
/** Due times are Redis's clock; this one may be ahead or behind. It is looked at no rarer than this. */
const LONGEST_SLEEP_MS = 1_000
const AGAIN_MS = 250

export class Due {
  readonly #store: ShardStore
  readonly #engine: string
  readonly #logger: Logger
  readonly #owned: ReadonlyMap<number, OwnedShard>
  readonly #next = new Map<number, number>()
  /** Redis time minus local time, from the newest mailbox entries. */
  #offsetMs = 0
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(store: ShardStore, engine: string, owned: ReadonlyMap<number, OwnedShard>, logger: Logger) {
    this.#store = store
    this.#engine = engine
    this.#owned = owned
    this.#logger = logger
  }

  /** What Redis's clock showed just now. */
  sync(redisMs: number): void {
    this.#offsetMs = redisMs - Date.now()
  }

  /** A run's wake was written, or its shard was taken (`0`: look at once). */
  arm(shard: number, atMs: number | null): void {
    if (atMs === null) return
    const known = this.#next.get(shard)
    if (known !== undefined && known <= atMs) return
    this.#next.set(shard, atMs)
    this.#schedule()
  }

  forget(shard: number): void {
    this.#next.delete(shard)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    if (this.#stopped) return
    clearTimeout(this.#timer)
    let earliest = Number.POSITIVE_INFINITY
    for (const atMs of this.#next.values()) if (atMs < earliest) earliest = atMs
    if (earliest === Number.POSITIVE_INFINITY) return
    const waitMs = Math.min(LONGEST_SLEEP_MS, Math.max(0, earliest - this.#offsetMs - Date.now()))
    this.#timer = setTimeout(() => void this.#ring(), waitMs)
  }

  async #ring(): Promise<void> {
    const nowMs = Date.now() + this.#offsetMs
    const ripe = [...this.#next].filter(([, atMs]) => atMs <= nowMs).map(([shard]) => shard)
    await Promise.all(ripe.map((shard) => this.#ripen(shard)))
    this.#schedule()
  }

  async #ripen(shard: number): Promise<void> {
    const owned = this.#owned.get(shard)
    this.#next.delete(shard)
    if (!owned) return
    try {
      const { moved, nextAtMs } = await this.#store.ripen(shard, this.#engine, owned.epoch, BATCH)
      // a full batch: there may be more that is ripe
      this.arm(shard, moved === BATCH ? 0 : nextAtMs)
    } catch (error) {
      this.#logger.warn({ err: error, shard }, 'due times could not be read; trying again')
      this.arm(shard, Date.now() + this.#offsetMs + AGAIN_MS)
    }
  }
}
