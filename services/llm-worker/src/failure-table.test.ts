// What each provider's refusals are, from the bodies that their APIs (and servers that speak like them) send.

import { ApiError } from '@google/genai'
import type { Failure, FailureCode } from '@stepfleet/contracts'
import { APIError } from 'openai'
import { describe, expect, it } from 'vitest'
import { failureOf } from './failure.ts'
import { HttpRefusal } from './providers/provider-fetch.ts'

const quiet = new AbortController().signal
const refused = (status: number, body: unknown, headers: Record<string, string> = {}): Failure =>
  failureOf(
    new HttpRefusal(status, new Headers(headers), typeof body === 'string' ? body : JSON.stringify(body)),
    quiet,
  )

type Row = [what: string, status: number, body: unknown, code: FailureCode, kind?: Failure['class']]

const openai = (message: string, code: string | null, type = 'invalid_request_error') => ({
  error: { message, type, param: null, code },
})
const google = (code: number, status: string, message: string, ...details: object[]) => ({
  error: { code, message, status, ...(details.length > 0 ? { details } : {}) },
})
const perDay = { violations: [{ quotaMetric: 'm', quotaId: 'GenerateRequestsPerDayPerProjectPerModel-FreeTier' }] }
const perMinute = { violations: [{ quotaMetric: 'm', quotaId: 'GenerateRequestsPerMinutePerProjectPerModel' }] }
const wait = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '36.2s' }

describe('a refusal of OpenAI and of servers like it', () => {
  it.each<Row>([
    ['too long', 400, openai('… maximum context length is 128000 …', 'context_length_exceeded'), 'context_too_long'],
    [
      'too long, vLLM',
      400,
      {
        object: 'error',
        message: "This model's maximum context length is 4096 tokens.",
        type: 'BadRequestError',
        code: 400,
      },
      'context_too_long',
    ],
    [
      'too long, llama.cpp',
      400,
      {
        error: {
          code: 400,
          message: 'the request exceeds the available context size',
          type: 'exceed_context_size_error',
        },
      },
      'context_too_long',
    ],
    ['filtered', 400, openai('The prompt was filtered', 'content_filter'), 'refused_by_model'],
    ['wrong key', 401, openai('Incorrect API key provided', 'invalid_api_key'), 'authentication_failed'],
    ['forbidden', 403, openai('You are not allowed', null), 'permission_denied'],
    ['no such model', 404, openai('The model `x` does not exist', 'model_not_found'), 'model_unknown'],
    ['no such model for this key', 403, openai('no access to model', 'model_not_found'), 'model_unknown'],
    [
      'no such model, Ollama',
      404,
      { error: { message: 'model "x" not found, try pulling it first' } },
      'model_unknown',
    ],
    ['no such path', 404, 'page not found', 'not_found'],
    ['a rate', 429, openai('Rate limit reached', 'rate_limit_exceeded', 'requests'), 'rate_limited'],
    [
      'no money',
      429,
      openai('check your plan', 'insufficient_quota', 'insufficient_quota'),
      'rate_limited',
      'permanent',
    ],
    [
      'never fits the rate',
      429,
      openai('Request too large for gpt-4o', 'rate_limit_exceeded', 'tokens'),
      'payload_too_large',
    ],
    ['overloaded', 503, openai('The engine is currently overloaded', null, 'server_error'), 'overloaded'],
    ['broken', 500, openai('The server had an error', null, 'server_error'), 'provider_error'],
    ['a gateway', 502, '<html>Bad gateway</html>', 'provider_error'],
    ['validation of a framework', 422, { detail: [{ msg: 'field required' }] }, 'bad_request'],
    ['an error as text', 400, { error: 'invalid model' }, 'bad_request'],
    ['nothing', 400, '', 'bad_request'],
  ])('%s', (_what, status, body, code, kind) => {
    const given = refused(status, body)
    expect(given).toMatchObject({ code, http: status, ...(kind === undefined ? {} : { class: kind }) })
    expect(given.message.startsWith(`${status} `)).toBe(true)
  })
})

