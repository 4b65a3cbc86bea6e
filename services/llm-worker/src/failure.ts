// The one place where what a model call threw becomes a failure.
import { type Failure, type FailureCode, failure, failureSchema } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import { verdictOf } from './failure-table.ts'
import { anthropicFault } from './faults/anthropic.ts'
import { type Fault, ownFault, type Refusal, StreamBroken } from './faults/fault.ts'
import { geminiFault } from './faults/gemini.ts'
import { openaiFault } from './faults/openai.ts'

export { StreamBroken }

const NUMBER = /^\d+(\.\d+)?$/
/** Nobody is waited for longer: a day. */
const LONGEST_WAIT_MS = 86_400_000
const bounded = (ms: number): number => Math.min(Math.ceil(ms), LONGEST_WAIT_MS)

/** `retry-after-ms`, or `retry-after` in seconds or as a date; null when there is none that can be read. */
const retryAfterMs = (headers: Headers | null, nowMs: number): number | null => {
  const ms = headers?.get('retry-after-ms') ?? ''
  if (NUMBER.test(ms)) return bounded(Number(ms))
  const text = headers?.get('retry-after') ?? ''
  if (NUMBER.test(text)) return bounded(Number(text) * 1_000)
  // a date has letters; one that is over says nothing
  const at = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) || at <= nowMs ? null : bounded(at - nowMs)
}

const ofRefusal = (refusal: Refusal): Failure => {
  const { status, inStream, message, headers, requestId, waitMs } = refusal
  const verdict = verdictOf(refusal)
  const wait = retryAfterMs(headers, Date.now()) ?? waitMs
  const request = requestId ? ` (request ${requestId})` : ''
  // a refusal before any token was made has had no effect: even a `once` step may be tried again
  const notSent = !inStream && (status === 429 || status === 529)
  return failure(verdict.code, `${status === null ? '' : `${status} `}${message.slice(0, 1_500)}${request}`, {
    ...(verdict.class === undefined ? {} : { class: verdict.class }),
    ...(wait === null ? {} : { retryAfterMs: wait }),
    ...(status === null || inStream ? {} : { http: status }),
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

const ofFault = (fault: Fault): Failure => {
  switch (fault.kind) {
    case 'refused':
      return ofRefusal(fault)
    case 'late':
      return failure('timeout', 'the model provider sent no headers in time')
    case 'stalled':
      return failure('timeout', fault.message)
    // it would be as long the next time, and is paid each time
    case 'endless':
      return failure('stream_broken', fault.message, { class: 'permanent' })
    case 'broken':
      return failure('stream_broken', fault.message)
    case 'dropped':
      return failure('connection_failed', 'the call was aborted')
    case 'odd':
      return failure('provider_error', fault.message)
    case 'unreachable': {
      const { cause } = fault
      return failure('connection_failed', `no connection to the model provider${cause ? `: ${cause}` : ''}`, {
        ...(cause !== null && NEVER_CONNECTED.has(cause) ? { details: { notSent: true } } : {}),
      })
    }
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? `${error.name}: ${error.message}` : String(error))

/** What the error says of the provider; null: nothing, it is a mistake of ours. */
export const faultOf = (error: unknown): Fault | null =>
  ownFault(error) ?? anthropicFault(error) ?? openaiFault(error) ?? geminiFault(error)

/** The Failure that an aborted signal carries. */
export const abortFailure = (signal: AbortSignal): Failure => {
  const parsed = failureSchema.safeParse(signal.reason)
  return parsed.success ? parsed.data : failure('cancelled', 'the call was aborted')
}

/** What was thrown, as a failure. An aborted signal explains everything that is thrown after it. */
export const failureOf = (error: unknown, signal: AbortSignal): Failure => {
  if (error instanceof TaskFailure) return error.failure
  if (signal.aborted) return abortFailure(signal)
  const fault = faultOf(error)
  // nothing a provider does ends without a fault: it is a mistake of ours, and trying again would only repeat it
  return fault === null
    ? failure('provider_error', `unexpected in the llm-worker: ${textOf(error)}`, { class: 'permanent' })
    : ofFault(fault)
}

/** Of our own record, before anybody was asked. */
const isOurs = (details: Failure['details']): boolean =>
  typeof details === 'object' && details !== null && !Array.isArray(details) && details.record === true

const DEPENDENCY_FAULTS: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'overloaded',
  'provider_error',
  'connection_failed',
  'timeout',
  'stream_broken',
])

/**
 * Whether a failure speaks against the provider. A 4xx is the caller's own mistake, but for 408; a 429 is no outage
 * either: it pauses the model (limits), and who waits for that stands in line.
 */
export const countsAgainstDependency = ({ code, http, class: kind, details }: Failure): boolean => {
  if (!DEPENDENCY_FAULTS.has(code) || kind === 'permanent' || isOurs(details)) return false
  return http === undefined || http >= 500 || http === 408
}
