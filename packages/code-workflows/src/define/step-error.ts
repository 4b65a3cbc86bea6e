// StepError: what the promise of a step rejects with when the step has failed for good.
import type { Failure } from '@stepfleet/contracts'

/** The same symbol in every copy of this package. */
const STEP_ERROR: unique symbol = Symbol.for('stepfleet.stepError')

/** A step of a code workflow failed, and nothing more is tried. Not caught, it fails the run with this very failure. */
export class StepError extends Error {
  readonly [STEP_ERROR] = 1
  /** Name of the step. */
  readonly step: string
  readonly code: Failure['code']
  readonly class: Failure['class']
  /** All that is known of it. */
  readonly failure: Failure

  constructor(step: string, failure: Failure) {
    super(failure.message)
    this.name = 'StepError'
    this.step = step
    this.code = failure.code
    this.class = failure.class
    this.failure = failure
  }
}

/** True for a StepError of any copy of this package. */
export const isStepError = (error: unknown): error is StepError => error instanceof Error && STEP_ERROR in error
