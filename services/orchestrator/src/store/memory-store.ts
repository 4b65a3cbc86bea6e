// The store in memory, for tests and the simulation: the semantics of the Redis store on a given clock.
import type { Claims, RunRecord } from '@stepfleet/runtime'
import { createMemoryClaims } from './memory/claims.ts'
import { createMemoryDefinitions } from './memory/definitions.ts'
import { createMemoryReader } from './memory/reader.ts'
import { createMemoryShards } from './memory/shards.ts'
import { type Clock, MemoryState } from './memory/state.ts'
import type { Store } from './port.ts'

export interface MemoryStore extends Store {
  /** What workers ask, of the same record. */
  readonly claims: Claims & RunRecord
}

/**
 * Every call has its effect before it first waits, so calls are as atomic as Redis's scripts. Events and commands
 * are kept as given, not copied: nobody changes them once they are handed over.
 */
export const createMemoryStore = (clock: Clock): MemoryStore => {
  const state = new MemoryState(clock)
  const shards = createMemoryShards(state)
  return {
    ...createMemoryReader(state),
    ...createMemoryDefinitions(clock),
    ...shards,
    claims: createMemoryClaims(state),
    close: async () => shards.interrupt(),
  }
}
