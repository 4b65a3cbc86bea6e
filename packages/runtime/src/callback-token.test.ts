// Tokens of callbacks: made and read with one secret, and blotted out wherever they turn up.
import { expect, it } from 'vitest'
import { callbackToken, readCallbackToken } from './callback-token.ts'
import { redact } from './logger.ts'

const SECRET = 'a-secret-of-the-fleet'
const ref = { ns: 'default', run: 'run_1', startedAtMs: 1_000, path: 'work/turn-1/tool-0', attempt: 2 }
const token = callbackToken(SECRET, ref)

it('says which attempt it is for, the same each time, in letters that a URL takes as they are', () => {
  expect(readCallbackToken(SECRET, token)).toEqual(ref)
  expect(callbackToken(SECRET, { ...ref })).toBe(token)
  expect(encodeURIComponent(token)).toBe(token)
})

it('is refused when any of its characters is another, and with another secret', () => {
  for (let at = 0; at < token.length; at += 1) {
    for (const other of ['A', 'b', '.', '_']) {
      const changed = token.slice(0, at) + other + token.slice(at + 1)
      if (changed !== token) expect(readCallbackToken(SECRET, changed), `${at} ${other}`).toBeNull()
    }
  }
  expect(readCallbackToken('another', token)).toBeNull()
  for (const text of ['', '.', 'cb_', 'cb_.', token.slice(1), `${token}A`, `${token}.`, token.split('.')[0] ?? '']) {
    expect(readCallbackToken(SECRET, text), text).toBeNull()
  }
})

it('is no token when it is signed and says nothing that could be', () => {
  const odd = callbackToken(SECRET, { ...ref, path: 'No Path', attempt: 0 })
  expect(readCallbackToken(SECRET, odd)).toBeNull()
})

it('is blotted out of texts, also in the midst of an address', () => {
  expect(redact(`POST /v1/tasks/${token}/complete: 404`)).toBe('POST /v1/tasks/[redacted]/complete: 404')
  expect(redact('cb_short.text and cb_ stay')).toBe('cb_short.text and cb_ stay')
})
