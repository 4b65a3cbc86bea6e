// SHA-256 against the host's.
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { sha256 } from './sha256.ts'

const host = (text: string): string => createHash('sha256').update(text).digest('hex')

it("is the host's, for any text", () => {
  expect(sha256('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  for (const length of [1, 55, 56, 63, 64, 65, 119, 120, 1_000]) {
    expect(sha256('é'.repeat(length)), String(length)).toBe(host('é'.repeat(length)))
  }
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => sha256(text) === host(text)))
})
