// Waiting that an abort ends: for a promise, for a while, for Redis to take a call.
import type { Logger } from './logger.ts'

/** The promise's value, or null when the signal is aborted first; what the promise does later is ignored. */
export const unlessAborted = <T>(promise: Promise<T>, signal: AbortSignal): Promise<{ value: T } | null> =>
  new Promise((resolve, reject) => {
    const onAbort = (): void => resolve(null)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then((value) => resolve({ value }), reject).finally(() => signal.removeEventListener('abort', onAbort))
  })

/** Ends after `ms`, or at the abort. */
export const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await unlessAborted(over, signal)
  clearTimeout(timer)
}

/** Starts when the signal is aborted, resolves `ms` later. `cancel` when nobody waits any more. */
export const afterAbort = (signal: AbortSignal, ms: number): { over: Promise<void>; cancel: () => void } => {
  let timer: NodeJS.Timeout | undefined
  let onAbort = (): void => {}
  const over = new Promise<void>((resolve) => {
    onAbort = () => {
      timer = setTimeout(resolve, ms)
    }
  })
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  const cancel = (): void => {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
  return { over, cancel }
}

const RETRY_FROM_MS = 200
const RETRY_TO_MS = 2_000

export interface Insistence {
  what: string
  signal: AbortSignal
  logger: Logger
  /** Calls made at most; the last one's error is thrown. Without it there is no end but the abort. */
  tries?: number
}

/** Calls until Redis takes it; null when aborted first. For calls that recognise a repeat. */
export const insist = async <T>(options: Insistence, call: () => Promise<T>): Promise<{ value: T } | null> => {
  const { what, signal, logger, tries = Number.POSITIVE_INFINITY } = options
  let waitMs = RETRY_FROM_MS
  for (let tried = 1; !signal.aborted; tried += 1) {
    try {
      return await unlessAborted(call(), signal)
    } catch (error) {
      if (tried >= tries) throw error
      logger.warn({ err: error, what, tried }, 'redis refused a call: trying again')
    }
    await pause(waitMs, signal)
    waitMs = Math.min(waitMs * 2, RETRY_TO_MS)
  }
  return null
}