describe('a refusal of Gemini', () => {
  it.each<Row>([
    [
      'too long',
      400,
      google(
        400,
        'INVALID_ARGUMENT',
        'The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).',
      ),
      'context_too_long',
    ],
    ['wrong', 400, google(400, 'INVALID_ARGUMENT', 'Invalid value at x'), 'bad_request'],
    [
      'wrong key',
      400,
      google(400, 'INVALID_ARGUMENT', 'API key not valid', { reason: 'API_KEY_INVALID' }),
      'authentication_failed',
    ],
    ['a wrong place', 400, google(400, 'FAILED_PRECONDITION', 'User location is not supported'), 'permission_denied'],
    ['forbidden', 403, google(403, 'PERMISSION_DENIED', 'no'), 'permission_denied'],
    ['no such model', 404, google(404, 'NOT_FOUND', 'models/x is not found for API version v1beta'), 'model_unknown'],
    [
      'a rate',
      429,
      google(429, 'RESOURCE_EXHAUSTED', 'You exceeded your current quota', perMinute, wait),
      'rate_limited',
      'transient',
    ],
    ['a day is over', 429, google(429, 'RESOURCE_EXHAUSTED', 'quota', perDay, wait), 'rate_limited', 'permanent'],
    [
      'no money',
      429,
      google(429, 'RESOURCE_EXHAUSTED', 'You exceeded your current quota'),
      'rate_limited',
      'permanent',
    ],
    ['overloaded', 503, google(503, 'UNAVAILABLE', 'The model is overloaded.'), 'overloaded'],
    ['broken', 500, google(500, 'INTERNAL', 'An internal error has occurred.'), 'provider_error'],
    ['in a list', 400, [google(400, 'INVALID_ARGUMENT', 'in a list')], 'bad_request'],
  ])('%s', (_what, status, body, code, kind) => {
    expect(refused(status, body)).toMatchObject({ code, http: status, ...(kind === undefined ? {} : { class: kind }) })
  })

  it('says in its body how long to wait', () => {
    expect(refused(429, google(429, 'RESOURCE_EXHAUSTED', 'x', wait)).retryAfterMs).toBe(36_200)
    expect(refused(429, google(429, 'RESOURCE_EXHAUSTED', 'x', wait), { 'retry-after': '2' }).retryAfterMs).toBe(2_000)
    expect(refused(503, google(503, 'UNAVAILABLE', 'x')).retryAfterMs).toBeUndefined()
  })
})

describe('an error inside a stream', () => {
  const chat = (error: object): Failure =>
    failureOf(new APIError(undefined, error, undefined, new Headers({ 'x-request-id': 'req_9' })), quiet)

  it.each<[object, FailureCode]>([
    [{ message: 'x', type: 'server_error', code: null }, 'provider_error'],
    [{ message: 'x', type: 'server_error', code: 'engine_overloaded' }, 'overloaded'],
    [{ message: 'x', type: 'requests', code: 'rate_limit_exceeded' }, 'rate_limited'],
    [{ message: 'x', type: 'BadRequestError', code: 400 }, 'bad_request'],
    [{ message: 'upstream', code: 502 }, 'provider_error'],
    [{ message: 'x' }, 'provider_error'],
  ])('of OpenAI: %j', (error, code) => {
    const given = chat(error)
    expect(given).toMatchObject({ code })
    // the answer had begun, so there was no such status, and something was paid for
    expect(given.http).toBeUndefined()
    expect(given.details).toBeUndefined()
    expect(given.message).toContain('req_9')
  })

  it('of Gemini', () => {
    const body = JSON.stringify(google(503, 'UNAVAILABLE', 'The model is overloaded.'))
    const given = failureOf(new ApiError({ message: `got status: UNAVAILABLE. ${body}`, status: 503 }), quiet)
    expect(given).toMatchObject({ code: 'overloaded', message: '503 The model is overloaded.' })
    expect(given.http).toBeUndefined()
  })
})

it('what no row knows is judged by its status', () => {
  expect(refused(418, {})).toMatchObject({ code: 'bad_request', message: '418 no reason was given' })
  expect(refused(599, {})).toMatchObject({ code: 'provider_error', class: 'transient' })
})
