// Beats: who is alive. A process is dead only when its counter did not move over one whole lease during which every
// read was answered in time; a slow read, an error or a reconnect starts the leases anew. (With plain TTL leases a
// Redis stall of 2 s made 50 of 50 live workers look dead.)
import { FLEET } from '@stepfleet/contracts'
import type { RedisClient } from '@stepfleet/runtime'

/** A beat is counted up every 200 ms. */
export const LEASE_MS = 1_000
/** A read that takes longer says nothing about those it reads of. */
const SLOW_READ_MS = 250

export interface Watched {
  beat: string
  /** Local monotonic time since which the beat has not moved. */
  sinceMs: number
}

export class BeatWatch {
  readonly #redis: Pick<RedisClient, 'hgetall'>
  readonly #seen = new Map<string, Watched>()
  readonly #clock: () => number

  constructor(redis: Pick<RedisClient, 'hgetall'>, clock: () => number = () => performance.now()) {
    this.#redis = redis
    this.#clock = clock
  }

  /** Reads all beats once; answers the processes that are dead as of now. Errors start the leases anew. */
  async read(): Promise<string[]> {
    const startedMs = this.#clock()
    const last = this.#lastReadMs
    let beats: Record<string, string>
    try {
      beats = await this.#redis.hgetall(FLEET.beats)
    } catch {
      this.#renewAll(this.#clock())
      return []
    }
    const nowMs = this.#clock()
    this.#lastReadMs = nowMs
    const late = nowMs - startedMs > SLOW_READ_MS || (last !== null && startedMs - last > LEASE_MS / 2)
    if (late) this.#renewAll(nowMs)
    this.#note(beats, nowMs)
    return [...this.#seen].filter(([, watched]) => nowMs - watched.sinceMs > LEASE_MS).map(([id]) => id)
  }

  /** Known, and its beat has moved within a lease. */
  isAlive(id: string): boolean {
    const watched = this.#seen.get(id)
    // by the newest read, not by the clock: while nobody reads, nobody has died
    return watched !== undefined && (this.#lastReadMs ?? 0) - watched.sinceMs <= LEASE_MS
  }

  /** Time since the beat last moved. */
  silentMs(id: string): number {
    const watched = this.#seen.get(id)
    return watched ? this.#clock() - watched.sinceMs : 0
  }

  alive(prefix: string): string[] {
    return [...this.#seen.keys()].filter((id) => id.startsWith(prefix) && this.isAlive(id))
  }

  #lastReadMs: number | null = null

  #note(beats: Record<string, string>, nowMs: number): void {
    for (const [id, beat] of Object.entries(beats)) {
      if (this.#seen.get(id)?.beat !== beat) this.#seen.set(id, { beat, sinceMs: nowMs })
    }
    for (const id of this.#seen.keys()) if (!(id in beats)) this.#seen.delete(id)
  }

  #renewAll(nowMs: number): void {
    for (const watched of this.#seen.values()) watched.sinceMs = nowMs
  }
}
