// A whole fleet on this machine: Redis, the services and, without a provider's key, the scripted model.
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts, type LocalRedis, startLocalRedis } from '@stepfleet/local-redis'
import { readConfig } from '../config.ts'
import { createFileLog } from './file-log.ts'
import { type FleetPlan, fleetProcesses, ledgerFile, type ProcessGroups, portsNeeded } from './processes.ts'
import { repositoryRoot } from './root.ts'
import { createSupervisor, type Supervisor, type SupervisorEvent, startGuard } from './supervise.ts'

export interface FleetOptions {
  port: number
  dataDir: string
  llmWorkers: number
  toolWorkers: number
  /** Used instead of a Redis of our own. */
  redisUrl?: string
  /** Of the scripted model, when it is used. */
  latencyMs?: number
  script?: string
  /** Aborted: the start is given up, and what runs is stopped. */
  signal: AbortSignal
  /** What is being done, in words. */
  log: (line: string) => void
  onEvent: (event: SupervisorEvent) => void
}

export interface Fleet {
  /** Of the API. */
  url: string
  redisUrl: string
  dataDir: string
  /** Ledger of the scripted model; null: a real provider answers. */
  ledger: string | null
  /** Process name → pid, now. `redis` only when it is ours. */
  pids(): Record<string, number>
  /** Stops all, in order: workers, desk, orchestrator, model, Redis. A second call waits for the first. */
  stop(): Promise<void>
  /** SIGKILL to everything, at once. */
  killAll(): void
}

const READY_MS = 45_000
/** Beyond a worker's own drain time. */
const EXTRA_GRACE_MS = 2_000

const isTaken = (port: number): Promise<boolean> =>
  new Promise((done, failed) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? done(true) : failed(error)))
    server.listen(port, '127.0.0.1', () => server.close(() => done(false)))
  })

const isStepfleet = async (port: number): Promise<boolean> => {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/v1/fleet`, { signal: AbortSignal.timeout(2_000) })
    const body: unknown = await response.json()
    return response.ok && typeof body === 'object' && body !== null && 'engines' in body
  } catch {
    return false
  }
}

/** Throws when the API's port is taken, with what to do about it. */
export const checkPort = async (port: number): Promise<void> => {
  if (!(await isTaken(port))) return
  const other = `choose another port with --port ${port === 7_400 ? 7_500 : port + 1}`
  throw new Error(
    (await isStepfleet(port))
      ? `a Stepfleet already answers on port ${port}: use it (stepfleet runs list), stop it, or ${other}`
      : `port ${port} is taken by another program: stop it, or ${other}`,
  )
}

/** The repository, with the services built. */
const builtRoot = (): string => {
  const root = repositoryRoot()
  if (!existsSync(join(root, 'services/orchestrator/dist/main.js')))
    throw new Error(`the services are not built: run \`npm run build\` in ${root}`)
  return root
}

const redisOf = async (options: FleetOptions, dataDir: string): Promise<LocalRedis | null> => {
  if (options.redisUrl) return null
  options.log('starting Redis')
  const file = createFileLog(join(dataDir, 'logs/redis.log'))
  return startLocalRedis({
    dir: join(dataDir, 'redis'),
    appendfsync: 'always',
    log: (line) => {
      file(line)
      if (line.startsWith('no Redis') || line.startsWith('reading the package')) options.log(line)
    },
  })
}

const planOf = async (
  options: FleetOptions,
  places: Pick<FleetPlan, 'root' | 'dataDir' | 'redisUrl'>,
): Promise<FleetPlan> => {
  const config = readConfig()
  const counts = { llmWorkers: options.llmWorkers, toolWorkers: options.toolWorkers }
  const [modelPort = 0, ...ports] = await freePorts(portsNeeded(counts) + 1)
  return {
    ...places,
    port: options.port,
    ...counts,
    drainMs: config.drainMs,
    scripted: config.noModel
      ? { port: modelPort, latencyMs: options.latencyMs ?? 0, script: options.script ?? null }
      : null,
    tools: config.tools,
    workflows: config.workflows,
    egressAllow: config.egressAllow,
    publicUrl: config.publicUrl,
    ports,
  }
}

const startAll = async (supervisor: Supervisor, groups: ProcessGroups): Promise<void> => {
  // the services find each other through Redis, so all start side by side; only the model must be there before
  for (const specs of [groups.model, [...groups.orchestrator, ...groups.escalation, ...groups.workers]]) {
    for (const spec of specs) supervisor.start(spec)
    await Promise.all(specs.map((spec) => supervisor.ready(spec.name, READY_MS)))
  }
}

const stopAll = async (supervisor: Supervisor, groups: ProcessGroups, drainMs: number): Promise<void> => {
  for (const specs of [groups.workers, groups.escalation, groups.orchestrator, groups.model])
    await supervisor.stop(
      specs.map((spec) => spec.name),
      drainMs + EXTRA_GRACE_MS,
    )
}

/** Redis that dies on its own is started again, on the same port and data. */
const keepUp = (
  redis: LocalRedis,
  onEvent: FleetOptions['onEvent'],
  guard: { add(pid: number): void; remove(pid: number): void },
): void => {
  let pid = redis.pid
  guard.add(pid)
  redis.onExit((code) => {
    guard.remove(pid)
    onEvent({ type: 'died', name: 'redis', pid, how: code === null ? 'a signal' : `exit code ${code}`, restartInMs: 0 })
    redis.restart().then(
      () => {
        pid = redis.pid
        guard.add(pid)
        onEvent({ type: 'started', name: 'redis', pid })
      },
      (error: unknown) => onEvent({ type: 'died', name: 'redis', pid, how: String(error), restartInMs: -1 }),
    )
  })
}

/** Starts everything and waits until it is ready; stops what it started when that fails. */
export const startFleet = async (options: FleetOptions): Promise<Fleet> => {
  const root = builtRoot()
  await checkPort(options.port)
  const dataDir = resolve(options.dataDir)
  await mkdir(dataDir, { recursive: true })
  const redis = await redisOf(options, dataDir)
  const guard = startGuard([fileURLToPath(new URL('./guard.js', import.meta.url))])
  if (redis) keepUp(redis, options.onEvent, guard)
  const supervisor = createSupervisor({ onEvent: options.onEvent, guard })
  let groups: ProcessGroups | null = null
  let drainMs = 0
  let stopping: Promise<void> | null = null
  const stop = async (): Promise<void> => {
    if (groups) await stopAll(supervisor, groups, drainMs)
    await redis?.stop()
    guard.end()
  }
  const fleet: Fleet = {
    url: `http://127.0.0.1:${options.port}`,
    redisUrl: redis?.url ?? options.redisUrl ?? '',
    dataDir,
    ledger: readConfig().noModel ? ledgerFile(dataDir) : null,
    pids: () => ({ ...(redis ? { redis: redis.pid } : {}), ...supervisor.pids() }),
    stop: () => {
      stopping ??= stop()
      return stopping
    },
    killAll: () => {
      supervisor.killAll()
      redis?.kill('SIGKILL')
    },
  }
  options.signal.addEventListener('abort', () => void fleet.stop())
  try {
    options.signal.throwIfAborted()
    const plan = await planOf(options, { root, dataDir, redisUrl: fleet.redisUrl })
    groups = fleetProcesses(plan)
    drainMs = plan.drainMs
    options.log('starting the services')
    await startAll(supervisor, groups)
    return fleet
  } catch (error) {
    await fleet.stop()
    throw options.signal.aborted ? new Error('interrupted before everything was ready; all is stopped again') : error
  }
}
