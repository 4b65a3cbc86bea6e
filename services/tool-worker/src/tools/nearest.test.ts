// nearest: the suggestion for a misspelt name.
import { expect, test } from 'vitest'
import { nearest } from './nearest.ts'

test.each([
  ['heders', 'headers'],
  ['Body', 'body'],
  ['uri', 'url'],
  ['timeout_in_seconds', null],
])('%s → %s', (wrong, right) => {
  expect(nearest(wrong, ['url', 'method', 'query', 'headers', 'body', 'expect'])).toBe(right)
})

test('of no names none is nearest', () => {
  expect(nearest('x', [])).toBeNull()
})
