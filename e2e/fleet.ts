// A fleet of real processes for one test file: Redis, the scripted model and whichever roles a test starts, each with
// its own address of Redis, its own spool folder and its own pid to kill.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '@stepfleet/local-redis'
import { type FaultProxy, faultProxy, startRedis, type TestRedis } from '@stepfleet/testkit'
import { Api, type JournalEvent } from './api.ts'
import { checkJournal, type Violation } from './checker.ts'
import { keepsFiles } from './config.ts'
import { type EffectLine, effectLines, type ModelLine, modelLines } from './ledgers.ts'
import { eventually, PATIENCE_MS } from './patience.ts'
import { type Process, Processes } from './processes.ts'

export interface StartOptions {
  /** Instead of Redis itself, for example a fault proxy's. */
  redisUrl?: string
  spool?: string
  env?: Record<string, string>
}

export const urlOf = (proxy: FaultProxy): string => `redis://${proxy.host}:${proxy.port}`

const HOST = '127.0.0.1'
/** Short, so that a test that stops a worker in order does not wait long. */
const DRAIN_MS = 3_000

/** Two tests must not share an effect key: each run has a name of its own. */
let runs = 0
export const newRunId = (name: string): string => {
  runs += 1
  return `${name}-${runs}`
}

export class Fleet {
  readonly redis: TestRedis
  readonly dir: string
  readonly api: Api
  readonly #ports: { api: number; desk: number; model: number }
  readonly #processes = new Processes()
  readonly #proxies: FaultProxy[] = []
  #count = 0

  private constructor(redis: TestRedis, dir: string, ports: { api: number; desk: number; model: number }) {
    this.redis = redis
    this.dir = dir
    this.#ports = ports
    this.api = new Api(`http://${HOST}:${ports.api}`)
    this.#processes.watch(redis.pid)
  }

