// Connections to Redis: standalone or Cluster, reconnecting for ever, logged once per outage; the check at boot.
import { readFileSync } from 'node:fs'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { RedisSettings } from './config.ts'
import { createLogger, type Logger } from './logger.ts'

export type RedisClient = Redis | Cluster

export interface ConnectOptions {
  /** CLIENT SETNAME, as CLIENT LIST shows it: no spaces. */
  name: string
  /** The connection will wait in blocking commands: at most `BLOCKING_LIMIT_MS` each. */
  blocking?: boolean
  /** Where outages are told. */
  logger?: Logger
}

/** No blocking command may wait longer: a socket that is silent for longer than this is taken for dead. */
export const BLOCKING_LIMIT_MS = 10_000
/**
 * Without it a connection whose peer vanished without a word (a black hole, a pulled cable) hangs for the kernel's
 * quarter of an hour. What was unanswered is sent again on the new connection, so scripts recognise a repeat.
 */
const SILENCE_MS = 8_000

// 50, 100, 200, 400, then 800 to 1,000 ms: a fleet should not come back in step, and never waits long
const retryDelayMs = (times: number): number => Math.min(50 * 2 ** Math.min(times - 1, 4), 800) + Math.random() * 200

// a master that was demoted answers READONLY on a healthy connection: reconnect (2: and send the command again)
const reconnectOnError = (error: Error): 2 | false => (error.message.includes('READONLY') ? 2 : false)

const watchOutages = (client: RedisClient, name: string, logger: Logger): void => {
  let awaySinceMs: number | null = null
  const away = (why: string): void => {
    if (awaySinceMs !== null) return
    awaySinceMs = performance.now()
    logger.warn({ connection: name, why }, 'redis away')
  }
  // a listener must be there in any case: without one ioredis prints each attempt's error
  client.on('error', (error: Error) => away(error.message))
  client.on('reconnecting', () => away('connection closed'))
  client.on('ready', () => {
    if (awaySinceMs === null) return
    logger.info({ connection: name, awayMs: Math.round(performance.now() - awaySinceMs) }, 'redis back')
    awaySinceMs = null
  })
}

const connectCluster = (url: URL, redisOptions: RedisOptions): Cluster =>
  new Cluster([{ host: url.hostname, port: Number(url.port || 6379) }], {
    clusterRetryStrategy: retryDelayMs,
    redisOptions: {
      ...redisOptions,
      ...(url.username ? { username: decodeURIComponent(url.username) } : {}),
      ...(url.password ? { password: decodeURIComponent(url.password) } : {}),
      ...(url.protocol === 'rediss:' ? { tls: {} } : {}),
    },
  })

/** One string is written twice as fast as its pieces (`writev` encodes each by itself). */
const joined = (chunks: readonly (string | Buffer)[]): string | Buffer => {
  const [only] = chunks
  if (only !== undefined && chunks.length === 1) return only
  if (chunks.every((chunk) => typeof chunk === 'string')) return chunks.join('')
  return Buffer.concat(chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk)))
}

/**
 * What is sent within one turn of the event loop leaves in one write. A write is a system call, and with
 * `appendfsync always` each that Redis reads by itself may cost an fsync. (`enableAutoPipelining` is slower, and so are
 * small pipelines: ioredis copies all scripts and commands onto each one, some 700 properties.)
 */
const gatherWrites = (client: Redis): void => {
  client.on('connect', () => {
    const { stream } = client
    const { write } = stream
    let gathered: (string | Buffer)[] = []
    const leave = (): void => {
      const chunks = gathered
      gathered = []
      // ended meanwhile: ioredis sends what has no answer again, or rejects it
      if (!stream.writable) return
      Reflect.apply(write, stream, [joined(chunks)])
    }
    const gather = (chunk: string | Buffer): boolean => {
      if (gathered.length === 0) process.nextTick(leave)
      gathered.push(chunk)
      return true
    }
    // not assigned: `write` has overloads that no one function type fits. Writable: Node puts its own there at the end
    Object.defineProperty(stream, 'write', { value: gather, configurable: true, writable: true })
  })
}

