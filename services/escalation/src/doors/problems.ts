// Problems: the one place where a rejection of the desk becomes an HTTP answer (RFC 9457).
import {
  PROBLEMS,
  type Problem,
  type ProblemCode,
  type ProblemError,
  problem,
  type Verdict,
} from '@stepfleet/contracts'
import { hasZodFastifySchemaValidationErrors, isResponseSerializationError } from 'fastify-type-provider-zod'
import { BadCursor } from '../store/port.ts'

/** Redis is away, or too slow to wait for. */
export class Unavailable extends Error {}

const TITLES: Partial<Record<ProblemCode, string>> = {
  bad_request: 'The request is not as it should be',
  invalid_json: 'The body is not JSON',
  not_found: 'There is nothing at this address',
  unknown_case: 'There is no such case',
  case_closed: 'The case is closed',
  payload_too_large: 'The body is too large',
  unsupported_media_type: 'The body must be application/json',
  fleet_unavailable: 'Redis does not answer',
  internal_error: 'Something went wrong here',
}

const isProblemCode = (code: string): code is ProblemCode => Object.hasOwn(PROBLEMS, code)

export const problemOf = (code: ProblemCode, more: Partial<Problem> = {}): Problem =>
  problem(code, TITLES[code] ?? code.replaceAll('_', ' '), more)

/** What the engine said. A code that the catalogue does not have is a conflict all the same. */
export const refusalProblem = (verdict: Extract<Verdict, { status: 'refused' }>): Problem => {
  const { code, message } = verdict
  if (isProblemCode(code)) return problemOf(code, { detail: message })
  return {
    ...problemOf('case_closed', { detail: message }),
    title: 'The engine refused',
    code,
    type: `https://stepfleet.dev/problems/${code}`,
  }
}

const errorsOf = (error: unknown): ProblemError[] | null => {
  if (!hasZodFastifySchemaValidationErrors(error)) return null
  return error.validation.slice(0, 20).map((issue) => ({
    path: issue.instancePath.slice(1).replaceAll('/', '.'),
    code: 'bad_request',
    message: issue.message ?? issue.keyword,
  }))
}

const BY_STATUS: Partial<Record<number, ProblemCode>> = {
  400: 'invalid_json',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
}

const statusOf = (error: unknown): number | null =>
  error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : null

/** Any error of a route. What is not the caller's fault says nothing of its cause: that is in the log. */
export const errorProblem = (error: unknown): Problem => {
  const errors = errorsOf(error)
  if (errors) return problemOf('bad_request', { errors })
  if (error instanceof BadCursor) return problemOf('bad_request', { detail: error.message })
  if (error instanceof Unavailable) return problemOf('fleet_unavailable', { detail: 'try again in a moment' })
  const status = statusOf(error)
  if (error instanceof Error && 'code' in error && error.code === 'FST_ERR_BAD_URL') return problemOf('bad_request')
  const code = status === null || isResponseSerializationError(error) ? undefined : BY_STATUS[status]
  if (code) return problemOf(code, error instanceof Error ? { detail: error.message } : {})
  return status !== null && status >= 400 && status < 500 ? problemOf('bad_request') : problemOf('internal_error')
}
