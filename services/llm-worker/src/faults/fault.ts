// What went wrong between us and a model provider, in words that know no provider. Each SDK's errors are told in these; failure.ts judges them.
import { HeadersLate, HttpRefusal } from '../providers/provider-fetch.ts'
import { AnswerEndless, StreamStalled } from '../providers/watched-fetch.ts'
import { refusalOf } from './refusal-body.ts'

/** The provider said no. */
export interface Refusal {
  /** HTTP status; inside a stream, the status that the error itself names. Null: neither is there. */
  status: number | null
  /** True when the answer had begun with a 200. */
  inStream: boolean
  /** The provider's own names for it, most telling first: codes, types, reasons, quotas. */
  names: readonly string[]
  message: string
  headers: Headers | null
  /** For the provider's support. */
  requestId: string | null
  /** How long the body of the error asks to wait; headers say it by themselves. */
  waitMs: number | null
}

export type Fault =
  | ({ kind: 'refused' } & Refusal)
  /** No headers came in time. */
  | { kind: 'late' }
  /** `cause` is the system's code: ECONNREFUSED, UND_ERR_SOCKET, … */
  | { kind: 'unreachable'; cause: string | null }
  /** The SDK says that somebody aborted the call, and it was not us. */
  | { kind: 'dropped' }
  /** The SDK itself gave up, and says no more than this. */
  | { kind: 'odd'; message: string }
  /** The answer fell silent. */
  | { kind: 'stalled'; message: string }
  /** The answer has no end. */
  | { kind: 'endless'; message: string }
  /** The connection, or what came over it, broke while the answer was read. */
  | { kind: 'broken'; message: string }

/** Thrown while an answer was being read: the connection, or what came over it, was broken. */
export class StreamBroken extends Error {}

const MAX_DEPTH = 6

const causes = (error: unknown): unknown[] => {
  const found: unknown[] = []
  let at = error
  while (at instanceof Error && found.length < MAX_DEPTH) {
    found.push(at)
    at = at.cause
  }
  return found
}

/** The system's code in a chain of causes: ECONNREFUSED, UND_ERR_SOCKET, … */
export const causeCode = (error: unknown): string | null => {
  for (const at of causes(error)) {
    if (at instanceof Error && 'code' in at && typeof at.code === 'string') return at.code
  }
  return null
}

/** What our own fetch threw, also when an SDK has wrapped it; null: the error is not one of ours. */
export const ownFault = (error: unknown): Fault | null => {
  for (const at of causes(error)) {
    if (at instanceof HttpRefusal) return { kind: 'refused', ...refusalOf(at.body, at) }
    if (at instanceof HeadersLate) return { kind: 'late' }
    if (at instanceof StreamStalled) return { kind: 'stalled', message: at.message }
    if (at instanceof AnswerEndless) return { kind: 'endless', message: at.message }
    if (at instanceof StreamBroken) return { kind: 'broken', message: at.message }
  }
  return null
}