/**
 * Connects in the background and reconnects for ever. Commands wait while Redis is away (they are not refused), and
 * those whose reply was lost are sent again.
 */
export const connectRedis = (settings: RedisSettings, options: ConnectOptions): RedisClient => {
  const redisOptions: RedisOptions = {
    connectionName: options.name,
    maxRetriesPerRequest: null,
    retryStrategy: retryDelayMs,
    reconnectOnError,
    connectTimeout: 5_000,
    socketTimeout: options.blocking ? BLOCKING_LIMIT_MS + 2_000 : SILENCE_MS,
  }
  const client = settings.STEPFLEET_REDIS_CLUSTER
    ? connectCluster(new URL(settings.STEPFLEET_REDIS_URL), redisOptions)
    : new Redis(settings.STEPFLEET_REDIS_URL, redisOptions)
  if (client instanceof Redis) gatherWrites(client)
  watchOutages(client, options.name, options.logger ?? createLogger('redis', 'info'))
  return client
}

const POLITE_MS = 1_000

/**
 * Ends a connection: politely when it is up, by force after 1 s or when it is not; commands that wait are rejected.
 * Never rejects itself.
 */
export const closeRedis = async (client: RedisClient): Promise<void> => {
  if (client.status === 'ready') {
    const force = setTimeout(() => client.disconnect(), POLITE_MS)
    // rejects when the connection breaks meanwhile, and then it is closed as well
    await client.quit().catch(() => undefined)
    clearTimeout(force)
    return
  }
  // Between two attempts a mere `disconnect` would leave waiting commands waiting for ever (ioredis 6.0.0): only
  // the end of an attempt rejects them. So one is begun, and is broken off before it touches the network.
  if (client instanceof Redis && client.status === 'reconnecting') client.connect().catch(() => undefined)
  client.disconnect()
}

/** This Redis must not be used. The message says what to change. */
export class RedisUnsuitableError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'RedisUnsuitableError'
  }
}

const infoField = (info: string, name: string): string | undefined =>
  new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]

const checkNode = async (node: Redis, allowVolatile: boolean): Promise<{ volatile: boolean }> => {
  const info = `${await node.info('memory')}\n${await node.info('persistence')}`
  const policy = infoField(info, 'maxmemory_policy')
  if (policy !== 'noeviction') {
    throw new RedisUnsuitableError(
      `Redis may evict keys (maxmemory-policy is ${policy ?? 'not told'}), and every key here is part of a run: set maxmemory-policy noeviction`,
    )
  }
  const volatile = infoField(info, 'aof_enabled') !== '1'
  if (volatile && !allowVolatile) {
    throw new RedisUnsuitableError(
      'Redis has no AOF, so a restart forgets runs: set appendonly yes, or STEPFLEET_ALLOW_VOLATILE=1 to accept the loss',
    )
  }
  return { volatile }
}

/** Looks at every master. Throws RedisUnsuitableError; `volatile` is true when any of them has no AOF. */
export const checkRedis = async (
  client: RedisClient,
  options: { allowVolatile: boolean },
): Promise<{ volatile: boolean }> => {
  // the list of a Cluster's nodes is empty until it is connected; a command waits for that
  await client.ping()
  const nodes = client instanceof Cluster ? client.nodes('master') : [client]
  const found = await Promise.all(nodes.map((node) => checkNode(node, options.allowVolatile)))
  return { volatile: found.some((one) => one.volatile) }
}

/** A script file for `defineCommand`; its name carries the number of keys: `append.7.lua` has 7. */
export const luaScript = (url: URL): { lua: string; numberOfKeys: number } => {
  const keys = /\.(\d+)\.lua$/.exec(url.pathname)?.[1]
  if (keys === undefined) throw new Error(`a script is named <name>.<number of keys>.lua: ${url.pathname}`)
  return { lua: readFileSync(url, 'utf8'), numberOfKeys: Number(keys) }
}
