// blobs: payloads outside the state, as the driver keeps them: large ones must be loaded before they are there.
import type { Json, Payload } from '@stepfleet/contracts'
import { digest } from '../testing/digest.ts'
import type { Values } from '../turn.ts'

export class Blobs implements Values {
  /** Names of what had to be loaded, in order. */
  readonly loads: string[] = []
  readonly digest = digest
  readonly #inlineChars: number
  readonly #kept = new Map<string, string>()
  readonly #cached = new Map<string, Json>()

  /** Values whose JSON is longer than `inlineChars` become blobs. */
  constructor(inlineChars: number = Number.POSITIVE_INFINITY) {
    this.#inlineChars = inlineChars
  }

  load(payload: Payload): Json | undefined {
    return 'value' in payload ? payload.value : this.#cached.get(payload.blob)
  }

  /** The same value gives the same name, as a hash would. */
  pack(value: Json): Payload {
    const text = JSON.stringify(value)
    if (text.length <= this.#inlineChars) return { value }
    const known = [...this.#kept].find(([, other]) => other === text)
    const blob = known?.[0] ?? String(this.#kept.size + 1).padStart(64, '0')
    this.#kept.set(blob, text)
    return { blob, bytes: text.length }
  }

  /** Loads what a turn missed. */
  fetch(missing: Set<string>): void {
    for (const blob of missing) {
      this.#cached.set(blob, this.#read(blob))
      this.loads.push(blob)
    }
    missing.clear()
  }

  forget(): void {
    this.#cached.clear()
  }

  value(payload: Payload | null): Json {
    if (payload === null) return null
    return 'value' in payload ? payload.value : this.#read(payload.blob)
  }

  #read(blob: string): Json {
    const text = this.#kept.get(blob)
    if (text === undefined) throw new Error(`no blob ${blob}`)
    const value: Json = JSON.parse(text)
    return value
  }
}
