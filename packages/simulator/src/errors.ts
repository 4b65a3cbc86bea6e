// Errors of the simulator: what is wrong with what it was given, and what it found wrong with itself.
import type { ProblemError } from '@stepfleet/contracts'

const listed = (what: string, problems: readonly ProblemError[]): string =>
  [`${what}:`, ...problems.map(({ path, message }) => `  ${path === '' ? '' : `${path}: `}${message}`)].join('\n')

/** The definition, or one of `workflows`, is not valid. All problems at once. */
export class InvalidDefinition extends Error {
  readonly problems: readonly ProblemError[]

  constructor(problems: readonly ProblemError[]) {
    super(listed('the definition is not valid', problems))
    this.name = 'InvalidDefinition'
    this.problems = problems
  }
}

/** `input` does not fit the definition's `input` schema. */
export class InvalidInput extends Error {
  readonly problems: readonly ProblemError[]

  constructor(problems: readonly ProblemError[]) {
    super(listed('the input does not fit', problems))
    this.name = 'InvalidInput'
    this.problems = problems
  }
}

/** An option names a step that is not there, or cannot mean anything. */
export class InvalidOptions extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'InvalidOptions'
  }
}

/** The workflow made more events than `maxEvents`: most likely it never ends. */
export class TooManyEvents extends Error {
  constructor(maxEvents: number, busiest: string) {
    super(`more than ${maxEvents} events; most of them are of ${busiest}. Raise maxEvents if that is meant`)
    this.name = 'TooManyEvents'
  }
}

/** A history that the engine must never make: a bug of Stepfleet, not of the workflow. */
export class BrokenHistory extends Error {
  constructor(message: string) {
    super(`a bug of the engine, please report it: ${message}`)
    this.name = 'BrokenHistory'
  }
}
