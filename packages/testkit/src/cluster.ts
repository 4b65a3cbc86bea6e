// A real Redis Cluster of three masters for a test, put together by commands.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, type LocalRedis, startLocalRedis } from '@stepfleet/local-redis'
import { Redis } from 'ioredis'
import { eventually } from './eventually.ts'

export interface TestCluster {
  nodes: { host: string; port: number; redis: LocalRedis }[]
  /** Address of the first node; clients find the others. */
  url: string
  stop(): Promise<void>
}

const SLOTS = 16_384
const MASTERS = 3

/** A node also listens on its port + 10,000, which must be a port too. */
const clusterPort = async (): Promise<number> => {
  for (;;) {
    const port = await freePort()
    if (port < 55_000) return port
  }
}

const join3 = async (clients: Redis[], ports: number[]): Promise<void> => {
  const per = Math.ceil(SLOTS / MASTERS)
  for (const [i, client] of clients.entries()) {
    const last = Math.min((i + 1) * per, SLOTS)
    const slots = Array.from({ length: last - i * per }, (_, slot) => i * per + slot)
    // ADDSLOTSRANGE would be shorter, but Redis 6.2 does not have it
    await client.call('CLUSTER', 'ADDSLOTS', ...slots)
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
  }
  for (const client of clients.slice(1)) await client.call('CLUSTER', 'MEET', '127.0.0.1', ports[0] ?? 0)
  await eventually(
    async () => {
      const infos = await Promise.all(clients.map((client) => client.call('CLUSTER', 'INFO')))
      return infos.every((info) => /cluster_state:ok/.test(String(info)) && /cluster_known_nodes:3/.test(String(info)))
    },
    { timeoutMs: 30_000, what: 'cluster_state:ok on every node', everyMs: 50 },
  )
}

/** Three masters, no replicas. Each node's `redis` can be killed and restarted. */
export const startRedisCluster = async (options: { log?: (line: string) => void } = {}): Promise<TestCluster> => {
  const dir = await mkdtemp(join(tmpdir(), 'stepfleet-cluster-'))
  const servers: LocalRedis[] = []
  const clients: Redis[] = []
  const end = async (): Promise<void> => {
    for (const client of clients) client.disconnect()
    await Promise.all(servers.map((server) => server.stop()))
    await rm(dir, { recursive: true, force: true })
  }
  try {
    for (let i = 0; i < MASTERS; i += 1) {
      const server = await startLocalRedis({
        dir: join(dir, `node-${i}`),
        port: await clusterPort(),
        appendfsync: 'everysec',
        extra: ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--repl-diskless-sync-delay', '0'],
        ...(options.log ? { log: options.log } : {}),
      })
      servers.push(server)
      clients.push(new Redis(server.url))
    }
    const ports = servers.map((server) => server.port)
    await join3(clients, ports)
    for (const client of clients.splice(0)) client.disconnect()
    const nodes = servers.map((redis) => ({ host: '127.0.0.1', port: redis.port, redis }))
    return { nodes, url: servers[0]?.url ?? '', stop: end }
  } catch (error) {
    await end()
    throw error
  }
}
