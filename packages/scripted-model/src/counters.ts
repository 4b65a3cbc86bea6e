// What is counted across calls and over restarts: calls per effect key and model, faults that were played.
import type { EffectEntry, LedgerEntry } from './ledger.ts'

export interface Counters {
  /** Of the next call, in the ledger. */
  nextNumber: () => number
  /** Calls per effect key. */
  calls: Map<string, number>
  modelCalls: Map<string, number>
  /** Faults played, per effect key and directive. */
  faults: Map<string, number>
}

/** How often this happened before; asking counts it. */
export const count = (map: Map<string, number>, key: string): number => {
  const before = map.get(key) ?? 0
  map.set(key, before + 1)
  return before
}

export const faultKey = (effectKey: string, directive: string): string => `${effectKey} ${directive}`

/** What the ledger tells of earlier lives counts: a fault with `times=1` does not happen again after a restart. */
export const countersOf = (calls: readonly LedgerEntry[], effects: readonly EffectEntry[]): Counters => {
  let last = 0
  const counters: Counters = {
    nextNumber: () => ++last,
    calls: new Map(),
    modelCalls: new Map(),
    faults: new Map(),
  }
  for (const entry of [...calls, ...effects]) {
    last = Math.max(last, entry.n)
    if (entry.fault !== undefined) count(counters.faults, faultKey(entry.key, entry.fault))
  }
  for (const { key, model, outcome } of calls) {
    count(counters.calls, key)
    if (outcome !== 'rejected') count(counters.modelCalls, model)
  }
  return counters
}
