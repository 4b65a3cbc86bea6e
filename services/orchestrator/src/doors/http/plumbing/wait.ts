// Long polls: wait for a run to end, as long as the caller waits and the door is open.
import type { ServerResponse } from 'node:http'
import { hasEnded, parseDurationMs } from '@stepfleet/contracts'
import type { RunHead } from '../../../store/port.ts'

const FIRST_POLL_MS = 15
const LAST_POLL_MS = 250

/** Resolves after `ms`, or at once when the signal is aborted. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })

/**
 * The head as it is when the run has ended, or `waitMs` have passed, or the signal is aborted: whichever is
 * first. `read` throws when there is no such run.
 */
export const waitForEnd = async (
  read: () => Promise<RunHead>,
  waitMs: number,
  signal: AbortSignal,
): Promise<RunHead> => {
  const endMs = performance.now() + waitMs
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 1.5, LAST_POLL_MS)) {
    const head = await read()
    const leftMs = endMs - performance.now()
    if (hasEnded(head.status) || leftMs <= 0 || signal.aborted) return head
    await pause(Math.min(pollMs, leftMs), signal)
  }
}

/** Milliseconds of a `?wait=` that its schema let through; 0 without one. */
export const waitMsOf = (wait: string | undefined): number => (wait === undefined ? 0 : (parseDurationMs(wait) ?? 0))

/**
 * Aborted when the caller has gone or the door closes: nobody is left to wait for. (A request "closes" as soon as
 * its body is read, so it is the response that tells.)
 */
export const patience = (response: ServerResponse, closing: AbortSignal): AbortSignal => {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  return AbortSignal.any([gone.signal, closing])
}
