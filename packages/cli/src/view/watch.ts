// Follows a run until it ends: asks for its view again and again, and keeps going while the API is away.
import type { Client } from '@stepfleet/client'
import { StepfleetError } from '@stepfleet/client'
import { hasEnded, type RunView } from '@stepfleet/contracts'
import type { Screen } from './screen.ts'
import { progressLines, renderTree } from './tree.ts'

export interface WatchOptions {
  screen: Screen
  color: boolean
  signal: AbortSignal
  /** Called with each new view, before it is drawn. */
  onView?: (run: RunView) => void
  /** Default 200. */
  everyMs?: number
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })

const isAway = (error: unknown): boolean =>
  error instanceof StepfleetError && (error.code === 'unreachable' || error.status >= 500)

/** The last view seen: of an ended run, or, when the signal aborts, of one that still goes on (null: none was seen). */
export const watchRun = async (client: Client, id: string, options: WatchOptions): Promise<RunView | null> => {
  const { screen, signal } = options
  let last: RunView | null = null
  let away = false
  while (!signal.aborted) {
    try {
      const run = await client.run(id)
      away = false
      options.onView?.(run)
      show(run, last, options)
      last = run
      if (hasEnded(run.status)) break
    } catch (error) {
      if (!isAway(error)) throw error
      if (!away) screen.print('the API does not answer; the run goes on, trying again')
      away = true
    }
    await pause(options.everyMs ?? 200, signal)
  }
  screen.release()
  return last
}

const show = (run: RunView, last: RunView | null, { screen, color }: WatchOptions): void => {
  if (!screen.live) {
    for (const text of progressLines(last, run)) screen.print(text)
    return
  }
  const ended = hasEnded(run.status)
  // what is left standing may be longer than the screen
  const rows = ended ? 1_000 : screen.rows
  screen.draw(renderTree(run, { width: screen.width, rows, color, nowMs: Date.now() }))
}
