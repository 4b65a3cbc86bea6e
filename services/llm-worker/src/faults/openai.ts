// Errors of OpenAI's SDK as faults. What our own fetch threw is told before this: the SDK only wraps it.
import { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError, OpenAIError } from 'openai'
import { causeCode, type Fault } from './fault.ts'
import { refusalOf } from './refusal-body.ts'

/** null: not an error of this SDK. */
export const openaiFault = (error: unknown): Fault | null => {
  if (error instanceof APIConnectionTimeoutError) {
    // the SDK takes every cause that mentions a time-out for one of its own, a connect time-out too
    const cause = causeCode(error)
    return cause === null ? { kind: 'late' } : { kind: 'unreachable', cause }
  }
  if (error instanceof APIUserAbortError) return { kind: 'dropped' }
  if (error instanceof APIConnectionError) return { kind: 'unreachable', cause: causeCode(error) }
  if (error instanceof APIError)
    return {
      kind: 'refused',
      ...refusalOf(error.error, { status: error.status ?? null, headers: error.headers ?? null }),
    }
  if (error instanceof OpenAIError) return { kind: 'odd', message: `${error.name}: ${error.message}` }
  return null
}
