// The conformance suite of the store: every law a store must keep, run against each store there is.
import { afterEach, beforeEach, describe } from 'vitest'
import { appendLaws } from './conformance/append.ts'
import { claimLaws } from './conformance/claims.ts'
import type { Harness } from './conformance/harness.ts'
import { readingLaws } from './conformance/reading.ts'
import { shardLaws } from './conformance/shard.ts'
import { submitLaws } from './conformance/submit.ts'

export type { Harness } from './conformance/harness.ts'

/** `make` gives an empty store for each test. */
export const storeConformance = (name: string, make: () => Promise<Harness>): void => {
  describe(name, () => {
    let harness: Harness | null = null
    const h = (): Harness => {
      if (!harness) throw new Error('no store')
      return harness
    }
    beforeEach(async () => {
      harness = await make()
    })
    afterEach(async () => {
      await harness?.stop()
      harness = null
    })
    describe('submit', () => submitLaws(h))
    describe('append', () => appendLaws(h))
    describe('claims', () => claimLaws(h))
    describe('shard', () => shardLaws(h))
    describe('reading', () => readingLaws(h))
  })
}
