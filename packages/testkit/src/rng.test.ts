// Seeded random numbers repeat, and the waiter says what it waited for.
import { describe, expect, it } from 'vitest'
import { eventually } from './eventually.ts'
import { rng } from './rng.ts'

describe('rng', () => {
  it('gives the same numbers for the same seed, and others for another', () => {
    const take = (seed: number): number[] => Array.from({ length: 20 }, rng(seed).next)
    expect(take(7)).toEqual(take(7))
    expect(take(7)).not.toEqual(take(8))
  })
  it('stays within its bounds and reaches both ends', () => {
    const r = rng(1)
    const seen = new Set(Array.from({ length: 500 }, () => r.int(3, 6)))
    expect([...seen].sort()).toEqual([3, 4, 5, 6])
  })
  it('shuffles without losing anything and forks by label', () => {
    const list = [1, 2, 3, 4, 5, 6, 7, 8]
    expect([...rng(3).shuffle(list)].sort()).toEqual(list)
    expect(rng(3).fork('a').next()).not.toBe(rng(3).fork('b').next())
    expect(() => rng(3).pick([])).toThrow('nothing to pick')
  })
})

describe('eventually', () => {
  it('answers what the check answered at last', async () => {
    let calls = 0
    const value = await eventually(() => {
      calls += 1
      if (calls < 3) throw new Error('not yet')
      return { calls }
    })
    expect(value).toEqual({ calls: 3 })
  })
  it('says what it waited for and what it saw last', async () => {
    await expect(eventually(() => 0, { timeoutMs: 20, what: 'the moon' })).rejects.toThrow(
      /20 ms for the moon; last: 0/,
    )
  })
})
