// A fleet for measuring: a Redis of its own and the built services as processes, each of which can be killed and
// started again by name.
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { freePorts, type LocalRedis, startLocalRedis } from '@stepfleet/local-redis'
import { createApi, until } from './http.ts'

export const REPOSITORY = resolve(import.meta.dirname, '../..')
const HOST = '127.0.0.1'
const READY_MS = 30_000

export interface FleetShape {
  /** Where the folders `services` and `packages` lie, built: the repository, or a patched copy of it. */
  root?: string
  /** Files of this fleet: Redis's data, spools, ledgers, logs. */
  dir: string
  appendfsync: 'always' | 'everysec'
  /** `all`: one orchestrator process; `split`: a process for the API and one for the engine. */
  roles: 'all' | 'split'
  toolWorkers: number
  llmWorkers?: number
  /** Latency of the scripted model; without it none is started. */
  modelLatencyMs?: number
  slots?: number
  /** A second engine, `spare`, which runs only when somebody starts it. */
  spare?: boolean
  /** Files and folders of module tools. */
  tools: readonly string[]
  env?: Record<string, string>
  /** More arguments of node for a process, for example `--cpu-prof`. */
  nodeArgs?: (name: string) => readonly string[]
}

interface Spec {
  name: string
  args: string[]
  env: Record<string, string>
  readyUrl: string
  /** It is not started with the fleet. */
  isSpare?: boolean
}

export interface Fleet {
  url: string
  redis: LocalRedis
  /** JSON lines of the scripted model; '' without one. */
  modelLedger: string
  /** Process name → pid, Redis too. */
  pids(): Record<string, number>
  /** SIGKILL, and waits until the process is gone. */
  kill(name: string): Promise<void>
  /** SIGTERM, and waits until the process is gone. */
  end(name: string): Promise<void>
  /** SIGSTOP: it lives, keeps its sockets, and does nothing until `resume`. */
  suspend(name: string): void
  /** SIGCONT. */
  resume(name: string): void
  /** Where a process answers. */
  urlOf(name: string): string
  /** Starts a process that was killed; resolves as soon as it runs. */
  start(name: string): void
  /** Waits until the process says that it is ready. */
  ready(name: string): Promise<void>
  stop(): Promise<void>
}

const specsOf = (shape: FleetShape, redisUrl: string, ports: number[]): Spec[] => {
  const root = shape.root ?? REPOSITORY
  const port = (): number => {
    const next = ports.shift()
    if (next === undefined) throw new Error('too few ports')
    return next
  }
  const service = (name: string, folder: string, health: number, env: Record<string, string>): Spec => ({
    name,
    args: [
      ...(shape.nodeArgs?.(name) ?? []),
      ...['--import', join(root, 'packages/runtime/dist/telemetry-preload.js')],
      join(root, 'services', folder, 'dist/main.js'),
    ],
    env: {
      STEPFLEET_REDIS_URL: redisUrl,
      STEPFLEET_HOST: HOST,
      STEPFLEET_HEALTH_PORT: String(health),
      STEPFLEET_SPOOL_DIR: join(shape.dir, 'spool', name),
      STEPFLEET_DRAIN_MS: '3000',
      STEPFLEET_LOG_LEVEL: 'warn',
      ...(shape.slots === undefined ? {} : { STEPFLEET_SLOTS: String(shape.slots) }),
      ...shape.env,
      ...env,
    },
    readyUrl: `http://${HOST}:${health}`,
  })
  const door = port()
  const modelPort = port()
  const specs: Spec[] = []
  const model = `http://${HOST}:${modelPort}`
  if (shape.modelLatencyMs !== undefined) {
    const main = join(root, 'packages/scripted-model/dist/main.js')
    const args = ['--port', String(modelPort), '--ledger', join(shape.dir, 'model.jsonl')]
    specs.push({
      name: 'model',
      args: [main, ...args, '--latency-ms', String(shape.modelLatencyMs)],
      env: {},
      readyUrl: model,
    })
  }
  if (shape.roles === 'all') {
    specs.push(service('orchestrator', 'orchestrator', door, { ROLE: 'all', STEPFLEET_PORT: String(door) }))
  } else {
    specs.push(service('api', 'orchestrator', door, { ROLE: 'api', STEPFLEET_PORT: String(door) }))
    specs.push(service('engine', 'orchestrator', port(), { ROLE: 'engine' }))
  }
  if (shape.spare) {
    const spare = port()
    const env: Record<string, string> =
      shape.roles === 'all' ? { ROLE: 'all', STEPFLEET_PORT: String(spare) } : { ROLE: 'engine' }
    specs.push({ ...service('spare', 'orchestrator', spare, env), isSpare: true })
  }
  for (let i = 1; i <= shape.toolWorkers; i += 1)
    specs.push(service(`tool-worker-${i}`, 'tool-worker', port(), { STEPFLEET_TOOLS: shape.tools.join(',') }))
  for (let i = 1; i <= (shape.llmWorkers ?? 0); i += 1)
    specs.push(
      service(`llm-worker-${i}`, 'llm-worker', port(), { ANTHROPIC_BASE_URL: model, ANTHROPIC_API_KEY: 'scripted' }),
    )
  return specs
}

