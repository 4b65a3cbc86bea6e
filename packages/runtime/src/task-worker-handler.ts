// What a service gives the worker runtime: the handler of its tasks.
import type { Failure, Json, Task, Usage } from '@stepfleet/contracts'
import type { RunRecord } from './claims-port.ts'
import type { Logger } from './logger.ts'

/** Thrown by a handler that knows what its failure is; `usage` is what the failed call cost all the same. */
export class TaskFailure extends Error {
  readonly failure: Failure
  readonly usage: Usage | undefined

  constructor(failure: Failure, usage?: Usage) {
    super(failure.message)
    this.name = 'TaskFailure'
    this.failure = failure
    this.usage = usage
  }
}

export interface TaskContext {
  task: Task
  /** Resolved (no blob), not yet parsed. */
  input: Json
  /**
   * Of this attempt alone. Aborted at its time-out, when it was cancelled, and when a draining worker's grace time is
   * over; `signal.reason` is a Failure. A handler that still answers within 5 s is heard; a later one only as `late`.
   */
  signal: AbortSignal
  attempt: number
  /** The idempotency key for the other side: the same for every attempt and delivery. */
  effectKey: string
  log: Logger
  record: RunRecord
}

export interface TaskResult {
  output: Json
  usage?: Usage | undefined
}

export interface TaskHandler {
  /** Name of the circuit breaker, `anthropic/claude-…` or `http:host`; null: none. Must not fail for odd input. */
  dependency(task: Task, input: Json): string | null
  /** One attempt. Throws TaskFailure, or anything that `classify` understands. */
  run(context: TaskContext): Promise<TaskResult>
  /**
   * The one place where a worker turns what was thrown into a failure. A transient failure of a `once` task counts as
   * ambiguous (its effect may have happened) unless `details.notSent` is true: set it when the request surely did
   * not take effect, as for a refused connection or a 429. `details.answered`: it surely did, only its answer cannot be
   * taken; then a permanent failure is ambiguous, too.
   */
  classify(error: unknown, context: TaskContext): Failure
  /** A caller's own mistake (a 4xx) must answer false: it would open the circuit for everybody. */
  countsAgainstDependency(failure: Failure): boolean
}
