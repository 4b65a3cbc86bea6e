// The one place that turns a rejection of any kind into problem details (RFC 9457).
import { nearest, PROBLEMS, type Problem, type ProblemCode, type ProblemError, problem } from '@stepfleet/contracts'
import type { z } from 'zod'
import { BadCursorError } from '../../store/run-order.ts'

const TITLES: Record<ProblemCode, string> = {
  bad_request: 'The request does not fit the API',
  invalid_json: 'The body cannot be read',
  invalid_definition: 'The workflow definition has errors',
  invalid_input: 'The input does not fit its schema',
  unauthorized: 'Not allowed',
  not_found: 'No such address',
  unknown_workflow: 'No such workflow',
  unknown_run: 'No such run',
  unknown_step: 'No such step',
  unknown_case: 'No such case',
  unknown_token: 'No such token',
  method_not_allowed: 'The address does not take this method',
  payload_too_large: 'Too large',
  unsupported_media_type: 'The content type is not supported',
  run_conflict: 'The run id is taken by another request',
  run_ended: 'The run has ended',
  run_closing: 'The run undoes what it has done',
  run_not_paused: 'The run is not paused',
  run_paused: 'The run is paused',
  step_not_waiting: 'The step does not wait for this',
  step_ended: 'The step has ended',
  step_in_flight: 'The step is being run',
  case_closed: 'The case is closed',
  output_invalid: 'The output does not fit the schema of the step',
  not_supported_yet: 'Not supported yet',
  fleet_unavailable: 'The fleet cannot be reached',
  fleet_full: 'The fleet cannot take more',
  internal_error: 'Something went wrong on our side',
}

/** Seconds a caller should wait before it tries again. */
const RETRY_AFTER_S: Partial<Record<ProblemCode, number>> = { fleet_unavailable: 2, fleet_full: 10 }

export const isProblemCode = (code: string): code is ProblemCode => Object.hasOwn(PROBLEMS, code)

/** What a handler throws to answer with a problem. */
export class Rejection extends Error {
  readonly code: ProblemCode
  readonly errors: readonly ProblemError[] | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: ProblemCode,
    detail: string,
    more: { errors?: readonly ProblemError[]; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(detail, { cause: more.cause })
    this.name = 'Rejection'
    this.code = code
    this.errors = more.errors
    const retryAfter = RETRY_AFTER_S[code]
    this.headers = { ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }), ...more.headers }
  }
}

export const problemOf = (rejection: Rejection, traceId: string | undefined): Problem =>
  problem(rejection.code, TITLES[rejection.code], {
    detail: rejection.message,
    ...(rejection.errors === undefined ? {} : { errors: [...rejection.errors] }),
    ...(traceId === undefined ? {} : { traceId }),
  })

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : ''

const FULL = /\bOOM command not allowed/
// Reply errors of a Redis that is there but cannot serve, and the ways ioredis says that it is not there.
const AWAY =
  /^(LOADING|CLUSTERDOWN|MASTERDOWN|READONLY|MISCONF|TRYAGAIN|NOREPLICAS)\b|Connection is closed|Stream isn't writeable|Failed to refresh slots|None of startup nodes|max retries per request|Command timed out/i
const AWAY_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'EHOSTUNREACH',
])

/** Any error as a rejection; what nobody foresaw is `internal_error`, and its text stays inside. */
export const rejectionOf = (error: unknown): Rejection => {
  if (error instanceof Rejection) return error
  if (error instanceof BadCursorError)
    return new Rejection('bad_request', 'the cursor is not of this list', {
      errors: [{ path: 'query.cursor', code: 'invalid_value', message: error.message }],
    })
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : ''
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Rejection('payload_too_large', 'the body is over the limit of this address')
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Rejection(
        'unsupported_media_type',
        'send application/json; workflows and runs also take application/yaml',
      )
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new Rejection('bad_request', 'the body is not as long as Content-Length says')
    case 'FST_ERR_BAD_URL':
      return new Rejection('bad_request', 'the address is not a valid percent-encoded path')
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new Rejection('not_found', 'a segment of the address is too long')
  }
  if (code.startsWith('FST_REPLY_FROM_') || code.startsWith('UND_ERR_'))
    return new Rejection('fleet_unavailable', 'the escalation service does not answer', { cause: error })
  if (FULL.test(message))
    return new Rejection('fleet_full', 'the store is full: finish or delete runs, or give Redis more memory', {
      cause: error,
    })
  if (AWAY.test(message) || AWAY_CODES.has(code))
    return new Rejection('fleet_unavailable', 'the store does not answer; send the same request again', {
      cause: error,
    })
  return new Rejection('internal_error', 'the log has the details under the trace id', { cause: error })
}

const ISSUE_CODES: Partial<Record<z.core.$ZodIssue['code'], string>> = {
  unrecognized_keys: 'unknown_field',
  too_big: 'out_of_range',
  too_small: 'out_of_range',
  invalid_format: 'invalid_format',
}

const article = (noun: string): string => (/^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`)

const plain = (issue: z.core.$ZodIssue): { code: string; message: string } => {
  if (issue.code === 'invalid_type') {
    const noun = issue.expected === 'record' ? 'object' : issue.expected
    if (issue.input === undefined) return { code: 'missing', message: `${article(noun)} is required` }
    return { code: 'wrong_type', message: `must be ${article(noun)}` }
  }
  if (issue.code === 'invalid_value')
    return { code: 'invalid_value', message: `must be one of ${issue.values.map(String).join(', ')}` }
  if (issue.code === 'invalid_key')
    return { code: 'invalid_key', message: `the key is not allowed: ${issue.issues[0]?.message ?? 'wrong form'}` }
  if (issue.code === 'too_big') return { code: 'out_of_range', message: `at most ${issue.maximum}` }
  if (issue.code === 'too_small') return { code: 'out_of_range', message: `at least ${issue.minimum}` }
  return { code: ISSUE_CODES[issue.code] ?? 'invalid_value', message: issue.message }
}

const dotted = (place: string, path: readonly PropertyKey[]): string =>
  [place, ...path.map(String)].filter(Boolean).join('.')

/** More errors help nobody. */
const MAX_ERRORS = 50

const unknownFields = (
  keys: readonly string[],
  path: readonly PropertyKey[],
  place: string,
  known: readonly string[],
): ProblemError[] =>
  keys.slice(0, MAX_ERRORS).map((key) => {
    const guess = path.length === 0 ? nearest(key, known) : null
    return {
      path: dotted(place, [...path, key]),
      code: 'unknown_field',
      message: `there is no field ${JSON.stringify(key)} here`,
      ...(guess === null
        ? path.length === 0 && known.length > 0
          ? { suggestion: `fields: ${known.join(', ')}` }
          : {}
        : { suggestion: `did you mean ${JSON.stringify(guess)}?` }),
    }
  })

/** zod's issues in plain words. `known` are the fields of the outermost object, for suggestions. */
export const errorsOfZod = (error: z.core.$ZodError, place: string, known: readonly string[]): ProblemError[] =>
  error.issues.slice(0, MAX_ERRORS).flatMap((issue): ProblemError[] => {
    if (issue.code === 'unrecognized_keys') return unknownFields(issue.keys, issue.path, place, known)
    // of a union the branch that complains least is the one that was meant
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      const branch = issue.errors.reduce((best, next) => (next.length < best.length ? next : best))
      const inner = branch.map((one) => ({ path: dotted(place, [...issue.path, ...one.path]), ...plain(one) }))
      if (inner.length > 0) return inner
    }
    return [{ path: dotted(place, issue.path), ...plain(issue) }]
  })