  /** Redis (synced at each write) and the scripted model; `script`: what it answers by, a file of the repository. */
  static async open(script?: string): Promise<Fleet> {
    const dir = mkdtempSync(join(tmpdir(), 'stepfleet-e2e-'))
    const redis = await startRedis({ appendfsync: 'always' })
    const [api = 0, desk = 0, model = 0] = await freePorts(3)
    const fleet = new Fleet(redis, dir, { api, desk, model })
    const started = fleet.#processes.start({
      name: 'scripted-model',
      script: 'packages/scripted-model/dist/main.js',
      args: ['--port', String(model), '--ledger', fleet.#modelLedger, ...(script ? ['--script', script] : [])],
      env: {},
      logFile: join(dir, 'logs/scripted-model.log'),
      readyUrl: `http://${HOST}:${model}/healthz`,
    })
    await started.ready()
    return fleet
  }

  get #modelLedger(): string {
    return this.path('model.jsonl')
  }

  /** A file of this test file's own. */
  path(name: string): string {
    return join(this.dir, name)
  }

  /** Lets the tools go on that wait for this file. */
  unlock(gate: string): void {
    writeFileSync(gate, '')
  }

  /** A way to Redis that can be broken. */
  async link(): Promise<FaultProxy> {
    const proxy = await faultProxy({ target: { host: this.redis.host, port: this.redis.port } })
    this.#proxies.push(proxy)
    return proxy
  }

  /** `ROLE=all`, `api` or `engine`; `all` and `api` listen where `api` (the client) asks. */
  async orchestrator(role: 'all' | 'api' | 'engine', options: StartOptions = {}): Promise<Process> {
    const door: Record<string, string> = role === 'engine' ? {} : { STEPFLEET_PORT: String(this.#ports.api) }
    const env = { ROLE: role, ESCALATION_URL: `http://${HOST}:${this.#ports.desk}`, ...door, ...options.env }
    return this.#start('orchestrator', { ...options, env }, role === 'engine' ? null : this.#ports.api)
  }

  desk(options: StartOptions = {}): Promise<Process> {
    const env = { STEPFLEET_PORT: String(this.#ports.desk), ...options.env }
    return this.#start('escalation', { ...options, env }, this.#ports.desk)
  }

  llmWorker(options: StartOptions = {}): Promise<Process> {
    const url = `http://${HOST}:${this.#ports.model}`
    const provider = {
      ...{ ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: 'scripted' },
      ...{ OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: 'scripted' },
      ...{ GEMINI_BASE_URL: url, GEMINI_API_KEY: 'scripted' },
    }
    return this.#start('llm-worker', { ...options, env: { ...provider, ...options.env } }, null)
  }

  toolWorker(options: StartOptions = {}): Promise<Process> {
    const tools = {
      STEPFLEET_TOOLS: 'e2e/tools/tools.mjs',
      STEPFLEET_PUBLIC_URL: this.api.url,
      E2E_EFFECTS: this.path('effects.jsonl'),
    }
    return this.#start('tool-worker', { ...options, env: { ...tools, ...options.env } }, null)
  }

  /** `door`: the port of a service that answers health checks at its own door. */
  async #start(service: string, options: StartOptions, door: number | null): Promise<Process> {
    this.#count += 1
    const name = `${service}-${this.#count}`
    const [free = 0] = door === null ? await freePorts(1) : []
    const process = this.#processes.start({
      name,
      script: `services/${service}/dist/main.js`,
      env: {
        STEPFLEET_REDIS_URL: options.redisUrl ?? this.redis.url,
        STEPFLEET_HOST: HOST,
        STEPFLEET_DRAIN_MS: String(DRAIN_MS),
        STEPFLEET_SPOOL_DIR: options.spool ?? this.path(`spool/${name}`),
        ...(door === null ? { STEPFLEET_HEALTH_PORT: String(free) } : {}),
        ...options.env,
      },
      logFile: this.path(`logs/${name}.log`),
      readyUrl: `http://${HOST}:${door ?? free}/readyz`,
    })
    await process.ready()
    return process
  }

  /** Kills Redis and starts it again on the same data. `meanwhile`: what happens while it is away. */
  async restartRedis(meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    this.redis.kill('SIGKILL')
    await meanwhile()
    await this.redis.restart()
    this.#processes.watch(this.redis.pid)
  }

  /** Asks the scripted model itself: rules, outages, limits (`/_script/…`). */
  async model(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`http://${HOST}:${this.#ports.model}/_script${path}`, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return response.json()
  }

  /** Calls of the scripted model, all lines or those of one run. */
  modelCalls(run?: string): ModelLine[] {
    const lines = modelLines(this.#modelLedger)
    return run === undefined ? lines : lines.filter((line) => line.run === run)
  }

  /** What tools did, all or for one run. */
  effects(run?: string): EffectLine[] {
    const lines = effectLines(this.path('effects.jsonl'))
    return run === undefined ? lines : lines.filter((line) => line.key.split('/')[1] === run)
  }

  /** Waits for a line of the model's ledger. */
  modelCall(run: string, step: string, outcome: ModelLine['outcome'], timeoutMs = PATIENCE_MS): Promise<ModelLine> {
    return eventually(
      () => this.modelCalls(run).find((line) => line.step === step && line.outcome === outcome) ?? null,
      { timeoutMs, what: `the model's ledger to say ${outcome} for ${step} of ${run}` },
    )
  }

  /** Waits for a line of a tool. */
  effect(run: string, phase: EffectLine['phase'], timeoutMs = PATIENCE_MS): Promise<EffectLine> {
    return eventually(() => this.effects(run).find((line) => line.phase === phase) ?? null, {
      timeoutMs,
      what: `a tool of ${run} to be ${phase}`,
    })
  }

  /** The rules of a history on one run. Empty: none is broken. */
  async check(run: string, ended = true): Promise<{ events: JournalEvent[]; violations: Violation[] }> {
    const events = await this.api.journal(run)
    return { events, violations: checkJournal(run, events, ended) }
  }

  /** Which of the processes holds a running step. */
  async holder(run: string, path: string, among: readonly Process[]): Promise<Process> {
    const worker = await eventually(async () => (await this.api.step(run, path))?.worker, {
      what: `${path} to be held`,
    })
    const { workers } = await this.api.fleet()
    const pid = workers.find(({ id }) => id === worker)?.pid
    const found = among.find((one) => one.pid === pid)
    if (!found) throw new Error(`${worker} is none of ${among.map((one) => one.pid).join(', ')}`)
    return found
  }

  /** Ends everything, whatever state it is in. */
  async close(): Promise<void> {
    await this.#processes.killAll()
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()))
    await this.redis.stop()
    if (!keepsFiles()) rmSync(this.dir, { recursive: true, force: true })
  }
}
