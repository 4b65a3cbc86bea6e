// The queue door: the engine's notices become cases.
import { escalationNoticeSchema } from '@stepfleet/contracts'
import { attributes, type Logger, withLogContext, withSpan } from '@stepfleet/runtime'
import type { CaseStore } from '../store/port.ts'

const FIRST_PAUSE_MS = 50
const LAST_PAUSE_MS = 5_000

const pause = (ms: number, stopping: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      stopping.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    stopping.addEventListener('abort', done, { once: true })
  })

export interface NoticeOptions {
  store: CaseStore
  logger: Logger
  stopping: AbortSignal
}

/**
 * The handler of the `escalations` queue. A job whose handler fails is gone, so it tries for as long as it takes (Redis
 * full, read-only or away). At a stop it does not end either: an unfinished job is delivered again.
 */
export const createNoticeHandler = ({ store, logger, stopping }: NoticeOptions) => {
  const put = async (data: unknown, id: string): Promise<void> => {
    const parsed = escalationNoticeSchema.safeParse(data)
    if (!parsed.success) {
      logger.error({ job: id, issues: parsed.error.issues.slice(0, 5) }, 'not an escalation notice: dropped')
      return
    }
    const notice = parsed.data
    const labels = { ...attributes.run(notice.ns, notice.run), ...attributes.escalation(notice.case) }
    const write = async (): Promise<void> => {
      for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS)) {
        try {
          await store.put(notice)
          logger.info({ case: notice.case, notice: notice.type }, 'notice taken')
          return
        } catch (error) {
          logger.warn({ err: error, case: notice.case }, 'notice not stored yet')
          await pause(pauseMs, stopping)
        }
        if (stopping.aborted) return new Promise(() => {})
      }
    }
    await withLogContext({ run: notice.run, step: notice.path }, () =>
      withSpan('escalation notice', { carrier: notice.trace, attributes: labels }, write),
    )
  }
  return (job: { id: string; data: unknown }): Promise<void> => put(job.data, job.id)
}
