// The table of what becomes of each error.
import { type Failure, failure } from '@stepfleet/contracts'
import { redactValues, TaskFailure } from '@stepfleet/runtime'
import { ToolError } from 'stepfleet'
import { expect, test } from 'vitest'
import { countsAgainstDependency, refusalFailure, retryAfterMs, safeFailure, toFailure } from './failure.ts'
import { MalformedMarker, SecretMissing } from './secrets.ts'
import { BodyTooLarge, ConnectFailed, EgressDenied, ExchangeFailed, TooManyRedirects } from './tools/egress.ts'

const quiet = new AbortController().signal
const aborted = AbortSignal.abort(failure('timeout', 'no result within 5 ms'))

test.each<[string, unknown, AbortSignal, Partial<Failure>]>([
  ['an error', new Error('boom'), quiet, { code: 'tool_failed', class: 'transient', message: 'boom' }],
  ['no error', 'text', quiet, { code: 'tool_failed', class: 'transient', message: 'text' }],
  [
    'an empty error',
    new Error(''),
    quiet,
    { code: 'tool_failed', message: 'the tool threw an error without a message' },
  ],
  ['an abort', new Error('aborted'), aborted, { code: 'timeout', class: 'transient' }],
  ['a known error at an abort', new EgressDenied('no'), aborted, { code: 'egress_denied' }],
  ['a failure', new TaskFailure(failure('tool_unknown', 'x')), quiet, { code: 'tool_unknown' }],
  ['a secret', new SecretMissing('X', 'none'), quiet, { code: 'secret_missing', class: 'permanent' }],
  ['a marker', new MalformedMarker('x'), quiet, { code: 'tool_input_invalid' }],
  ['egress', new EgressDenied('x'), quiet, { code: 'egress_denied', class: 'permanent' }],
  ['no connection', new ConnectFailed('x'), quiet, { code: 'connection_failed', details: { notSent: true } }],
  ['a broken exchange', new ExchangeFailed('x'), quiet, { code: 'connection_failed', class: 'transient' }],
  ['too much', new BodyTooLarge('x'), quiet, { code: 'payload_too_large', class: 'permanent' }],
  ['a loop', new TooManyRedirects('x'), quiet, { code: 'http_error', class: 'permanent' }],
  [
    'a transient ToolError',
    new ToolError('later', { class: 'transient', code: 'rate_limited', retryAfterMs: 1_500 }),
    quiet,
    { code: 'rate_limited', class: 'transient', retryAfterMs: 1_500, details: { notSent: true } },
  ],
  [
    'a permanent ToolError',
    new ToolError('no', { class: 'permanent' }),
    quiet,
    { code: 'tool_failed', class: 'permanent' },
  ],
  ['an ambiguous ToolError', new ToolError('?', { class: 'ambiguous' }), quiet, { class: 'ambiguous' }],
])('%s', (_, error, signal, expected) => {
  expect(toFailure(error, signal)).toMatchObject(expected)
})

test('message and details lose their secrets before they are cut', () => {
  redactValues(['canary-failure'])
  const edge = `${'x'.repeat(1_990)}canary-failure`
  const found = [
    toFailure(new Error(edge), quiet),
    toFailure(new ToolError(edge, { class: 'permanent' }), quiet),
    toFailure(new TaskFailure(failure('tool_failed', 'x', { details: { body: 'a canary-failure' } })), quiet),
    refusalFailure({ what: 'GET x', status: 400, retryAfter: undefined, body: edge }, 0),
    safeFailure('tool_failed', edge),
  ]
  expect(JSON.stringify(found)).not.toContain('canary')
  expect(toFailure(new Error('y'.repeat(5_000)), quiet).message.length).toBe(2_000)
})

const nowMs = Date.parse('2026-01-01T00:00:00Z')
test.each([
  ['171', 171_000],
  [' 0 ', 0],
  ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
  ['Wed, 31 Dec 2025 23:00:00 GMT', 0],
  ['soon', undefined],
  ['0.5', 500],
  ['-5', undefined],
  ['in 5', undefined],
  ['99999999999', 86_400_000],
  ['Wed, 21 Oct 2099 07:28:00 GMT', 86_400_000],
  [undefined, undefined],
])('retry-after %j → %j', (header, expected) => {
  expect(retryAfterMs(header, nowMs)).toBe(expected)
})

test.each<[Failure, boolean]>([
  [failure('connection_failed', ''), true],
  [failure('overloaded', ''), true],
  [failure('timeout', ''), true],
  [failure('tool_failed', ''), true],
  [failure('tool_failed', '', { class: 'permanent' }), false],
  [failure('outcome_unknown', ''), true],
  [failure('http_error', '', { http: 502 }), true],
  [failure('http_error', '', { http: 404 }), false],
  [failure('rate_limited', ''), false],
  [failure('tool_input_invalid', ''), false],
  [failure('egress_denied', ''), false],
  [failure('secret_missing', ''), false],
  [failure('tool_unknown', ''), false],
  [failure('cancelled', ''), false],
])('%j counts: %s', (found, expected) => {
  expect(countsAgainstDependency(found)).toBe(expected)
})
