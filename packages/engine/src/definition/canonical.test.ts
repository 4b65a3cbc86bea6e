// Canonical JSON.
import type { Json } from '@stepfleet/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from './canonical.ts'

/** The same value with the keys of every object in the opposite order. */
const reversed = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(reversed)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reversed(inner)]),
  )
}

describe('canonicalJson', () => {
  it('sorts keys at every depth, by code unit, without spaces', () => {
    expect(canonicalJson({ b: 1, a: [{ d: null, c: 'x"y' }], B: true, é: -0 })).toBe(
      '{"B":true,"a":[{"c":"x\\"y","d":null}],"b":1,"é":0}',
    )
  })

  it('is the same for equal values and reads back as the value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (raw) => {
        const value: Json = JSON.parse(JSON.stringify(raw))
        expect(canonicalJson(reversed(value))).toBe(canonicalJson(value))
        expect(JSON.parse(canonicalJson(value))).toEqual(value)
      }),
    )
  })
})
