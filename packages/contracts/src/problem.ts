// RFC 9457 problem details: every error of every service's HTTP door.
import { z } from 'zod'

export const problemErrorSchema = z.object({
  /** Place in the body or definition, dotted: `steps.report.llm.model`. */
  path: z.string(),
  /** One of the registration codes, for example `unknown_step`, `not_supported_yet`. */
  code: z.string(),
  message: z.string(),
  /** The nearest right name, or what to do. */
  suggestion: z.string().optional(),
})
export type ProblemError = z.infer<typeof problemErrorSchema>

export const problemSchema = z.object({
  /** `https://stepfleet.dev/problems/<code>` */
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string().optional(),
  code: z.string(),
  errors: z.array(problemErrorSchema).optional(),
  traceId: z.string().optional(),
})
export type Problem = z.infer<typeof problemSchema>

/** Stable codes of the API and the HTTP status of each. */
export const PROBLEMS = {
  bad_request: 400,
  invalid_json: 400,
  invalid_definition: 422,
  invalid_input: 422,
  unauthorized: 401,
  not_found: 404,
  unknown_workflow: 404,
  unknown_run: 404,
  unknown_step: 404,
  unknown_case: 404,
  unknown_token: 404,
  method_not_allowed: 405,
  payload_too_large: 413,
  unsupported_media_type: 415,
  run_conflict: 409,
  run_ended: 409,
  run_closing: 409,
  run_not_paused: 409,
  run_paused: 409,
  step_not_waiting: 409,
  step_ended: 409,
  step_in_flight: 409,
  case_closed: 409,
  output_invalid: 422,
  not_supported_yet: 422,
  fleet_unavailable: 503,
  fleet_full: 503,
  internal_error: 500,
} as const
export type ProblemCode = keyof typeof PROBLEMS

export const problem = (code: ProblemCode, title: string, more: Partial<Problem> = {}): Problem => ({
  type: `https://stepfleet.dev/problems/${code}`,
  title,
  status: PROBLEMS[code],
  code,
  ...more,
})
