// The worker runtime shared by llm-worker and tool-worker: takes tasks, makes one attempt of each, reports.
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { FLEET, isSuspectQueue, type TaskKind, type ToolManifest, type WorkerInfo } from '@stepfleet/contracts'
import { type Beat, startBeat } from './beat.ts'
import { createFleetBreakers, type FleetBreakers, type FleetBreakersTuning } from './circuits/fleet-breakers.ts'
import { createClaims } from './claims.ts'
import type { Claims, RunRecord } from './claims-port.ts'
import type { RedisSettings } from './config.ts'
import { consume } from './consume.ts'
import type { Logger } from './logger.ts'
import { limitsOf, type ModelLimits } from './provider-limits/model-limits.ts'
import { createRedisProviderLimits } from './provider-limits/redis-provider-limits.ts'
import { createTokenEstimates } from './provider-limits/token-estimate.ts'
import { createPublisher, type Publisher } from './queue.ts'
import { closeRedis, connectRedis, type RedisClient } from './redis.ts'
import { createSpool, type Spool } from './spool.ts'
import { type AttemptPorts, runAttempt } from './task-attempt.ts'
import { blameOf, labelOf } from './task-attempt-circuit.ts'
import type { TaskHandler } from './task-worker-handler.ts'
import { type QueuesTuning, type ServedQueues, serveQueues } from './task-worker-queues.ts'
import { createRunningTasks, type RunningTasks, watchCancelled } from './task-worker-running.ts'
import { readTask, sendBy } from './task-worker-wire.ts'
import { createWorkerInfoPublisher, type WorkerInfoPublisher } from './worker-info.ts'

export { asAmbiguous } from './task-worker-conclude.ts'
export { type TaskContext, TaskFailure, type TaskHandler, type TaskResult } from './task-worker-handler.ts'

export interface WorkerTuning extends QueuesTuning, FleetBreakersTuning {
  /** How long a handler may still answer after its abort. */
  graceMs: number
  /** How long Redis may take to accept an outcome before it goes to disk. */
  answerMs: number
}

export interface TaskWorkerOptions {
  settings: RedisSettings
  logger: Logger
  service: WorkerInfo['service']
  version: string
  kind: TaskKind
  /** Queue names, or prefixes: then the queues of the fleet's list that start so, as they appear. */
  queues: readonly string[] | { prefixes: readonly string[] }
  /** Tasks run side by side, of each queue. */
  slots: number
  /** Where outcomes wait while Redis is away; survives the process. */
  spoolDir: string
  /** How long running tasks may go on at stop. */
  drainMs: number
  handler: TaskHandler
  /** Of the models it calls; absent: no limits of the fleet are asked. */
  modelLimits?: ModelLimits
  tools?: readonly ToolManifest[]
  /** For tests; the defaults are documented where they are used. */
  tuning?: Partial<WorkerTuning>
}

export interface TaskWorker {
  id: string
  /** Ready means consuming. */
  ready(): Promise<{ ready: boolean; why?: string }>
  /** Takes no more, lets running tasks end within the grace time, hands back the rest, leaves the fleet. Once. */
  stop(): Promise<void>
}

const GRACE_MS = 5_000
const ANSWER_MS = 2_000
/** A call that takes longer speaks against its dependency: half of the default time-out of its kind. */
const SLOW_CALL_MS: Record<TaskKind, number> = { llm: 300_000, tool: 30_000 }
/** A 429 pauses its queue, but never longer than this: one strange retry-after must not stop a model for an hour. */
/** At stop, for what must still be told to Redis. */
const LAST_WORDS_MS = 1_000

/** No `|`: the id is a part of `out` fields. */
const workerId = (service: string): string => {
  const host = hostname()
    .replaceAll(/[^A-Za-z0-9-]/g, '-')
    .slice(0, 60)
  return `${service}-${host}-${process.pid}-${randomBytes(3).toString('hex')}`
}

/** True when the promise was fulfilled within the limit. Never rejects. */
const within = async (promise: Promise<unknown>, limitMs: number): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs)
  })
  const done = promise.then(
    () => true,
    () => false,
  )
  const result = await Promise.race([done, limit])
  clearTimeout(timer)
  return result
}

class TaskRuntime implements TaskWorker {
  readonly id: string
  readonly #options: TaskWorkerOptions
  readonly #client: RedisClient
  /** Listens to the fleet's circuits. */
  readonly #subscriber: RedisClient
  readonly #claims: Claims & RunRecord
  readonly #publisher: Publisher
  readonly #spool: Spool
  readonly #running: RunningTasks
  readonly #breakers: FleetBreakers
  readonly #limits: AttemptPorts['limits']
  readonly #info: WorkerInfoPublisher
  readonly #startedAtMs = Date.now()
  #beat: Beat | null = null
  #queues: ServedQueues | null = null
  #cancels: { stop(): void } | null = null
  #draining = false
  #stopping: Promise<void> | null = null

