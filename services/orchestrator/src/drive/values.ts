// Values of one run: payloads that live outside its state. Small ones are inline; large ones become blobs named by
// their hash, which are written before the append that names them.
import { createHash } from 'node:crypto'
import { isBlob, type Json, LIMITS, type Payload } from '@stepfleet/contracts'
import type { Values } from '@stepfleet/engine'
import type { Store } from '../store/port.ts'

/** Blobs kept in memory for one run. */
const CACHE_CHARS = 8 * 1024 * 1024

export class RunValues implements Values {
  readonly #cache = new Map<string, { value: Json; chars: number }>()
  readonly #unwritten = new Map<string, string>()
  #chars = 0

  load(payload: Payload): Json | undefined {
    return isBlob(payload) ? this.#cache.get(payload.blob)?.value : payload.value
  }

  pack(value: Json): Payload {
    const text = JSON.stringify(value)
    const bytes = text.length > LIMITS.inlinePayloadBytes / 3 ? Buffer.byteLength(text) : text.length
    if (bytes <= LIMITS.inlinePayloadBytes) return { value }
    const blob = this.digest(text)
    this.#unwritten.set(blob, text)
    this.#keep(blob, value, text.length)
    return { blob, bytes }
  }

  digest(text: string): string {
    return createHash('sha256').update(text).digest('hex')
  }

  /** Loads what a turn missed. Throws when a blob that the journal names is gone: the run cannot be decided. */
  async fetch(store: Store, ns: string, run: string, shas: Iterable<string>): Promise<void> {
    await Promise.all(
      [...shas].map(async (sha) => {
        const value = await store.blob(ns, run, sha)
        if (value === null) throw new Error(`blob ${sha} of run ${ns}~${run} is gone`)
        this.#keep(sha, value, JSON.stringify(value).length)
      }),
    )
  }

  /** Writes what `pack` made since the last call. */
  async write(store: Store, ns: string, run: string): Promise<void> {
    if (this.#unwritten.size === 0) return
    const blobs = [...this.#unwritten]
    await Promise.all(blobs.map(([sha, text]) => store.putBlob(ns, run, sha, text)))
    for (const [sha] of blobs) this.#unwritten.delete(sha)
  }

  /** Forgets the oldest blobs over the limit. Not within a turn: what was just loaded must stay until it is used. */
  trim(): void {
    for (const [sha, { chars }] of this.#cache) {
      if (this.#chars <= CACHE_CHARS) return
      this.#cache.delete(sha)
      this.#chars -= chars
    }
  }

  #keep(sha: string, value: Json, chars: number): void {
    if (this.#cache.has(sha)) return
    this.#cache.set(sha, { value, chars })
    this.#chars += chars
  }
}
