// Shards: which ones this engine owns. The preferred owner of each follows from rendezvous hashing over the live
// engines, so they agree without talking; the lease with its epoch decides in the end.
import { SHARDS } from '@stepfleet/contracts'
import { unit } from '@stepfleet/engine'
import type { Logger } from '@stepfleet/runtime'
import type { ShardStore } from '../store/port.ts'

/** An owner that died is followed after this. */
export const SHARD_LEASE_MS = 2_000
export const RENEW_EVERY_MS = 500

export interface OwnedShard {
  shard: number
  epoch: number
  /** Last mailbox entry that was read. */
  after: string
  /** It goes to another engine as soon as nothing of it is under way. */
  leaving: boolean
}

/** The engine that should own a shard (highest random weight, Thaler and Ravishankar 1998). */
export const preferredOwner = (shard: number, engines: readonly string[]): string | undefined => {
  let best: string | undefined
  let weight = -1
  for (const engine of engines) {
    const own = unit(`${shard} ${engine}`)
    if (own > weight || (own === weight && engine > (best ?? ''))) {
      best = engine
      weight = own
    }
  }
  return best
}

export interface ShardEvents {
  /** A shard was taken; `clean`: its last owner let it go in order. Reading starts when this resolves. */
  taken(shard: OwnedShard, clean: boolean): Promise<void>
  /** Nothing of the shard is under way. */
  idle(shard: number): boolean
  lost(shard: number): void
}

export class Shards {
  readonly owned = new Map<number, OwnedShard>()
  /** Shards on their way to being owned, by the epoch they are taken under. */
  readonly #taking = new Map<number, number>()
  readonly #store: ShardStore
  readonly #engine: string
  readonly #events: ShardEvents
  readonly #logger: Logger

  constructor(store: ShardStore, engine: string, events: ShardEvents, logger: Logger) {
    this.#store = store
    this.#engine = engine
    this.#events = events
    this.#logger = logger
  }

  /** Renews what is owned, takes what this engine should own, lets go of what another should. */
  async settle(engines: readonly string[]): Promise<void> {
    await Promise.all(Array.from({ length: SHARDS }, (_, shard) => this.#settleOne(shard, engines)))
  }

  async #settleOne(shard: number, engines: readonly string[]): Promise<void> {
    const mine = preferredOwner(shard, engines) === this.#engine
    const owned = this.owned.get(shard)
    if (owned && !mine) {
      owned.leaving = true
      if (this.#events.idle(shard)) {
        this.drop(shard)
        await this.#store.release(shard, this.#engine, owned.epoch)
        return
      }
    }
    if (!owned && !mine) return
    const lease = await this.#store.own(shard, this.#engine, SHARD_LEASE_MS)
    if (!lease) {
      if (owned) this.drop(shard)
      this.#taking.delete(shard)
      return
    }
    if (owned && owned.epoch === lease.epoch) {
      if (mine) owned.leaving = false
      return
    }
    if (this.#taking.get(shard) === lease.epoch) return
    if (owned) this.drop(shard)
    // in the background: a shard with much to try must not keep the others from being renewed and read
    void this.#take({ shard, epoch: lease.epoch, after: '0', leaving: false }, lease.clean)
  }

  async #take(owned: OwnedShard, clean: boolean): Promise<void> {
    const { shard, epoch } = owned
    this.#taking.set(shard, epoch)
    this.#logger.debug({ shard, epoch, clean }, 'shard taken')
    try {
      await this.#events.taken(owned, clean)
      if (this.#taking.get(shard) !== epoch) return
      this.owned.set(shard, owned)
      this.#store.interrupt()
    } catch (error) {
      this.#logger.warn({ err: error, shard }, 'a shard could not be taken; trying again')
    } finally {
      if (this.#taking.get(shard) === epoch) this.#taking.delete(shard)
    }
  }

  /** Another engine owns it, or will: nothing of it is read or written any more. */
  drop(shard: number): void {
    if (this.owned.delete(shard)) this.#events.lost(shard)
  }

  async releaseAll(): Promise<void> {
    const all = [...this.owned.values()]
    this.owned.clear()
    await Promise.all(all.map(({ shard, epoch }) => this.#store.release(shard, this.#engine, epoch)))
  }
}