  constructor(options: TaskWorkerOptions) {
    const { settings, logger, service, spoolDir, handler, tools = [], tuning = {} } = options
    this.#options = options
    this.id = workerId(service)
    this.#client = connectRedis(settings, { name: `stepfleet-${this.id}`, logger })
    this.#claims = createClaims(this.#client)
    this.#publisher = createPublisher(settings, logger)
    this.#spool = createSpool({
      dir: join(spoolDir, service),
      send: sendBy(this.#claims),
      logger,
      answerMs: tuning.answerMs ?? ANSWER_MS,
    })
    const info = () => this.#describe()
    this.#info = createWorkerInfoPublisher({ client: this.#client, id: this.id, info, tools, logger })
    this.#running = createRunningTasks(() => this.#info.changed())
    this.#subscriber = connectRedis(settings, { name: `stepfleet-${this.id}-circuits`, logger })
    this.#limits = options.modelLimits
      ? {
          limits: createRedisProviderLimits({ client: this.#client, limitsOf: limitsOf(options.modelLimits), logger }),
          estimates: createTokenEstimates(),
        }
      : null
    this.#breakers = createFleetBreakers({
      ...{ client: this.#client, subscriber: this.#subscriber, blame: blameOf(handler), label: labelOf, logger },
      onChange: () => this.#info.changed(),
      tuning: { slowCallMs: SLOW_CALL_MS[options.kind], ...tuning },
    })
  }

  async start(): Promise<void> {
    const { settings, logger, kind, queues, slots, tuning = {} } = this.#options
    await this.#spool.start()
    this.#beat = startBeat({ settings, worker: this.id, logger })
    await this.#beat.first
    await this.#breakers.start()
    await this.#info.start()
    this.#cancels = watchCancelled(this.#running, this.#claims, logger)
    this.#queues = serveQueues({
      kind,
      queues,
      known: () => this.#client.smembers(FLEET.queues),
      waiting: async (queue) => (await this.#publisher.depth(queue)).waiting,
      consume: (queue) =>
        consume(settings, {
          queue,
          slots: isSuspectQueue(queue) ? 1 : slots,
          handle: (job) => this.#handle(job, queue),
          logger,
        }),
      onChange: () => this.#info.changed(),
      logger,
      tuning,
    })
  }

  async ready(): Promise<{ ready: boolean; why?: string }> {
    if (this.#draining) return { ready: false, why: 'draining' }
    if (!this.#queues) return { ready: false, why: 'starting' }
    const why = this.#queues.why()
    return why === null ? { ready: true } : { ready: false, why }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#drain()
    return this.#stopping
  }

  /** Ends what was started, in whatever state. */
  async close(): Promise<void> {
    this.#cancels?.stop()
    this.#info.stop()
    await this.#beat?.stop()
    // otherwise the fleet hears of the end all the same: the beat stands still, and claims left are declared lost
    const handedBack = this.#running.list().length === 0
    if (handedBack && this.#client.status === 'ready') await within(this.#info.remove(), LAST_WORDS_MS)
    this.#breakers.stop()
    this.#limits?.limits.stop()
    this.#subscriber.disconnect()
    await within(this.#publisher.close(), LAST_WORDS_MS)
    await within(closeRedis(this.#client), LAST_WORDS_MS)
    // a connection that did not even answer a QUIT would keep the process
    this.#client.disconnect()
  }

  async #drain(): Promise<void> {
    const { drainMs, logger } = this.#options
    this.#draining = true
    this.#info.changed()
    const taken = this.#queues?.stop() ?? Promise.resolve()
    if (!(await this.#running.idle(drainMs))) await this.#abortAll()
    // ends of jobs: those that do not get through are finished as no-ops by whoever gets them next
    const [finished] = await Promise.all([within(taken, 3 * LAST_WORDS_MS), this.#spool.stop(LAST_WORDS_MS)])
    if (!finished) logger.warn('some jobs could not be finished')
    await this.close()
  }

  async #abortAll(): Promise<void> {
    const { logger, tuning = {} } = this.#options
    const left = this.#running.list()
    logger.warn({ tasks: left.map(({ id }) => id) }, 'grace time is over: aborting')
    for (const task of left) task.abort('drain')
    const limitMs = (tuning.graceMs ?? GRACE_MS) + (tuning.answerMs ?? ANSWER_MS) + LAST_WORDS_MS
    if (await this.#running.idle(limitMs)) return
    logger.error({ tasks: this.#running.list().map(({ id }) => id) }, 'tasks did not end')
  }

  async #handle(job: { id: string; data: unknown }, queue: string): Promise<void> {
    const { kind, logger } = this.#options
    const task = readTask(job, kind, logger)
    if (!task) return
    await runAttempt(this.#ports(), task, queue)
  }

  #ports(): AttemptPorts {
    const { handler, logger, tuning = {} } = this.#options
    return {
      worker: this.id,
      claims: this.#claims,
      record: this.#claims,
      breakers: this.#breakers,
      limits: this.#limits,
      handler,
      running: this.#running,
      deliver: (item) => this.#spool.deliver(item),
      draining: () => this.#draining,
      logger,
      graceMs: tuning.graceMs ?? GRACE_MS,
    }
  }

  #describe(): WorkerInfo {
    const { service, version, slots } = this.#options
    return {
      id: this.id,
      service,
      host: hostname(),
      pid: process.pid,
      version,
      startedAtMs: this.#startedAtMs,
      queues: this.#queues?.names() ?? [],
      slots,
      tasks: this.#running.list().map(({ id }) => id),
      circuits: this.#breakers.states(),
      draining: this.#draining,
    }
  }
}

/**
 * Starts a worker: resolves when it is in the fleet and consumes. While Redis is away it waits. Rejects when the
 * spool folder cannot be used or the beat thread cannot be started.
 */
export const startTaskWorker = async (options: TaskWorkerOptions): Promise<TaskWorker> => {
  const runtime = new TaskRuntime(options)
  try {
    await runtime.start()
    return runtime
  } catch (error) {
    await runtime.close()
    throw error
  }
}
