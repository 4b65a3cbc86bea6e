// ToolError: how a tool says what kind of failure it met.
import {
  FAILURE_CODES,
  type FailureClass,
  type FailureCode,
  failureClassSchema,
  MAX_DURATION_MS,
} from '@stepfleet/contracts'

/** The same symbol in every copy of this package, so that a tool's own copy and the worker's understand each other. */
const TOOL_ERROR: unique symbol = Symbol.for('stepfleet.toolError')

export interface ToolErrorOptions {
  /**
   * `transient` is tried again: with effect `once` it says that nothing has happened yet. `permanent` is not tried
   * again. `ambiguous`: nobody knows whether the effect happened.
   */
  class: FailureClass
  /** Default `tool_failed`. */
  code?: FailureCode
  /** What the other side asked to wait, in milliseconds. */
  retryAfterMs?: number
  cause?: unknown
}

/**
 * Thrown in a tool's `run` to say the class of a failure. Any other error is `tool_failed`: transient, or
 * taken as ambiguous when the step's effect is `once`, since nobody knows how far the tool came.
 */
export class ToolError extends Error {
  readonly [TOOL_ERROR] = 1
  readonly class: FailureClass
  readonly code: FailureCode
  readonly retryAfterMs: number | undefined

  constructor(message: string, options: ToolErrorOptions) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'ToolError'
    const known = failureClassSchema.safeParse(options.class)
    if (!known.success) throw new TypeError(`ToolError: class is transient, permanent or ambiguous (of: ${message})`)
    const code = options.code ?? 'tool_failed'
    if (!Object.hasOwn(FAILURE_CODES, code)) throw new TypeError(`ToolError: unknown code ${code} (of: ${message})`)
    const wait = options.retryAfterMs
    if (wait !== undefined && !(wait >= 0 && wait <= MAX_DURATION_MS)) {
      throw new TypeError(`ToolError: retryAfterMs is milliseconds from 0 to ${MAX_DURATION_MS} (of: ${message})`)
    }
    this.class = known.data
    this.code = code
    this.retryAfterMs = wait === undefined ? undefined : Math.round(wait)
  }
}

/** True for a ToolError of any copy of this package. */
export const isToolError = (error: unknown): error is ToolError => error instanceof Error && TOOL_ERROR in error
