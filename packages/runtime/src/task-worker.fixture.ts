// For tests of whole workers: a real Redis, runs whose tasks are out, workers that are stopped after each test.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type CommandOf,
  commandSchema,
  failure,
  formatOut,
  type OutEntry,
  parseOut,
  runKeys,
  shardKeys,
  shardOf,
  type Task,
  taskId,
} from '@stepfleet/contracts'
import { eventually, startRedis, type TestRedis } from '@stepfleet/testkit'
import { createLogger } from './logger.ts'
import { createPublisher, type Publisher } from './queue.ts'
import { connectRedis, type RedisClient } from './redis.ts'
import { startTaskWorker, type TaskWorker, type TaskWorkerOptions } from './task-worker.ts'
import type { TaskContext, TaskHandler } from './task-worker-handler.ts'

const logger = createLogger('test', 'silent')
export const QUEUE = 'tool.module'

export const taskOf = (run: string, more: Partial<Extract<Task, { kind: 'tool' }>> = {}): Task => ({
  ns: 'default',
  run,
  path: 'a',
  attempt: 1,
  delivery: 1,
  effect: 'read',
  effectKey: `default/${run}/a`,
  timeoutMs: 60_000,
  workflow: 'w',
  kind: 'tool',
  input: { value: { tool: 'x', with: {} } },
  ...more,
})

export const waitForAbort = ({ signal }: TaskContext): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')))
  })

/** A Redis (or a Cluster, by its url) with workers. */
export class WorkerBench {
  readonly client: RedisClient
  readonly publisher: Publisher
  readonly #settings: TaskWorkerOptions['settings']
  readonly #workers: TaskWorker[] = []
  #spoolDir = ''

  constructor(url: string, cluster = false) {
    this.#settings = {
      STEPFLEET_REDIS_URL: url,
      STEPFLEET_REDIS_CLUSTER: cluster,
      STEPFLEET_ALLOW_VOLATILE: true,
    }
    this.client = connectRedis(this.#settings, { name: 'test', logger })
    this.publisher = createPublisher(this.#settings, logger)
  }

  async reset(): Promise<void> {
    this.#spoolDir = await mkdtemp(join(tmpdir(), 'stepfleet-spool-'))
  }

  async stopWorkers(): Promise<void> {
    await Promise.all(this.#workers.splice(0).map((worker) => worker.stop()))
    await rm(this.#spoolDir, { recursive: true, force: true })
  }

  async close(): Promise<void> {
    await this.publisher.close()
    this.client.disconnect()
  }

  async start(
    run: TaskHandler['run'],
    more: Partial<TaskWorkerOptions> = {},
    handler: Partial<TaskHandler> = {},
  ): Promise<TaskWorker> {
    const worker = await startTaskWorker({
      settings: this.#settings,
      logger,
      service: 'tool-worker',
      version: '0.0.0',
      kind: 'tool',
      queues: [QUEUE],
      slots: 4,
      spoolDir: this.#spoolDir,
      drainMs: 50,
      handler: {
        dependency: () => null,
        classify: (error) => failure('tool_failed', String(error)),
        countsAgainstDependency: () => true,
        run,
        ...handler,
      },
      tuning: { graceMs: 200, answerMs: 200 },
      ...more,
    })
    this.#workers.push(worker)
    return worker
  }

  /** As the append of a dispatch does. */
  async setOut({ ns, run, path, attempt, delivery }: Task): Promise<void> {
    await this.client.hset(runKeys(ns, run).out, path, formatOut(attempt, delivery))
  }

  async out(run: string): Promise<OutEntry> {
    return parseOut((await this.client.hget(runKeys('default', run).out, 'a')) ?? '')
  }

  publish(task: Task, id = taskId(task), queue = QUEUE): Promise<void> {
    return this.publisher.publish([{ queue, id, priority: 3, payload: task }])
  }

  async dispatch(task: Task, queue = QUEUE): Promise<void> {
    await this.setOut(task)
    await this.publish(task, taskId(task), queue)
  }

  /** Outcomes of a run in the mailbox of its shard. */
  async outcomes(run: string): Promise<CommandOf<'outcome'>[]> {
    const entries = await this.client.xrange(shardKeys(shardOf('default', run)).mailbox, '-', '+')
    return entries.flatMap(([, [, text = 'null']]) => {
      const command = commandSchema.parse(JSON.parse(text))
      return command.type === 'outcome' && command.run === run ? [command] : []
    })
  }

  outcomeOf(run: string): Promise<CommandOf<'outcome'>> {
    return eventually(async () => (await this.outcomes(run))[0], { what: `an outcome of ${run}` })
  }

  /** Files in the spool of the tool workers. */
  spooled(): Promise<string[]> {
    return readdir(join(this.#spoolDir, 'tool-worker'))
  }
}

export const startWorkerBench = async (): Promise<{ redis: TestRedis; bench: WorkerBench }> => {
  const redis = await startRedis({ appendfsync: 'always' })
  return { redis, bench: new WorkerBench(redis.url) }
}
