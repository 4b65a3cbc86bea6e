// Errors of Anthropic's SDK as faults.
import {
  AnthropicError,
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  APIUserAbortError,
} from '@anthropic-ai/sdk'
import { causeCode, type Fault } from './fault.ts'

/** null: not an error of this SDK. */
export const anthropicFault = (error: unknown): Fault | null => {
  if (error instanceof APIConnectionTimeoutError) return { kind: 'late' }
  if (error instanceof APIUserAbortError) return { kind: 'dropped' }
  if (error instanceof APIConnectionError) return { kind: 'unreachable', cause: causeCode(error) }
  if (error instanceof APIError)
    return {
      kind: 'refused',
      status: error.status ?? null,
      inStream: error.status === undefined,
      names: [error.errorCode, error.type].flatMap((name) => name ?? []),
      message: error.apiMessage ?? error.message,
      headers: error.headers ?? null,
      requestId: error.requestID ?? null,
      waitMs: null,
    }
  if (error instanceof AnthropicError) return { kind: 'odd', message: `${error.name}: ${error.message}` }
  return null
}
