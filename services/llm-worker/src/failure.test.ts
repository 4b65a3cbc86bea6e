// What the SDK throws becomes the right failure.
import { APIError, APIUserAbortError } from '@anthropic-ai/sdk'
import { failure } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { countsAgainstDependency, failureOf } from './failure.ts'

const quiet = new AbortController().signal
const httpError = (status: number, headers: Record<string, string> = {}, body: object = {}): APIError =>
  APIError.generate(status, { error: { type: 'x', message: 'why', ...body } }, undefined, new Headers(headers))

describe('retry-after', () => {
  it.each<[Record<string, string>, number | undefined]>([
    [{ 'retry-after': '2' }, 2_000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after-ms': '250', 'retry-after': '9' }, 250],
    [{ 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' }, undefined],
    [{ 'retry-after': '-5' }, undefined],
    [{ 'retry-after': '99999999999999999999' }, 86_400_000],
    [{ 'retry-after-ms': '1e400' }, undefined],
    [{ 'retry-after': 'soon' }, undefined],
    [{}, undefined],
  ])('%j is %s ms', (headers, expected) => {
    expect(failureOf(httpError(429, headers), quiet).retryAfterMs).toBe(expected)
  })

  it('as a date counts from now', () => {
    const inAMinute = new Date(Date.now() + 60_000).toUTCString()
    const waitMs = failureOf(httpError(503, { 'retry-after': inAMinute }), quiet).retryAfterMs ?? 0
    expect(waitMs).toBeGreaterThan(50_000)
    expect(waitMs).toBeLessThanOrEqual(60_000)
  })
})

describe('failureOf', () => {
  it.each<[string, string]>([
    ['overloaded_error', 'overloaded'],
    ['rate_limit_error', 'rate_limited'],
    ['api_error', 'provider_error'],
    ['timeout_error', 'timeout'],
    ['invalid_request_error', 'bad_request'],
    ['authentication_error', 'authentication_failed'],
    ['billing_error', 'permission_denied'],
    ['something_new', 'provider_error'],
  ])('an error inside a stream is told by its type: %s', (type, code) => {
    const error = new APIError(undefined, { error: { type, message: 'why' } }, undefined, new Headers())
    expect(failureOf(error, quiet)).toMatchObject({ code })
  })

  it('a spend limit is not lifted by waiting', () => {
    const error = httpError(429, {}, { details: { error_code: 'enforced_spend_limit_reached' } })
    expect(failureOf(error, quiet)).toMatchObject({ code: 'rate_limited', class: 'permanent' })
  })

  it('names the request, so that the provider can be asked about it', () => {
    expect(failureOf(httpError(500, { 'request-id': 'req_1' }), quiet).message).toContain('req_1')
  })

  it('what was refused before a token was made is known not to have happened', () => {
    expect(failureOf(httpError(529), quiet).details).toEqual({ notSent: true })
    expect(failureOf(httpError(500), quiet).details).toBeUndefined()
  })

  it('an abort explains what is thrown after it', () => {
    const reason = failure('cancelled', 'not wanted')
    expect(failureOf(new APIUserAbortError(), AbortSignal.abort(reason))).toEqual(reason)
    expect(failureOf(new Error('boom'), AbortSignal.abort('odd'))).toMatchObject({ code: 'cancelled' })
  })

  it('our own mistake is not tried again', () => {
    expect(failureOf(new TypeError('x is undefined'), quiet)).toMatchObject({
      code: 'provider_error',
      class: 'permanent',
    })
  })
})

it.each([
  [failure('rate_limited', '', { http: 429 }), false],
  [failure('rate_limited', '', { http: 429, class: 'permanent' }), false],
  [failure('provider_error', '', { http: 409 }), false],
  [failure('timeout', '', { http: 408 }), true],
  [failure('timeout', ''), true],
  [failure('stream_broken', ''), true],
  [failure('bad_request', '', { http: 400 }), false],
  [failure('authentication_failed', '', { http: 401 }), false],
  [failure('malformed_output', ''), false],
  [failure('refused_by_model', ''), false],
  [failure('cancelled', ''), false],
])('$code $http counts against the provider: %s', (given, expected) => {
  expect(countsAgainstDependency(given)).toBe(expected)
})
