// What a worker says of itself in the fleet: its WorkerInfo each second and on change, its tools each 10 s.
import { FLEET, type ToolManifest, type WorkerInfo } from '@stepfleet/contracts'
import type { Logger } from './logger.ts'
import type { RedisClient } from './redis.ts'

const EVERY_MS = 1_000
/** Changes are gathered for this long. */
const THROTTLE_MS = 200
const TOOLS_EVERY_MS = 10_000

export interface WorkerInfoPublisher {
  /** Resolves when it was first published. */
  start(): Promise<void>
  /** Something changed: published within 200 ms. */
  changed(): void
  /** Publishes no more. */
  stop(): void
  /** Takes the worker out of the fleet: its info and its beat. Only after its claims are handed back. */
  remove(): Promise<void>
}

export interface WorkerInfoOptions {
  client: RedisClient
  id: string
  info: () => WorkerInfo
  tools: readonly ToolManifest[]
  logger: Logger
}

/** Runs `action` now or, when it is still running, not at all: calls must not pile up while Redis is away. */
const oneAtATime = (action: () => Promise<void>): (() => Promise<void>) => {
  let running: Promise<void> | null = null
  return () => {
    running ??= action().finally(() => {
      running = null
    })
    return running
  }
}

export const createWorkerInfoPublisher = (options: WorkerInfoOptions): WorkerInfoPublisher => {
  const { client, id, tools, logger } = options
  let stopped = false
  let soon: NodeJS.Timeout | null = null
  const timers: NodeJS.Timeout[] = []

  const publishInfo = oneAtATime(async () => {
    await client.hset(FLEET.workers, id, JSON.stringify(options.info()))
  })
  const publishTools = oneAtATime(async () => {
    if (tools.length === 0) return
    await client.hset(FLEET.tools, new Map(tools.map((tool) => [tool.spec.name, JSON.stringify(tool)])))
  })
  // a missed publication is made good by the next
  const quietly = (publish: () => Promise<void>) => (): void => {
    if (stopped) return
    publish().catch((error: unknown) => logger.debug({ err: error }, 'worker info not published'))
  }
  const info = quietly(publishInfo)

  return {
    start: async () => {
      await Promise.all([publishInfo(), publishTools()])
      timers.push(setInterval(info, EVERY_MS), setInterval(quietly(publishTools), TOOLS_EVERY_MS))
    },
    changed: () => {
      soon ??= setTimeout(() => {
        soon = null
        info()
      }, THROTTLE_MS)
    },
    stop: () => {
      stopped = true
      for (const timer of timers) clearInterval(timer)
      if (soon) clearTimeout(soon)
    },
    remove: async () => {
      await client.hdel(FLEET.workers, id)
      await client.hdel(FLEET.beats, id)
    },
  }
}
