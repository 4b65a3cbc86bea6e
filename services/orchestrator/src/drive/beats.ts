// Beats: who is alive. A process is dead only when its counter did not move over one whole lease during which every
// read was answered in time; a slow read, an error or a reconnect starts the leases anew. (With plain TTL leases a
// Redis stall of 2 s made 50 of 50 live workers look dead.)
//
// A worker that is killed is known sooner: its system closes its connections at once. One that has missed two beats and
// of which Redis has no connection left, in two looks, is gone. Counted only while its beat has moved since the leases
// last started anew: then it was connected to this very Redis since. (After a restart of Redis nobody is connected.)
import { FLEET } from '@stepfleet/contracts'
import type { RedisClient } from '@stepfleet/runtime'

/** A beat is counted up every 200 ms. */
export const LEASE_MS = 1_000
/** Two missed beats: from here on its connections are looked for. */
const SUSPECT_MS = 400
const LOOKS = 2
/** A read that takes longer says nothing about those it reads of. */
const SLOW_READ_MS = 250

export interface Watched {
  beat: string
  /** Local monotonic time since which the beat has not moved. */
  sinceMs: number
  /** It has moved since the leases last started anew. */
  moved: boolean
  /** Looks in a row that found no connection of it. */
  missing: number
}

/** CLIENT LIST of the one Redis; null on a Cluster, where each node knows its own connections only. */
export type ListClients = (() => Promise<unknown>) | null

const isGone = ({ missing }: Watched): boolean => missing >= LOOKS

export class BeatWatch {
  readonly #redis: Pick<RedisClient, 'hgetall'>
  readonly #seen = new Map<string, Watched>()
  readonly #clock: () => number

  readonly #list: ListClients

  constructor(
    redis: Pick<RedisClient, 'hgetall'>,
    list: ListClients = null,
    clock: () => number = () => performance.now(),
  ) {
    this.#redis = redis
    this.#list = list
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
      this.#failed = true
      this.#renewAll(this.#clock())
      return []
    }
    const nowMs = this.#clock()
    this.#lastReadMs = nowMs
    const gap = last !== null && startedMs - last > LEASE_MS / 2
    const late = this.#failed || gap || nowMs - startedMs > SLOW_READ_MS
    this.#failed = false
    if (late) this.#renewAll(nowMs)
    this.#note(beats, nowMs, late)
    await this.#look(nowMs)
    return [...this.#seen]
      .filter(([, watched]) => isGone(watched) || nowMs - watched.sinceMs > LEASE_MS)
      .map(([id]) => id)
  }

  /** Why it counts as dead. */
  causeOf(id: string): 'connection' | 'lease' {
    const watched = this.#seen.get(id)
    return watched && isGone(watched) ? 'connection' : 'lease'
  }

  /** Looks for connections of workers that have missed two beats. */
  async #look(nowMs: number): Promise<void> {
    const suspects = [...this.#seen].filter(
      ([id, { sinceMs, moved }]) => moved && nowMs - sinceMs >= SUSPECT_MS && !id.startsWith('e_'),
    )
    if (this.#list === null || suspects.length === 0) return
    const text = String(await this.#list().catch(() => ''))
    // without one name (not even ours) names are not kept here; a slow answer says nothing
    if (!/ name=\S/.test(text) || this.#clock() - nowMs > SLOW_READ_MS) return
    for (const [id, watched] of suspects) watched.missing = text.includes(id) ? 0 : watched.missing + 1
  }

  /** Known, and its beat has moved within a lease. */
  isAlive(id: string): boolean {
    const watched = this.#seen.get(id)
    // by the newest read, not by the clock: while nobody reads, nobody has died
    return watched !== undefined && !isGone(watched) && (this.#lastReadMs ?? 0) - watched.sinceMs <= LEASE_MS
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
  /** The read before was answered by an error. */
  #failed = false

  #note(beats: Record<string, string>, nowMs: number, late: boolean): void {
    for (const [id, beat] of Object.entries(beats)) {
      const known = this.#seen.get(id)
      // in a late read it may have moved before what made it late
      const moved = known !== undefined && !late
      if (known?.beat !== beat) this.#seen.set(id, { beat, sinceMs: nowMs, moved, missing: 0 })
    }
    for (const id of this.#seen.keys()) if (!(id in beats)) this.#seen.delete(id)
  }

  #renewAll(nowMs: number): void {
    for (const watched of this.#seen.values()) Object.assign(watched, { sinceMs: nowMs, moved: false, missing: 0 })
  }
}