const exited = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

const gone = (child: ChildProcess): Promise<void> =>
  new Promise((done) => {
    if (exited(child)) done()
    else child.once('exit', () => done())
  })

class Processes {
  readonly #specs = new Map<string, Spec>()
  readonly #running = new Map<string, ChildProcess>()
  readonly #dir: string

  constructor(specs: readonly Spec[], dir: string) {
    this.#dir = dir
    for (const spec of specs) this.#specs.set(spec.name, spec)
  }

  #spec(name: string): Spec {
    const spec = this.#specs.get(name)
    if (!spec) throw new Error(`there is no process ${name}, only ${[...this.#specs.keys()].join(', ')}`)
    return spec
  }

  urlOf(name: string): string {
    return this.#spec(name).readyUrl
  }

  /** Says it to a process that runs. */
  signal(name: string, signal: NodeJS.Signals): void {
    const child = this.#running.get(this.#spec(name).name)
    if (!child || exited(child)) throw new Error(`${name} does not run, so it gets no ${signal}`)
    child.kill(signal)
  }

  start(name: string): void {
    const { args, env } = this.#spec(name)
    const running = this.#running.get(name)
    if (running && !exited(running)) return
    const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    const log = createWriteStream(join(this.#dir, `${name}.log`), { flags: 'a' })
    child.stdout.pipe(log, { end: false })
    child.stderr.pipe(log, { end: false })
    child.once('exit', () => log.end())
    this.#running.set(name, child)
  }

  async ready(name: string): Promise<void> {
    const { readyUrl } = this.#spec(name)
    const path = name === 'model' ? '/healthz' : '/readyz'
    const api = createApi(readyUrl, 2_000)
    try {
      await until(`${name} to be ready; its log: ${join(this.#dir, `${name}.log`)}`, READY_MS, async () => {
        const child = this.#running.get(name)
        if (child && exited(child)) throw new Error(`${name} ended at its start: ${this.logOf(name)}`)
        return (await api.get(path).catch(() => null))?.status === 200
      })
    } finally {
      api.close()
    }
  }

  logOf(name: string): string {
    const file = join(this.#dir, `${name}.log`)
    return existsSync(file) ? readFileSync(file, 'utf8').slice(-2_000) : ''
  }

  async end(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#running.get(name)
    if (!child || exited(child)) return
    child.kill(signal)
    await gone(child)
  }

  async stop(): Promise<void> {
    const names = [...this.#running.keys()].reverse()
    // who is stopped does not hear that it should end
    for (const child of this.#running.values()) if (!exited(child)) child.kill('SIGCONT')
    const hard = setTimeout(() => this.killAll(), 8_000)
    for (const name of names.filter((one) => one.includes('worker'))) this.#running.get(name)?.kill('SIGTERM')
    for (const name of names) await this.end(name, 'SIGTERM')
    clearTimeout(hard)
  }

  killAll(): void {
    for (const child of this.#running.values()) if (!exited(child)) child.kill('SIGKILL')
  }

  pids(): Record<string, number> {
    const running = [...this.#running].filter(([, child]) => !exited(child))
    return Object.fromEntries(running.map(([name, child]) => [name, child.pid ?? 0]))
  }
}

/** Starts Redis and all processes, and waits until they are ready. What was started ends with this process. */
export const startFleet = async (shape: FleetShape): Promise<Fleet> => {
  mkdirSync(shape.dir, { recursive: true })
  const redis = await startLocalRedis({ dir: join(shape.dir, 'redis'), appendfsync: shape.appendfsync })
  const ports = await freePorts(5 + shape.toolWorkers + (shape.llmWorkers ?? 0))
  const specs = specsOf(shape, redis.url, ports)
  const door = specs.find((spec) => spec.name === 'orchestrator' || spec.name === 'api')
  const processes = new Processes(specs, shape.dir)
  const atExit = (): void => {
    processes.killAll()
    redis.kill('SIGKILL')
  }
  process.once('exit', atExit)
  const stop = async (): Promise<void> => {
    await processes.stop()
    await redis.stop()
    process.off('exit', atExit)
  }
  try {
    const first = specs.filter(({ isSpare }) => !isSpare)
    for (const { name } of first) processes.start(name)
    await Promise.all(first.map(({ name }) => processes.ready(name)))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url: door?.readyUrl ?? '',
    redis,
    modelLedger: shape.modelLatencyMs === undefined ? '' : join(shape.dir, 'model.jsonl'),
    pids: () => ({ redis: redis.pid, ...processes.pids() }),
    kill: (name) => processes.end(name, 'SIGKILL'),
    end: (name) => processes.end(name, 'SIGTERM'),
    suspend: (name) => processes.signal(name, 'SIGSTOP'),
    resume: (name) => processes.signal(name, 'SIGCONT'),
    urlOf: (name) => processes.urlOf(name),
    start: (name) => processes.start(name),
    ready: (name) => processes.ready(name),
    stop,
  }
}

/** Ctrl-C and errors end through `exit`, where the processes of the fleets are ended. */
export const endOnSignals = (): void => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
}
