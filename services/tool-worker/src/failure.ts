// The one place where what went wrong in a tool becomes a Failure.
import { type Failure, type FailureCode, failure, failureSchema } from '@stepfleet/contracts'
import { redact, TaskFailure } from '@stepfleet/runtime'
import { isToolError } from 'stepfleet'
import { MalformedMarker, redactJson, SecretMissing } from './secrets.ts'
import { BodyTooLarge, ConnectFailed, EgressDenied, ExchangeFailed, TooManyRedirects } from './tools/egress.ts'

/**
 * Says that the effect surely did not happen. Without it the runtime takes a transient failure of a `once` step as
 * ambiguous, so it is never repeated.
 */
const NOT_SENT = { notSent: true } as const
/** Says that it did happen, and only the answer cannot be taken: a `once` step must not be done in another way then. */
export const ANSWERED = { answered: true } as const

/** What of a refusal's body is kept in `details`, characters. */
const BODY_CUT = 2_000

/** A failure whose message is blotted out before it is cut: half a secret would not be recognised any more. */
export const safeFailure = (code: FailureCode, message: string, more: Partial<Failure> = {}): Failure =>
  failure(code, redact(message), more)

/** The start of a foreign text as `details` may carry it; blotted out first, for the same reason. */
export const excerpt = (text: string): string => redact(text).slice(0, BODY_CUT)

/** Nobody is waited for longer: a day. */
const LONGEST_WAIT_MS = 86_400_000

/** Milliseconds a `retry-after` asks for: seconds or an HTTP date (RFC 9110, 10.2.3). Undefined when it says nothing. */
export const retryAfterMs = (header: string | undefined, nowMs: number): number | undefined => {
  if (header === undefined) return undefined
  const text = header.trim()
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Math.ceil(Number(text) * 1_000), LONGEST_WAIT_MS)
  // a date begins with its day of the week; of all else Date.parse makes one too, `-5` is a day of 2001
  const atMs = /^(mon|tue|wed|thu|fri|sat|sun)/i.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(atMs) ? undefined : Math.min(Math.max(0, atMs - nowMs), LONGEST_WAIT_MS)
}

/** A `once` request was taken by a server that sent us elsewhere for its result, and there it failed. */
export class TakenBefore extends Error {
  constructor(cause: unknown) {
    super('the request was taken before it was redirected', { cause })
  }
}

export interface Refusal {
  /** `POST https://host/path`, without the query. */
  what: string
  status: number
  /** The `retry-after` header. */
  retryAfter: string | undefined
  body: string
}

/**
 * An HTTP answer that is no success. 425, 429, and 503 with a `retry-after`, say that the work was not taken; any other
 * 5xx may come from a gateway that knows nothing of what the server behind it did.
 */
export const refusalFailure = (refusal: Refusal, nowMs: number): Failure => {
  const { status } = refusal
  const wait = retryAfterMs(refusal.retryAfter, nowMs)
  const notTaken = status === 425 || status === 429 || (status === 503 && wait !== undefined)
  const details = {
    ...(refusal.body === '' ? {} : { body: excerpt(refusal.body) }),
    ...(notTaken ? NOT_SENT : {}),
  }
  const more = { http: status, details, ...(wait === undefined ? {} : { retryAfterMs: wait }) }
  const message = `${refusal.what} answered ${status}`
  if (status === 429) return safeFailure('rate_limited', message, more)
  if (status === 503) return safeFailure('overloaded', message, more)
  if (status === 408 || status === 425 || status >= 500)
    return safeFailure('http_error', message, { ...more, class: 'transient' })
  return safeFailure('http_error', message, more)
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const connectionFailure = (error: Error): Failure | null => {
  if (error instanceof EgressDenied) return safeFailure('egress_denied', error.message)
  if (error instanceof ConnectFailed) return safeFailure('connection_failed', error.message, { details: NOT_SENT })
  if (error instanceof ExchangeFailed) return safeFailure('connection_failed', error.message)
  if (error instanceof BodyTooLarge) return safeFailure('payload_too_large', error.message, { details: ANSWERED })
  return error instanceof TooManyRedirects ? safeFailure('http_error', error.message) : null
}

/** It may have happened, whatever its result says. */
const takenFailure = (cause: Failure): Failure => {
  const { code, message, http, details } = cause
  return safeFailure('outcome_unknown', `the effect may have happened, then: ${message}`, {
    ...(http === undefined ? {} : { http }),
    details: { cause: code, ...(details === undefined ? {} : { details }) },
  })
}

const known = (error: unknown): Failure | null => {
  if (error instanceof TakenBefore) {
    const cause = known(error.cause)
    return cause && takenFailure(cause)
  }
  if (error instanceof TaskFailure) return error.failure
  if (error instanceof SecretMissing) return safeFailure('secret_missing', error.message)
  if (error instanceof MalformedMarker) return safeFailure('tool_input_invalid', error.message)
  if (isToolError(error)) {
    const wait = error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }
    const details = error.class === 'transient' ? { details: NOT_SENT } : {}
    return safeFailure(error.code, error.message, { class: error.class, ...wait, ...details })
  }
  return error instanceof Error ? connectionFailure(error) : null
}

/** Blots secrets out of everything of a failure that a person, a model or the journal will see. */
const redacted = (found: Failure): Failure => ({
  ...found,
  message: redact(found.message).slice(0, 2_000),
  ...(found.details === undefined ? {} : { details: redactJson(found.details) }),
})

/**
 * Any error of a task as a failure. What a tool throws when it is aborted says nothing: then the signal's reason
 * counts. An unknown error is `tool_failed`.
 */
export const toFailure = (error: unknown, signal: AbortSignal): Failure => {
  const found = known(error)
  if (found) return redacted(found)
  const reason = signal.aborted ? failureSchema.safeParse(signal.reason) : null
  if (reason?.success) return redacted(reason.data)
  return redacted(safeFailure('tool_failed', messageOf(error) || 'the tool threw an error without a message'))
}

const isCallersMistake = ({ http }: Failure): boolean => http !== undefined && http < 500 && http !== 408

/** Whether the other side is at fault, so that the breaker counts it. A caller's own mistake never opens a breaker. */
export const countsAgainstDependency = (found: Failure): boolean => {
  switch (found.code) {
    case 'connection_failed':
    case 'overloaded':
    case 'timeout':
    case 'tool_failed':
      return found.class !== 'permanent'
    case 'outcome_unknown':
      return found.class !== 'permanent' && !isCallersMistake(found)
    case 'http_error':
      return found.http !== undefined && (found.http >= 500 || found.http === 408)
    default:
      return false
  }
}
