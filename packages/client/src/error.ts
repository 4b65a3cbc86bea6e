// The one error of the client: what the server said was wrong, or that no server answered.
import type { Problem } from '@stepfleet/contracts'

export class StepfleetError extends Error {
  override readonly name = 'StepfleetError'
  /**
   * RFC 9457 problem details as the server gave them. `code` is stable; besides the codes of the API there are
   * `unreachable` (status 0: no answer) and `unexpected_answer` (not ours: a proxy, another server).
   */
  readonly problem: Problem

  constructor(problem: Problem, options?: ErrorOptions) {
    super(describe(problem), options)
    this.problem = problem
  }

  get code(): string {
    return this.problem.code
  }

  get status(): number {
    return this.problem.status
  }
}

const describe = (problem: Problem): string => {
  const first = problem.detail ? `${problem.title}: ${problem.detail}` : problem.title
  const errors = (problem.errors ?? []).map((error) => {
    const place = error.path ? `${error.path}: ` : ''
    return `  ${place}${error.message}${error.suggestion ? ` (${error.suggestion})` : ''}`
  })
  return [`${first} [${problem.code}]`, ...errors].join('\n')
}

/** A problem made here, not by the server. */
export const localProblem = (code: 'unreachable' | 'unexpected_answer', status: number, title: string): Problem => ({
  type: `https://stepfleet.dev/problems/${code}`,
  title,
  status,
  code,
})
