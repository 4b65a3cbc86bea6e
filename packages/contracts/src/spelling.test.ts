// The nearest right spelling.
import { describe, expect, it } from 'vitest'
import { editDistance, nearest } from './spelling.ts'

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['abc', 'abc', 0],
    ['abc', 'abd', 1],
    ['abc', 'acb', 1],
    ['abc', '', 3],
    ['kitten', 'sitting', 3],
    ['serach', 'search', 1],
  ])('of %j and %j is %i', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance)
    expect(editDistance(b, a)).toBe(distance)
  })

  it('gives up over its limit', () => {
    expect(editDistance('kitten', 'sitting', 2)).toBe(3)
    expect(editDistance('a'.repeat(5_000), 'b', 3)).toBe(4)
  })
})

describe('nearest', () => {
  it('finds a typo and nothing far-fetched', () => {
    expect(nearest('lm', ['agent', 'llm', 'tool'])).toBe('llm')
    expect(nearest('TimeOut', ['retry', 'timeout'])).toBe('timeout')
    expect(nearest('tempreature', ['temperature', 'top_p'])).toBe('temperature')
    expect(nearest('xyz', ['llm', 'agent'])).toBeNull()
    expect(nearest('x', ['a', 'b'])).toBeNull()
    expect(nearest('abd', ['abc', 'abe'])).toBe('abc')
    expect(nearest('a'.repeat(100), ['a'.repeat(99)])).toBeNull()
    expect(nearest('name', [])).toBeNull()
  })
})
