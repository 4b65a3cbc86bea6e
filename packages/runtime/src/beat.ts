// The sign of life of a worker: a counter in Redis that a thread of its own counts up.
import { Worker } from 'node:worker_threads'
import { FLEET } from '@stepfleet/contracts'
import type { RedisSettings } from './config.ts'
import type { Logger } from './logger.ts'

/** A worker is lost when its counter stands still for one lease (1 s): five beats. */
export const BEAT_EVERY_MS = 200
/** A thread that died is replaced after this long: well within a lease. */
const RESPAWN_MS = 100
const STOP_LIMIT_MS = 1_000

/** What the thread is given. Strings and numbers only: it imports nothing of ours. */
export interface BeatData {
  url: string
  cluster: boolean
  key: string
  worker: string
  everyMs: number
}

/** What the thread tells. */
export type BeatNews = { type: 'beating' } | { type: 'failing'; why: string }

export interface Beat {
  /**
   * Resolves when Redis has taken the first beat: before that no claim may be made, it would look abandoned. Rejects
   * when the thread fails before it.
   */
  first: Promise<void>
  /** Ends the thread; when it resolves no further beat can arrive. */
  stop(): Promise<void>
}

// A thread is loaded by file. From sources (tests, tsx) node itself would have to load a .ts file, which Node 20 does
// not do, so the built file next door is taken: it needs `tsc -b` once.
const THREAD = new URL(import.meta.url.endsWith('.ts') ? '../dist/beat-thread.js' : './beat-thread.js', import.meta.url)

const spawn = (data: BeatData, onNews: (news: BeatNews) => void): Worker => {
  // execArgv []: the telemetry preload of this process is not for the thread, it would trace five beats a second
  const thread = new Worker(THREAD, { workerData: data, execArgv: [], name: 'stepfleet-beat' })
  thread.on('message', onNews)
  // nothing is kept alive by a sign of life
  thread.unref()
  return thread
}

const ended = (thread: Worker): Promise<void> =>
  new Promise((resolve) => {
    thread.once('exit', () => resolve())
  })

export const startBeat = (options: { settings: RedisSettings; worker: string; logger: Logger }): Beat => {
  const { settings, worker, logger } = options
  const data: BeatData = {
    url: settings.STEPFLEET_REDIS_URL,
    cluster: settings.STEPFLEET_REDIS_CLUSTER,
    key: FLEET.beats,
    worker,
    everyMs: BEAT_EVERY_MS,
  }
  let stopping = false
  let respawn: NodeJS.Timeout | undefined
  let onFirst = (): void => {}
  let onNoFirst = (_error: unknown): void => {}
  const first = new Promise<void>((resolve, reject) => {
    onFirst = resolve
    onNoFirst = reject
  })
  // whoever waits for it gets the error; nobody may
  first.catch(() => undefined)

  const onNews = (news: BeatNews): void => {
    if (news.type === 'failing') {
      logger.warn({ why: news.why }, 'beat does not reach redis')
      return
    }
    onFirst()
    logger.debug('beating')
  }
  const start = (): Worker => {
    const made = spawn(data, onNews)
    made.on('error', (error) => {
      logger.error({ err: error }, 'beat thread failed')
      onNoFirst(error)
    })
    made.on('exit', () => {
      if (stopping) return
      respawn = setTimeout(() => {
        thread = start()
      }, RESPAWN_MS)
    })
    return made
  }
  let thread = start()

  const stop = async (): Promise<void> => {
    stopping = true
    clearTimeout(respawn)
    const gone = ended(thread)
    // -1 once it has ended
    if (thread.threadId === -1) return
    thread.ref()
    thread.postMessage('stop')
    const limit = setTimeout(() => void thread.terminate(), STOP_LIMIT_MS)
    await gone
    clearTimeout(limit)
  }
  return { first, stop }
}
