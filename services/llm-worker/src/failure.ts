// The one place where what a model call threw becomes a failure.
import {
  AnthropicError,
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  APIUserAbortError,
} from '@anthropic-ai/sdk'
import { type Failure, type FailureCode, failure, failureSchema } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import { StreamStalled } from './providers/watched-fetch.ts'

/** Thrown while an answer was being read: the connection, or what came over it, was broken. */
export class StreamBroken extends Error {}

interface Verdict {
  code: FailureCode
  class?: Failure['class']
}

const BY_STATUS: ReadonlyMap<number, Verdict> = new Map<number, Verdict>([
  [400, { code: 'bad_request' }],
  [401, { code: 'authentication_failed' }],
  // no credit left: a person has to pay first
  [402, { code: 'permission_denied' }],
  [403, { code: 'permission_denied' }],
  [404, { code: 'not_found' }],
  [408, { code: 'timeout' }],
  // a lock on the other side
  [409, { code: 'provider_error' }],
  [412, { code: 'bad_request' }],
  [413, { code: 'payload_too_large' }],
  [422, { code: 'bad_request' }],
  [429, { code: 'rate_limited' }],
  [431, { code: 'payload_too_large' }],
  // a gateway says the client left, which we did not
  [499, { code: 'connection_failed' }],
  [501, { code: 'provider_error', class: 'permanent' }],
  [529, { code: 'overloaded' }],
])

// an error inside a stream has no status, only its type
const BY_TYPE: ReadonlyMap<string, Verdict> = new Map<string, Verdict>([
  ['invalid_request_error', { code: 'bad_request' }],
  ['authentication_error', { code: 'authentication_failed' }],
  ['billing_error', { code: 'permission_denied' }],
  ['permission_error', { code: 'permission_denied' }],
  ['not_found_error', { code: 'not_found' }],
  ['request_too_large', { code: 'payload_too_large' }],
  ['rate_limit_error', { code: 'rate_limited' }],
  ['timeout_error', { code: 'timeout' }],
  ['overloaded_error', { code: 'overloaded' }],
  ['conflict_error', { code: 'provider_error' }],
  ['api_error', { code: 'provider_error' }],
])

const verdictOf = (error: APIError): Verdict => {
  const message = error.apiMessage ?? ''
  const known = error.status === undefined ? BY_TYPE.get(error.type ?? '') : BY_STATUS.get(error.status)
  const verdict = known ?? { code: error.status !== undefined && error.status < 500 ? 'bad_request' : 'provider_error' }
  if (verdict.code === 'bad_request' && /prompt is too long|exceed context limit/i.test(message))
    return { code: 'context_too_long' }
  if (verdict.code === 'not_found' && /^model: /.test(message)) return { code: 'model_unknown' }
  // a spend limit also answers 429, but no wait of a minute lifts it
  if (verdict.code === 'rate_limited' && error.errorCode?.endsWith('spend_limit_reached'))
    return { ...verdict, class: 'permanent' }
  return verdict
}

/** `retry-after-ms`, or `retry-after` in seconds or as a date; null when there is none that can be read. */
const retryAfterMs = (headers: Headers | undefined, nowMs: number): number | null => {
  const ms = Number.parseFloat(headers?.get('retry-after-ms') ?? '')
  if (ms >= 0) return Math.ceil(ms)
  const text = headers?.get('retry-after') ?? ''
  if (/^\d+(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1_000)
  const at = Date.parse(text)
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs)
}

const ofApiError = (error: APIError): Failure => {
  const verdict = verdictOf(error)
  const wait = retryAfterMs(error.headers, Date.now())
  const request = error.requestID ? ` (request ${error.requestID})` : ''
  // a refusal before any token was made has had no effect: even a `once` step may be tried again
  const notSent = error.status === 429 || error.status === 529
  return failure(verdict.code, `${error.message}${request}`, {
    ...(verdict.class === undefined ? {} : { class: verdict.class }),
    ...(wait === null ? {} : { retryAfterMs: wait }),
    ...(error.status === undefined ? {} : { http: error.status }),
    ...(notSent ? { details: { notSent: true } } : {}),
  })
}

const NEVER_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** The system's code at the end of a chain of causes: ECONNREFUSED, UND_ERR_SOCKET, … */
const causeCode = (error: unknown): string | null => {
  let at: unknown = error
  for (let depth = 0; at instanceof Error && depth < 6; depth += 1) {
    if ('code' in at && typeof at.code === 'string') return at.code
    at = at.cause
  }
  return null
}

const ofConnection = (error: APIConnectionError): Failure => {
  const code = causeCode(error)
  return failure('connection_failed', `no connection to the model provider${code ? `: ${code}` : ''}`, {
    ...(code !== null && NEVER_CONNECTED.has(code) ? { details: { notSent: true } } : {}),
  })
}

const textOf = (error: unknown): string => (error instanceof Error ? `${error.name}: ${error.message}` : String(error))

/** The Failure that an aborted signal carries. */
export const abortFailure = (signal: AbortSignal): Failure => {
  const parsed = failureSchema.safeParse(signal.reason)
  return parsed.success ? parsed.data : failure('cancelled', 'the call was aborted')
}

/** What was thrown, as a failure. An aborted signal explains everything that is thrown after it. */
export const failureOf = (error: unknown, signal: AbortSignal): Failure => {
  if (error instanceof TaskFailure) return error.failure
  if (signal.aborted) return abortFailure(signal)
  if (error instanceof StreamStalled) return failure('timeout', error.message)
  if (error instanceof StreamBroken) return failure('stream_broken', error.message)
  if (error instanceof APIConnectionTimeoutError)
    return failure('timeout', 'the model provider sent no headers in time')
  if (error instanceof APIUserAbortError) return failure('connection_failed', 'the call was aborted')
  if (error instanceof APIConnectionError) return ofConnection(error)
  if (error instanceof APIError) return ofApiError(error)
  if (error instanceof AnthropicError) return failure('provider_error', textOf(error))
  // nothing a provider does ends here: it is a mistake of ours, and trying again would only repeat it
  return failure('provider_error', `unexpected in the llm-worker: ${textOf(error)}`, { class: 'permanent' })
}

const DEPENDENCY_FAULTS: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'rate_limited',
  'overloaded',
  'provider_error',
  'connection_failed',
  'timeout',
  'stream_broken',
])

/** Whether a failure speaks against the provider. A 4xx is the caller's own mistake, but for 408 and 429. */
export const countsAgainstDependency = ({ code, http, class: kind }: Failure): boolean => {
  if (!DEPENDENCY_FAULTS.has(code) || kind === 'permanent') return false
  return http === undefined || http >= 500 || http === 408 || http === 429
}
