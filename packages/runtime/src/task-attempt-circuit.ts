// What an attempt says to the circuit of its dependency, and what a circuit's refusal makes of it.
import type { Failure } from '@stepfleet/contracts'
import type { Blame } from './circuits/call.ts'
import type { CircuitOpen } from './circuits/circuit-open.ts'
import { type AbortCause, abortFailure, type Ending, type Result } from './task-worker-conclude.ts'
import type { TaskHandler } from './task-worker-handler.ts'

/** How the handler's call ended. */
export interface Settled {
  ending: Ending
  /** Why it had been aborted when it ended; null: it had not. */
  cause: AbortCause | null
}

/** Tells a circuit that a call through it was no success. */
export class EndedBadly extends Error {
  readonly settled: Settled

  constructor(settled: Settled) {
    super('the attempt did not end well')
    this.settled = settled
  }
}

export type Release = Extract<Result, { status: 'released' }>

/** The task goes back, unspent. */
export const refusedBy = ({ message, retryAfterMs, dependency }: CircuitOpen): Omit<Release, 'status'> => ({
  reason: 'circuit_open',
  why: message,
  retryAfterMs,
  dependency: dependency.slice(0, 300),
})

/** What an attempt's error says of its dependency. For the breakers. */
export const blameOf = (handler: TaskHandler): ((error: unknown) => Blame) => {
  const judge = (given: Failure): Blame => (handler.countsAgainstDependency(given) ? 'dependency' : 'caller')
  return (error) => {
    if (!(error instanceof EndedBadly)) return 'nobody'
    const { ending, cause } = error.settled
    if (cause === 'timeout') return judge(abortFailure('timeout', 0))
    return cause === null && ending.status === 'failed' ? judge(ending.failure) : 'nobody'
  }
}

/** A word for what `blameOf` finds: `529`, `timeout`. */
export const labelOf = (error: unknown): string => {
  if (!(error instanceof EndedBadly)) return 'failed'
  const { ending, cause } = error.settled
  if (cause !== null || ending.status !== 'failed') return cause ?? ending.status
  return String(ending.failure.http ?? ending.failure.code)
}
