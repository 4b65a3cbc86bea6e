// The end of a process: everything that was started stops in reverse order, logged, within a limit.
import type { Logger } from './logger.ts'

export interface Lifecycle {
  /** `fn` runs at stop, after everything registered later has stopped. */
  onStop(name: string, fn: () => Promise<void>): void
  /** Aborted when the stop begins. */
  readonly stopping: AbortSignal
  /** Stops once; further calls wait for the same stop. Never rejects: a part that fails is logged and the rest goes on. */
  stop(): Promise<void>
  /** SIGTERM and SIGINT stop the process: exit code 0, or 1 on a failed part, the limit, or a second signal. */
  listen(): void
}

export interface LifecycleOptions {
  /** All parts together, milliseconds. */
  limitMs?: number
  /** For tests. */
  exit?: (code: number) => void
}

interface Part {
  name: string
  fn: () => Promise<void>
}

const stopPart = async (part: Part, logger: Logger): Promise<boolean> => {
  const startedAtMs = performance.now()
  const ms = () => Math.round(performance.now() - startedAtMs)
  try {
    await part.fn()
    logger.info({ part: part.name, ms: ms() }, 'stopped')
    return true
  } catch (error) {
    logger.error({ part: part.name, ms: ms(), err: error }, 'failed to stop')
    return false
  }
}

export const createLifecycle = (logger: Logger, options: LifecycleOptions = {}): Lifecycle => {
  const { limitMs = 35_000, exit = (code: number) => process.exit(code) } = options
  const parts: Part[] = []
  const controller = new AbortController()
  let ending: Promise<void> | null = null
  let failed = false
  let current = ''

  const stopAll = async (): Promise<void> => {
    controller.abort()
    // popped, so that a part registered by a start that was still under way is stopped too
    for (let part = parts.pop(); part; part = parts.pop()) {
      current = part.name
      if (!(await stopPart(part, logger))) failed = true
    }
  }

  const stop = (): Promise<void> => {
    ending ??= stopAll()
    return ending
  }

  const onSignal = (signal: string): void => {
    if (ending) {
      logger.warn({ signal, part: current }, 'second signal: leaving at once')
      exit(1)
      return
    }
    logger.info({ signal }, 'stopping')
    const limit = setTimeout(() => {
      logger.error({ limitMs, part: current }, 'stop took too long: leaving')
      exit(1)
    }, limitMs)
    void stop().then(() => {
      clearTimeout(limit)
      exit(failed ? 1 : 0)
    })
  }

  return {
    onStop: (name, fn) => {
      parts.push({ name, fn })
    },
    stopping: controller.signal,
    stop,
    listen: () => {
      process.on('SIGTERM', onSignal)
      process.on('SIGINT', onSignal)
    },
  }
}
