// A real Redis for a test: a child process with a folder of its own, or a container.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dockerAnswers, findRedisServer, NoRedisError, startLocalRedis } from '@stepfleet/local-redis'
import { wantsDocker } from './config.ts'

export interface TestRedisOptions {
  /** Default `everysec`: tests that cut the power set `always`. */
  appendfsync?: 'always' | 'everysec'
  /** More arguments of redis-server. */
  extra?: string[]
  log?: (line: string) => void
}

export interface TestRedis {
  url: string
  host: string
  port: number
  /** 0 for a container. */
  readonly pid: number
  source: 'process' | 'container'
  /** Ends it and removes its data. */
  stop(): Promise<void>
  /** Sends a signal at once: SIGKILL, SIGSTOP, SIGCONT. */
  kill(signal: NodeJS.Signals): void
  /** Starts again, on the same port, with the same data. */
  restart(): Promise<void>
}

const startProcess = async (options: TestRedisOptions): Promise<TestRedis> => {
  const dir = await mkdtemp(join(tmpdir(), 'stepfleet-redis-'))
  const remove = (): Promise<void> => rm(dir, { recursive: true, force: true })
  const { extra, log } = options
  const redis = await startLocalRedis({
    dir,
    appendfsync: options.appendfsync ?? 'everysec',
    ...(extra ? { extra } : {}),
    ...(log ? { log } : {}),
  }).catch(async (error: unknown) => {
    await remove()
    throw error
  })
  return {
    url: redis.url,
    host: '127.0.0.1',
    port: redis.port,
    get pid() {
      return redis.pid
    },
    source: 'process',
    kill: (signal) => redis.kill(signal),
    restart: () => redis.restart(),
    stop: async () => {
      await redis.stop()
      await remove()
    },
  }
}

/** Loaded only when used: testcontainers takes half a second to load. */
const startContainer = async (options: TestRedisOptions): Promise<TestRedis> =>
  (await import('./container.ts')).startRedisContainer(options)

/**
 * A Redis with append-only file and no eviction. A child process, or, when STEPFLEET_TEST_REDIS is `docker` or no
 * server can be had otherwise, a container where a Docker engine answers.
 */
export const startRedis = async (options: TestRedisOptions = {}): Promise<TestRedis> => {
  if (wantsDocker()) {
    if (!(await dockerAnswers())) throw new Error('STEPFLEET_TEST_REDIS is docker, but no Docker engine answers')
    return startContainer(options)
  }
  const server = await findRedisServer(options.log).catch((error: unknown) => {
    if (error instanceof NoRedisError) return null
    throw error
  })
  return server === null || server.source === 'docker' ? startContainer(options) : startProcess(options)
}
