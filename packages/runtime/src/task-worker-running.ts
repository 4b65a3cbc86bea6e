// The attempts that run in this worker now, each with its abort; and the fleet-wide cancel that watches them.
import { type Task, taskId } from '@stepfleet/contracts'
import type { Claims } from './claims-port.ts'
import type { Logger } from './logger.ts'
import { type AbortCause, abortFailure } from './task-worker-conclude.ts'

export class RunningTask {
  readonly task: Task
  readonly id: string
  readonly #controller = new AbortController()
  #cause: AbortCause | null = null
  #claimedMs: number | null = null
  #timer: NodeJS.Timeout | undefined

  constructor(task: Task) {
    this.task = task
    this.id = taskId(task)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Why it was aborted; null: it was not. */
  get cause(): AbortCause | null {
    return this.#cause
  }

  /** Since the claim was granted; 0 before. */
  get ageMs(): number {
    return this.#claimedMs === null ? 0 : performance.now() - this.#claimedMs
  }

  /** The claim was granted: the time-out counts from here. */
  claimed(): void {
    this.#claimedMs = performance.now()
    // a longer timer than 2^31 - 1 ms (24 days) would fire at once
    this.#timer = setTimeout(() => this.abort('timeout'), Math.min(this.task.timeoutMs, 2 ** 31 - 1))
  }

  /** The first cause stays. */
  abort(cause: AbortCause): void {
    if (this.#cause !== null) return
    this.#cause = cause
    clearTimeout(this.#timer)
    this.#controller.abort(abortFailure(cause, this.task.timeoutMs))
  }

  ended(): void {
    clearTimeout(this.#timer)
  }
}

export interface RunningTasks {
  add(task: Task): RunningTask
  remove(task: RunningTask): void
  list(): RunningTask[]
  /** Resolves true when none runs, false when `limitMs` is over first. */
  idle(limitMs: number): Promise<boolean>
}

export const createRunningTasks = (onChange: () => void): RunningTasks => {
  // by object, not by id: a job delivered twice is here twice until one claim is refused
  const running = new Set<RunningTask>()
  const waiting = new Set<() => void>()
  return {
    add: (task) => {
      const made = new RunningTask(task)
      running.add(made)
      onChange()
      return made
    },
    remove: (task) => {
      task.ended()
      running.delete(task)
      if (running.size === 0) for (const tell of [...waiting]) tell()
      onChange()
    },
    list: () => [...running],
    idle: (limitMs) =>
      new Promise((resolve) => {
        if (running.size === 0) {
          resolve(true)
          return
        }
        const end = (idle: boolean) => (): void => {
          clearTimeout(limit)
          waiting.delete(tell)
          resolve(idle)
        }
        const tell = end(true)
        const limit = setTimeout(end(false), limitMs)
        waiting.add(tell)
      }),
  }
}

/** With the round trip, a cancel reaches the handler within a second. */
const LOOK_EVERY_MS = 250

/** Every 500 ms asks once for all attempts older than that whether they are still out, and aborts those that are not. */
export const watchCancelled = (running: RunningTasks, claims: Claims, logger: Logger): { stop(): void } => {
  let asking = false
  const look = async (): Promise<void> => {
    // younger ones were granted a moment ago
    const tasks = running.list().filter((task) => task.ageMs >= LOOK_EVERY_MS && task.cause === null)
    if (asking || tasks.length === 0) return
    asking = true
    try {
      const answers = await claims.stillOut(tasks.map(({ task }) => task))
      for (const [index, task] of tasks.entries()) {
        if (answers[index] !== false) continue
        logger.info({ task: task.id }, 'no longer out: aborted')
        task.abort('cancelled')
      }
    } catch (error) {
      logger.debug({ err: error }, 'looking for cancelled tasks failed')
    } finally {
      asking = false
    }
  }
  const timer = setInterval(() => void look(), LOOK_EVERY_MS)
  return { stop: () => clearInterval(timer) }
}
