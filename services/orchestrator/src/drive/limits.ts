// limits: what runs ask of the fleet's limits and its cache, and what they give back. Who may come is woken.
import { randomUUID } from 'node:crypto'
import { type Actor, hasEnded, isBlob } from '@stepfleet/contracts'
import type { Answer, Ask } from '@stepfleet/engine'
import type { Logger } from '@stepfleet/runtime'
import { type FleetLimits, type Holder, kindOf, type LimitKind } from '../limits/port.ts'
import type { RunReader } from '../store/port.ts'
import type { Asking, From, Leaving, Limits } from './outside.ts'

/** A place that is held for this long is looked at when somebody waits for it: its run may have ended without a word. */
const LONG_HELD_MS = 30_000
/** Keys whose last look is remembered. */
const MOST_LOOKS = 10_000
const KINDS: readonly LimitKind[] = ['concurrency', 'rate']
const SHOWN_KEY = 100

export interface LimitDeps {
  limits: FleetLimits
  store: Pick<RunReader, 'head' | 'send' | 'blob'>
  engine: string
  logger: Logger
  /** See LONG_HELD_MS; a test waits for less. */
  longHeldMs?: number
}

type LimitAsk = Extract<Ask, { kind: 'limit' }>
type Release = Extract<Leaving, { kind: 'release' }>
type Kept = Extract<Leaving, { kind: 'cache' }>

const durationText = (ms: number): string => (ms % 1_000 === 0 ? `${ms / 1_000} s` : `${ms} ms`)

const whyOf = ({ key, limit, perMs }: LimitAsk): string => {
  const what = perMs === null ? `${limit} at a time` : `${limit} starts in ${durationText(perMs)}`
  return `waits for its turn under limit "${key.slice(0, SHOWN_KEY)}": ${what}`
}

class DrivenLimits implements Limits {
  readonly #deps: LimitDeps
  readonly #by: Actor
  readonly #longHeldMs: number
  /** When the long held places of a key were last looked at. */
  readonly #looks = new Map<string, number>()

  constructor(deps: LimitDeps) {
    this.#deps = deps
    this.#by = { kind: 'engine', id: deps.engine }
    this.#longHeldMs = deps.longHeldMs ?? LONG_HELD_MS
  }

  async answer(from: Asking, ask: Exclude<Ask, { kind: 'budget' }>): Promise<Answer> {
    if (ask.kind === 'limit') return this.#take(from, ask)
    return { kind: 'cache', found: await this.#deps.limits.cached(from.ns, ask.key) }
  }

  async leave(from: From, message: Release | Kept): Promise<void> {
    if (message.kind === 'release') await this.#release(from, message)
    else await this.#keep(from, message)
  }

  async #take({ ns, run, seq, nowMs }: Asking, ask: LimitAsk): Promise<Answer> {
    const { key, limit, perMs, path } = ask
    const answer = await this.#deps.limits.take(ns, { key, limit, perMs, holder: { run, path }, version: seq })
    await this.#wake(ns, answer.call)
    if (answer.granted) return { kind: 'limit', granted: true }
    if (perMs === null) this.#lookAtHolders(ns, key)
    return { kind: 'limit', granted: false, why: whyOf(ask), againInMs: Math.max(1, answer.againAtMs - nowMs) }
  }

  /** A message does not say of which kind the limit is: a holder is released from both, it is in one. */
  async #release({ ns, run, seq }: From, { key, path }: Release): Promise<void> {
    const { limits } = this.#deps
    const called = await Promise.all(KINDS.map((kind) => limits.release(ns, { kind, key }, { run, path }, seq)))
    await this.#wake(ns, called.flat())
  }

  async #keep({ ns, run }: From, { key, ttlMs, output }: Kept): Promise<void> {
    const { limits, store } = this.#deps
    const value = isBlob(output) ? await store.blob(ns, run, output.blob) : output.value
    // gone: the run was restarted meanwhile. A null of its own is never a blob
    if (value === null && isBlob(output)) return
    await limits.store(ns, key, value, ttlMs)
  }

  async #wake(ns: string, called: readonly Holder[]): Promise<void> {
    await Promise.all(
      called.map(({ run, path }) =>
        this.#deps.store.send({ type: 'wake', id: `free/${randomUUID()}`, ns, run, by: this.#by, paths: [path] }),
      ),
    )
  }

  /** In the background and rarely: places that are held for long by runs that have ended are given back. */
  #lookAtHolders(ns: string, key: string): void {
    const name = JSON.stringify([ns, key])
    const nowMs = performance.now()
    if (nowMs - (this.#looks.get(name) ?? Number.NEGATIVE_INFINITY) < this.#longHeldMs) return
    if (this.#looks.size >= MOST_LOOKS) this.#looks.clear()
    this.#looks.set(name, nowMs)
    this.#freeEnded(ns, key).catch((error: unknown) => {
      this.#deps.logger.warn({ err: error, key }, 'the holders of a limit could not be looked at; trying again later')
    })
  }

  async #freeEnded(ns: string, key: string): Promise<void> {
    const { limits, store, logger } = this.#deps
    for (const holder of await limits.holders(ns, key, this.#longHeldMs)) {
      const head = await store.head(ns, holder.run)
      if (head && !hasEnded(head.status)) continue
      logger.warn({ run: holder.run, step: holder.path, key }, 'an ended run held a place of a limit; it is free now')
      const name = { kind: kindOf(null), key }
      await this.#wake(ns, await limits.release(ns, name, holder, Number.MAX_SAFE_INTEGER))
    }
  }
}

export const createDrivenLimits = (deps: LimitDeps): Limits => new DrivenLimits(deps)
