import { type Failure, failure } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { asAmbiguous, conclude, type Ended } from './task-worker-conclude.ts'

const ended = (more: Partial<Ended>): Ended => ({
  ending: { status: 'none' },
  cause: null,
  effect: 'read',
  begun: false,
  timeoutMs: 1_000,
  ...more,
})
const done: Ended['ending'] = { status: 'done', output: 7, usage: undefined }
const failing = (given: Failure): Ended['ending'] => ({ status: 'failed', failure: given, usage: undefined })

describe('asAmbiguous', () => {
  const lost = failure('connection_failed', 'reset', { http: 502, details: { at: 'body' } })

  it('makes a transient failure of a begun once task ambiguous, and says what it was', () => {
    expect(asAmbiguous(lost, 'once', true)).toEqual({
      code: 'outcome_unknown',
      class: 'ambiguous',
      message: 'the effect may have happened: reset',
      http: 502,
      details: { cause: 'connection_failed', details: { at: 'body' } },
    })
  })

  it('leaves everything else as it is', () => {
    expect(asAmbiguous(lost, 'once', false)).toBe(lost)
    expect(asAmbiguous(lost, 'idempotent', true)).toBe(lost)
    expect(asAmbiguous(lost, 'read', true)).toBe(lost)
    const refused = failure('bad_request', 'no')
    expect(asAmbiguous(refused, 'once', true)).toBe(refused)
    const notSent = failure('rate_limited', 'later', { details: { notSent: true } })
    expect(asAmbiguous(notSent, 'once', true)).toBe(notSent)
  })

  it('makes an answer of no use ambiguous, as it was done, however permanent', () => {
    const odd = failure('tool_output_invalid', 'no JSON', { http: 200 })
    const large = failure('payload_too_large', '17 MiB', { details: { answered: true } })
    for (const given of [odd, large]) {
      expect(asAmbiguous(given, 'once', true)).toMatchObject({
        code: 'outcome_unknown',
        class: 'ambiguous',
        details: { cause: given.code },
      })
      expect(asAmbiguous(given, 'idempotent', true)).toBe(given)
    }
    const refused = failure('payload_too_large', '413')
    expect(asAmbiguous(refused, 'once', true)).toBe(refused)
  })

  it('keeps the message within its limit', () => {
    expect(asAmbiguous(failure('timeout', 'x'.repeat(2_000)), 'once', true).message).toHaveLength(2_000)
  })
})

describe('conclude', () => {
  it('reports done whatever came in between', () => {
    for (const cause of [null, 'timeout', 'cancelled', 'drain'] as const) {
      expect(conclude(ended({ ending: done, cause }))).toEqual({ status: 'done', output: { value: 7 } })
    }
  })

  it('reports nothing for a cancelled attempt that is not done', () => {
    expect(conclude(ended({ cause: 'cancelled' }))).toBeNull()
    expect(conclude(ended({ cause: 'cancelled', ending: failing(failure('bad_request', 'no')) }))).toBeNull()
  })

  it('reports a time-out as such, and as ambiguous for a begun once task', () => {
    expect(conclude(ended({ cause: 'timeout' }))).toMatchObject({ status: 'failed', failure: { code: 'timeout' } })
    expect(conclude(ended({ cause: 'timeout', effect: 'once', begun: true }))).toMatchObject({
      status: 'failed',
      failure: { code: 'outcome_unknown', class: 'ambiguous', details: { cause: 'timeout' } },
    })
    expect(conclude(ended({ cause: 'timeout', effect: 'once', begun: false }))).toMatchObject({
      failure: { code: 'timeout', class: 'transient' },
    })
  })

  it('hands back at drain, but never a begun once task', () => {
    const released = { status: 'released', reason: 'draining', why: 'worker draining', retryAfterMs: 0 }
    expect(conclude(ended({ cause: 'drain' }))).toEqual(released)
    expect(conclude(ended({ cause: 'drain', effect: 'idempotent', begun: true }))).toEqual(released)
    expect(conclude(ended({ cause: 'drain', effect: 'once' }))).toEqual(released)
    expect(conclude(ended({ cause: 'drain', effect: 'once', begun: true }))).toMatchObject({
      status: 'failed',
      failure: { code: 'outcome_unknown', class: 'ambiguous' },
    })
    const stopped = failing(failure('connection_failed', 'stopped', { details: { notSent: true } }))
    expect(conclude(ended({ cause: 'drain', effect: 'once', begun: true, ending: stopped }))).toEqual(released)
  })
})
