// Errors of Google's SDK as faults. What our own fetch threw is told before this.
import { ApiError } from '@google/genai'
import { causeCode, type Fault } from './fault.ts'
import { refusalOf } from './refusal-body.ts'

/** null: not an error of this SDK, nor one of the fetch that it hands on as it is. */
export const geminiFault = (error: unknown): Fault | null => {
  if (error instanceof ApiError) {
    // only errors inside a stream come this way: `got status: UNAVAILABLE. {"error": {…}}`
    const json = error.message.slice(Math.max(0, error.message.indexOf('{')))
    return { kind: 'refused', ...refusalOf(json, { status: null, headers: null }), status: error.status }
  }
  if (error instanceof TypeError && error.message === 'fetch failed')
    return { kind: 'unreachable', cause: causeCode(error) }
  return null
}
