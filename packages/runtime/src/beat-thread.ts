// The thread that counts up a worker's beat, whatever the main loop does. Loaded as a file by beat.ts.
import { parentPort, workerData } from 'node:worker_threads'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { BeatData, BeatNews } from './beat.ts'

const data: BeatData = workerData
/**
 * Quicker than other connections: after an outage the engines' leases start anew when *they* are back, so a beat that
 * came back a second later would look dead.
 */
const RECONNECT_MS = 100
/** A connection that does not answer for so long is replaced: it may be a black hole. */
const SILENCE_MS = 1_000

const tell = (news: BeatNews): void => parentPort?.postMessage(news)

const connect = (): Redis | Cluster => {
  const options: RedisOptions = {
    connectionName: `stepfleet-beat-${data.worker}`,
    maxRetriesPerRequest: null,
    retryStrategy: () => RECONNECT_MS,
    reconnectOnError: (error) => error.message.includes('READONLY'),
    connectTimeout: SILENCE_MS,
    socketTimeout: SILENCE_MS,
  }
  if (!data.cluster) return new Redis(data.url, options)
  const url = new URL(data.url)
  return new Cluster([{ host: url.hostname, port: Number(url.port || 6379) }], {
    clusterRetryStrategy: () => RECONNECT_MS,
    slotsRefreshTimeout: SILENCE_MS,
    redisOptions: {
      ...options,
      ...(url.username ? { username: decodeURIComponent(url.username) } : {}),
      ...(url.password ? { password: decodeURIComponent(url.password) } : {}),
      ...(url.protocol === 'rediss:' ? { tls: {} } : {}),
    },
  })
}

const client = connect()
// news is told on change only: an outage is one line in the log
let last: BeatNews['type'] | null = null
const onFailing = (error: Error): void => {
  if (last !== 'failing') tell({ type: 'failing', why: error.message })
  last = 'failing'
}
client.on('error', onFailing)

// one beat under way at a time: while Redis is away they do not pile up
let waiting = false
const beat = async (): Promise<void> => {
  if (waiting) return
  waiting = true
  try {
    await client.hincrby(data.key, data.worker, 1)
    if (last !== 'beating') tell({ type: 'beating' })
    last = 'beating'
  } catch (error) {
    onFailing(error instanceof Error ? error : new Error(String(error)))
  } finally {
    waiting = false
  }
}

void beat()
const timer = setInterval(() => void beat(), data.everyMs)
parentPort?.once('message', () => {
  clearInterval(timer)
  client.disconnect()
  parentPort?.close()
})
