// Limits that the whole fleet shares, and the cache of outputs, as the driver sees them. Two keep them: memory (tests,
// simulation) and Redis. One conformance suite (conformance.fixture.ts) runs against both.
import type { Json } from '@stepfleet/contracts'

/** Who takes a place: a step, or with an empty path the run itself. */
export interface Holder {
  run: string
  path: string
}

/** `concurrency`: places, taken and given back. `rate`: starts, that count for `per`. Each has its own keys. */
export type LimitKind = 'concurrency' | 'rate'

export interface LimitName {
  kind: LimitKind
  key: string
}

export interface LimitAsk {
  key: string
  limit: number
  /** null: at a time; else starts in any so many milliseconds. */
  perMs: number | null
  holder: Holder
  /** Version of the run when it asks. A release that is older than this is about an earlier time, and is ignored. */
  version: number
}

/** `call`: others whose turn has come and who may not know it; they are to be woken. */
export type LimitAnswer =
  | { granted: true; call: Holder[] }
  /** `ahead` wait before it; it asks again at `againAtMs` (the store's time), or when it is called. */
  | { granted: false; ahead: number; againAtMs: number; call: Holder[] }

export const kindOf = (perMs: number | null): LimitKind => (perMs === null ? 'concurrency' : 'rate')

/** How long those who wait are waited for. */
export interface Patience {
  /** A waiter that is this late with asking again is passed over until it does. It keeps its turn. */
  lateMs: number
  /** One that stays away for so much longer has lost its turn: its run may have ended without a word. */
  forgottenMs: number
  /** Without a call the first in the queue asks again after this, those behind it later. */
  pollMs: number
}

export const PATIENCE: Patience = { lateMs: 60_000, forgottenMs: 3_600_000, pollMs: 30_000 }
/** The asking again of a long queue is spread out: so much later for each that waits before, at most 10 polls. */
export const POLL_SPREAD_MS = 20
/** Who was called and has not come is called again by a release after this: the call may have been lost. */
export const CALL_AGAIN_MS = 2_000
/** At most so many are called at a time. */
export const CALLS = 100

/**
 * What each call promises: never more places than the `limit` that is named, or starts in any `per`; first in, first
 * out; a repeat does nothing more. What nobody uses any more vanishes; a place that is held is never forgotten.
 */
export interface FleetLimits {
  /**
   * Takes a place, or waits for one. A holder that has a place is granted it again, until it is released; a start, until
   * its `per` is over. Each ask is judged by the limit it names, so a changed one takes effect at once.
   */
  take(ns: string, ask: LimitAsk): Promise<LimitAnswer>
  /**
   * Gives a place back, or leaves the queue, when the holder has last asked before `seq`, the event that ended it.
   * Answers who may come now. A start stays counted until its `per` is over, but a next one of its holder counts anew.
   */
  release(ns: string, name: LimitName, holder: Holder, seq: number): Promise<Holder[]>
  /** Holders of places of a concurrency since longer than this, oldest first, at most 100. */
  holders(ns: string, key: string, olderThanMs: number): Promise<Holder[]>
  cached(ns: string, key: string): Promise<{ value: Json } | null>
  store(ns: string, key: string, value: Json, ttlMs: number): Promise<void>
}
