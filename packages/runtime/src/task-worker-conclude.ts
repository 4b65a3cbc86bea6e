// The rules that turn how a handler ended into what is reported. Pure.
import { type Effect, type Failure, failure, type Json, type Outcome, type Usage } from '@stepfleet/contracts'

/** Why an attempt was told to stop. */
export type AbortCause = 'timeout' | 'cancelled' | 'drain'

/** How the handler's call ended. `none`: it was not called, or did not end within the grace time of its abort. */
export type Ending =
  | { status: 'done'; output: Json; usage: Usage | undefined }
  | { status: 'failed'; failure: Failure; usage: Usage | undefined }
  | { status: 'none' }

export interface Ended {
  ending: Ending
  /** null: it ended by itself. */
  cause: AbortCause | null
  effect: Effect
  /** The handler of a `once` task was called: its effect may have happened. */
  begun: boolean
  timeoutMs: number
}

/** A result to report, its output not yet made a payload. */
export type Result = Outcome['result']

/** What a signal's `reason` is, per cause. */
export const abortFailure = (cause: AbortCause, timeoutMs: number): Failure => {
  switch (cause) {
    case 'timeout':
      return failure('timeout', `no result within ${timeoutMs} ms`)
    case 'cancelled':
      return failure('cancelled', 'the attempt is no longer wanted')
    case 'drain':
      return failure('worker_lost', 'the worker is being stopped')
  }
}

const isMarked = ({ details }: Failure, mark: 'notSent' | 'answered'): boolean =>
  typeof details === 'object' && details !== null && !Array.isArray(details) && details[mark] === true

const notSent = (given: Failure): boolean => isMarked(given, 'notSent')

/** The other side did it and said so; only what it said cannot be taken. */
const isAnswered = (given: Failure): boolean => given.code === 'tool_output_invalid' || isMarked(given, 'answered')

/**
 * The one rule of ambiguity: when a `once` task that has begun fails in a way that a repeat might mend (time-out,
 * connection lost, worker stopped), nobody knows whether its effect happened, so it must never be repeated, nor done in
 * another way. The same holds where it was answered, and the answer is of no use. Failures that say themselves that
 * nothing was sent, and other permanent ones (the other side refused), stay what they are.
 */
export const asAmbiguous = (given: Failure, effect: Effect, begun: boolean): Failure => {
  const isOpen = isAnswered(given) || (given.class === 'transient' && !notSent(given))
  if (effect !== 'once' || !begun || !isOpen) return given
  const { code, http, details } = given
  return failure('outcome_unknown', `the effect may have happened: ${given.message}`, {
    ...(http === undefined ? {} : { http }),
    details: { cause: code, ...(details === undefined ? {} : { details }) },
  })
}

const failed = (given: Failure, ended: Ended): Result => ({
  status: 'failed',
  failure: asAmbiguous(given, ended.effect, ended.begun),
})

const drained = (ended: Ended): Result => {
  // a handler that was stopped before it sent anything says so; its task can be handed back like any other
  const why = ended.ending.status === 'failed' && notSent(ended.ending.failure) ? ended.ending.failure : null
  const verdict = asAmbiguous(why ?? abortFailure('drain', ended.timeoutMs), ended.effect, ended.begun)
  return verdict.class === 'ambiguous'
    ? { status: 'failed', failure: verdict }
    : { status: 'released', reason: 'draining', why: 'worker draining', retryAfterMs: 0 }
}

/**
 * What to report; null: nothing. A `done` counts whatever came in between: it was paid for, and whoever answers
 * first wins. A cancelled attempt has nobody left to report a failure to.
 */
export const conclude = (ended: Ended): Result | null => {
  const { ending, cause } = ended
  if (ending.status === 'done') return { status: 'done', output: { value: ending.output } }
  switch (cause) {
    case 'cancelled':
      return null
    case 'drain':
      return drained(ended)
    case 'timeout':
      return failed(abortFailure('timeout', ended.timeoutMs), ended)
    case null:
      return ending.status === 'failed' ? failed(ending.failure, ended) : null
  }
}
