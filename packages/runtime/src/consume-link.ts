// What the fetch loop needs of one BullMQ queue: two connections (one of them blocking) and its scripts.
import { queuePrefix } from '@stepfleet/contracts'
import { Job, type JobJson, Worker } from 'bullmq'
import type { RedisSettings } from './config.ts'
import type { Logger } from './logger.ts'
import { closeRedis, connectRedis, type RedisClient } from './redis.ts'

/** A job as it was taken; `data` is still JSON text. */
export interface TakenJob {
  id: string
  data: string
  /** Lock token. */
  token: string
}

/** How long a wait for work blocks. Also the longest that a job lies when its wake-up was lost on the wire. */
const BLOCK_SECONDS = 2

const JOB_OPTIONS = { attempts: 1, removeOnComplete: true, removeOnFail: true }

const workerOptions = (client: RedisClient, queue: string, lockMs: number) => ({
  connection: client,
  prefix: queuePrefix(queue),
  autorun: false,
  lockDuration: lockMs,
  stalledInterval: Math.ceil(lockMs / 3),
  // BullMQ must never fail a job for us: it would do so without telling the engine
  maxStalledCount: 1_000_000,
})

const takenOf = (reply: unknown, token: string): TakenJob | null => {
  if (!Array.isArray(reply)) return null
  const [json, id] = reply as [JobJson | null, string | 0]
  return json && typeof id === 'string' ? { id, data: json.data, token } : null
}

/** BullMQ refused for good (job gone, lock gone or someone else's), as opposed to a call that did not get through. */
export const isVerdict = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'number'

export class QueueLink {
  readonly client: RedisClient
  readonly #worker: Worker

  readonly #lockMs: number

  constructor(settings: RedisSettings, queue: string, lockMs: number, logger: Logger) {
    this.#lockMs = lockMs
    this.client = connectRedis(settings, { name: `stepfleet-consumer:${queue}`, logger })
    // a Worker without a processor runs nothing of its own: it holds the connections and the options
    this.#worker = new Worker(queue, null, workerOptions(this.client, queue, lockMs))
    this.#worker.on('error', (error) => logger.debug({ queue, err: error }, 'queue connection error'))
  }

  async fetch(token: string): Promise<TakenJob | null> {
    return takenOf(await this.#worker.getBackend().moveToActive(token), token)
  }

  /** Resolves when a job may be there, and after 2 s in any case. */
  async waitForWork(): Promise<void> {
    await this.#worker.getBackend().waitForJob(BLOCK_SECONDS)
  }

  /** Ends a job, removed either way, and brings the next one in the same script if asked to. */
  async finish(job: TakenJob, error: Error | null, fetchNext: boolean): Promise<TakenJob | null> {
    const bull = new Job(this.#worker, 'task', null, JOB_OPTIONS, job.id)
    const reply =
      error === null
        ? await bull.moveToCompleted(null, job.token, fetchNext)
        : await bull.moveToFailed(error, job.token, fetchNext)
    return takenOf(reply, job.token)
  }

  async giveBack(job: { id: string; token: string }): Promise<void> {
    await this.#worker.getBackend().moveJobFromActiveToWait(job.id, job.token)
  }

  /** Ids whose lock could not be renewed. */
  renew(jobs: readonly TakenJob[]): Promise<string[]> {
    const ids = jobs.map((job) => job.id)
    const tokens = jobs.map((job) => job.token)
    return this.#worker.extendJobLocks(ids, tokens, this.#lockMs)
  }

  /**
   * Jobs taken under a token that begins with `prefix`, but for those that `known` tells. Read it as a suspicion: the
   * reply that brings such a job may be on its way.
   */
  async takenUnknown(prefix: string, known: (id: string) => boolean): Promise<{ id: string; token: string }[]> {
    const ids = (await this.client.lrange(this.#worker.toKey('active'), 0, -1)).filter((id) => !known(id))
    if (ids.length === 0) return []
    const locks = await this.client.mget(ids.map((id) => this.#worker.toKey(`${id}:lock`)))
    return ids.flatMap((id, at) => {
      const token = locks[at]
      return token?.startsWith(prefix) && !known(id) ? [{ id, token }] : []
    })
  }

  /** Sends jobs whose lock ran out once more. Any consumer may; BullMQ lets one through per interval. */
  async requeueStalled(): Promise<void> {
    await this.#worker.getBackend().moveStalledJobsToWait()
  }

  /** Ends a wait for work at once. */
  async interrupt(): Promise<void> {
    await this.#worker.getBackend().disconnectBlocking(false)
  }

  /** Never rejects, and never waits for a Redis that is away: calls in flight then reject. */
  async close(): Promise<void> {
    await this.#worker.close(true).catch(() => undefined)
    await closeRedis(this.client)
  }
}
