// The preferred owner of a shard: agreed on without talking, spread evenly, and stable when engines come and go.
import { SHARDS } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { preferredOwner } from './shards.ts'

const owners = (engines: string[]): (string | undefined)[] =>
  Array.from({ length: SHARDS }, (_, shard) => preferredOwner(shard, engines))

describe('preferredOwner', () => {
  it('does not depend on the order in which engines are listed', () => {
    expect(owners(['e_a', 'e_b', 'e_c'])).toEqual(owners(['e_c', 'e_a', 'e_b']))
  })

  it('gives every engine its share', () => {
    const engines = ['e_a', 'e_b', 'e_c', 'e_d']
    for (const engine of engines) {
      const share = owners(engines).filter((owner) => owner === engine).length
      expect(share, engine).toBeGreaterThan(SHARDS / engines.length / 3)
    }
  })

  it('moves only the shards of an engine that went', () => {
    const before = owners(['e_a', 'e_b', 'e_c'])
    const after = owners(['e_a', 'e_b'])
    for (const [shard, owner] of before.entries()) if (owner !== 'e_c') expect(after[shard]).toBe(owner)
  })

  it('is nobody when there is no engine', () => {
    expect(preferredOwner(0, [])).toBeUndefined()
  })
})
