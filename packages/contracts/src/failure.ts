// Failures: one shape, three classes, one catalogue of codes. docs/failures.md has a heading for each code.
import { z } from 'zod'
import { jsonSchema } from './json.ts'

/**
 * `transient`: may work when tried again. `permanent`: will not. `ambiguous`: nobody knows whether the effect
 * happened, so it is never repeated unless the step's effect allows it.
 */
export const failureClassSchema = z.enum(['transient', 'permanent', 'ambiguous'])
export type FailureClass = z.infer<typeof failureClassSchema>

/** Every code a step or run can fail with, and its class where nothing better is known. */
export const FAILURE_CODES = {
  rate_limited: 'transient',
  overloaded: 'transient',
  provider_error: 'transient',
  connection_failed: 'transient',
  timeout: 'transient',
  stream_broken: 'transient',
  malformed_output: 'transient',
  output_truncated: 'permanent',
  context_too_long: 'permanent',
  refused_by_model: 'permanent',
  bad_request: 'permanent',
  authentication_failed: 'permanent',
  permission_denied: 'permanent',
  not_found: 'permanent',
  payload_too_large: 'permanent',
  http_error: 'permanent',
  egress_denied: 'permanent',
  tool_failed: 'transient',
  tool_input_invalid: 'permanent',
  tool_output_invalid: 'permanent',
  tool_unknown: 'transient',
  model_unknown: 'permanent',
  secret_missing: 'permanent',
  circuit_open: 'transient',
  worker_lost: 'transient',
  outcome_unknown: 'ambiguous',
  poison_step: 'permanent',
  deadline_exceeded: 'permanent',
  expression_failed: 'permanent',
  each_failed: 'permanent',
  max_turns_exceeded: 'permanent',
  max_iterations_exceeded: 'permanent',
  repeated_calls: 'permanent',
  low_confidence: 'permanent',
  budget_exceeded: 'permanent',
  child_failed: 'permanent',
  child_cancelled: 'permanent',
  child_refused: 'permanent',
  code_failed: 'permanent',
  code_changed: 'permanent',
  code_workflow_stalled: 'permanent',
  gate_rejected: 'permanent',
  signal_timeout: 'permanent',
  signal_invalid: 'permanent',
  failed_by_operator: 'permanent',
  cancelled: 'permanent',
  limit_exceeded: 'permanent',
  engine_failure: 'permanent',
} as const satisfies Record<string, FailureClass>

export type FailureCode = keyof typeof FAILURE_CODES
export const failureCodes = Object.keys(FAILURE_CODES) as [FailureCode, ...FailureCode[]]

export const failureSchema = z.strictObject({
  code: z.enum(failureCodes),
  class: failureClassSchema,
  /** For a tired person: what went wrong, where. Never a secret, at most 2,000 characters. */
  message: z.string().max(2_000),
  /** What the other side asked us to wait, in milliseconds. */
  retryAfterMs: z.int().nonnegative().optional(),
  /** HTTP status of the other side, where there was one. */
  http: z.int().optional(),
  details: jsonSchema.optional(),
})
export type Failure = z.infer<typeof failureSchema>

/** A failure with its catalogue class, unless `more` says another. */
export const failure = (code: FailureCode, message: string, more: Partial<Failure> = {}): Failure => ({
  code,
  class: FAILURE_CODES[code],
  message: message.slice(0, 2_000),
  ...more,
})
