// The refusal of a circuit.

/** The circuit refused the call; the action was not called. `message` is for a person. */
export class CircuitOpen extends Error {
  readonly dependency: string
  readonly retryAfterMs: number

  constructor(dependency: string, retryAfterMs: number, why: string) {
    super(why)
    this.name = 'CircuitOpen'
    this.dependency = dependency
    this.retryAfterMs = retryAfterMs
  }
}

/** A time of day in UTC, since those who read it may be anywhere: `12:03:04Z`. */
export const clock = (atMs: number): string => `${new Date(atMs).toISOString().slice(11, 19)}Z`
