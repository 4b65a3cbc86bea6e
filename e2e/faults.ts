// Faults with a moment of their own: a link frozen right behind one request, and faults that last for a while.
import type { FaultProxy } from '@stepfleet/testkit'
import { eventually } from './patience.ts'

/**
 * Freezes a link right behind the first request that holds `text`: the request arrives, its reply and everything
 * after it do not. Resolves when that has happened. Opens the moment between two steps of a process for a kill.
 */
export const freezeBehind = (link: FaultProxy, text: string): Promise<void> =>
  new Promise((resolve) => {
    link.dropReplies((request) => {
      if (request.includes(text)) {
        link.pause()
        resolve()
      }
      return false
    })
  })

/** The length of a fault is a part of it; nothing is waited for here. */
export const lasting = async (ms: number): Promise<void> => {
  const untilMs = performance.now() + ms
  await eventually(() => performance.now() >= untilMs, { timeoutMs: ms + 5_000, everyMs: 20 })
}
