// Limits of the fleet in virtual time: so many at a time, or so many starts in any window, first in, first out.

interface Place {
  run: string
  path: string
}
interface Limit {
  /** As the last one who asked said it. */
  most: number
  holders: Map<string, Place>
  /** Those who asked and got nothing, in the order they came. */
  waiting: Map<string, Place>
  /** Times of the starts inside the window, for a rate. */
  starts: number[]
}
export interface LimitAsk {
  key: string
  limit: number
  /** null: at a time; else starts in any so many milliseconds. */
  perMs: number | null
}
export type LimitAnswer =
  | { kind: 'limit'; granted: true }
  | { kind: 'limit'; granted: false; why: string; againInMs: number }

/** Who waits for a place is told when one is free; until then there is nothing to ask for. */
const AGAIN_MS = 24 * 3_600_000

/** A rate and a limit at a time with the same key count apart. */
const idOf = ({ key, perMs }: Pick<LimitAsk, 'key' | 'perMs'>): string => `${perMs ?? ''} ${key}`
const nameOf = ({ run, path }: Place): string => `${run} ${path}`

export class Limits {
  readonly #limits = new Map<string, Limit>()

  ask(asked: LimitAsk, place: Place, nowMs: number): LimitAnswer {
    const limit = this.#limit(idOf(asked))
    limit.most = asked.limit
    const name = nameOf(place)
    if (limit.holders.has(name)) return { kind: 'limit', granted: true }
    const freeAtMs = this.#freeAt(limit, asked, name, nowMs)
    if (freeAtMs === null) {
      limit.waiting.delete(name)
      limit.holders.set(name, place)
      if (asked.perMs !== null) limit.starts.push(nowMs)
      return { kind: 'limit', granted: true }
    }
    limit.waiting.set(name, place)
    const per = asked.perMs === null ? 'at a time' : `in ${asked.perMs} ms`
    const why = `waits for a place: ${asked.limit} ${per}`
    return { kind: 'limit', granted: false, why, againInMs: Math.max(1, freeAtMs - nowMs) }
  }

  /** Gives a place of a limit at a time back, or in the queue for one; answers who may ask again now. */
  release(key: string, place: Place): Place[] {
    const limit = this.#limits.get(idOf({ key, perMs: null }))
    if (!limit) return []
    const name = nameOf(place)
    limit.waiting.delete(name)
    limit.holders.delete(name)
    return [...limit.waiting.values()].slice(0, Math.max(0, limit.most - limit.holders.size))
  }

  /** When it may start; null: now. */
  #freeAt(limit: Limit, { limit: most, perMs }: LimitAsk, name: string, nowMs: number): number | null {
    const before = limit.waiting.has(name) ? [...limit.waiting.keys()].indexOf(name) : limit.waiting.size
    if (perMs === null) return limit.holders.size + before < most ? null : nowMs + AGAIN_MS
    limit.starts = limit.starts.filter((atMs) => atMs > nowMs - perMs)
    if (limit.starts.length + before < most) return null
    // those before it take the places that come free first
    const rounds = Math.floor(before / most)
    const first = limit.starts[Math.min(before % most, limit.starts.length - 1)] ?? nowMs
    return first + perMs * (rounds + 1)
  }

  #limit(key: string): Limit {
    const known = this.#limits.get(key)
    if (known) return known
    const limit: Limit = { most: 1, holders: new Map(), waiting: new Map(), starts: [] }
    this.#limits.set(key, limit)
    return limit
  }
}
