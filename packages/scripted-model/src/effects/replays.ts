// What an idempotent service remembers of its keys: which request a key came with, and what it was answered.
import type { EffectEntry } from '../ledger.ts'

export interface StoredReply {
  status: number
  body: string
}

/** `new`: nobody used the key. `open`: its first call is under way. `other`: it came with another request. */
export type Known =
  | { type: 'new' }
  | { type: 'open' }
  | { type: 'other' }
  | { type: 'done'; n: number; reply: StoredReply }

interface Used {
  n: number
  hash: string
  reply: StoredReply | null
}

export class Replays {
  readonly #used = new Map<string, Used>()

  /** What the ledger tells of earlier lives. A call that was under way counts: its effect had happened. */
  static of(entries: readonly EffectEntry[]): Replays {
    const replays = new Replays()
    for (const { key, n, requestHash: hash, reply } of entries) if (reply) replays.#used.set(key, { n, hash, reply })
    return replays
  }

  known(key: string, hash: string): Known {
    const used = this.#used.get(key)
    if (!used) return { type: 'new' }
    if (used.hash !== hash) return { type: 'other' }
    return used.reply ? { type: 'done', n: used.n, reply: used.reply } : { type: 'open' }
  }

  begin(key: string, n: number, hash: string): void {
    this.#used.set(key, { n, hash, reply: null })
  }

  end(key: string, reply: StoredReply): void {
    const used = this.#used.get(key)
    if (used) used.reply = reply
  }
}
