// The orchestrator's composition root: settings, connections, the engine and the HTTP door by role, and their end.
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { ThreadedCodeHost } from '@stepfleet/code-workflows'
import { DEFAULT_NAMESPACE } from '@stepfleet/contracts'
import {
  callbackSecret,
  checkRedis,
  closeRedis,
  connectRedis,
  createLifecycle,
  createLogger,
  createMailbox,
  createPublisher,
  flushTelemetry,
  readPrices,
  startHealth,
} from '@stepfleet/runtime'
import { createSchemaChecks } from '@stepfleet/schemas'
import { createRedisBudgets } from './budgets/redis-budgets.ts'
import { registerFolder } from './code/register.ts'
import { loadOrchestratorConfig, type OrchestratorConfig } from './config.ts'
import { createCircuits } from './doors/circuits.ts'
import { createFleetReader, readToolManifests } from './doors/fleet.ts'
import { createHttpDoor } from './doors/http/door.ts'
import { createDrivenBudgets } from './drive/budgets.ts'
import { Engine } from './drive/engine.ts'
import { createDrivenLimits } from './drive/limits.ts'
import { createOutside } from './drive/outside.ts'
import { Plans } from './drive/plans.ts'
import { createRedisLimits } from './limits/redis-limits.ts'
import { checkShards, createRedisStore } from './store/redis-store.ts'
import { viewRun } from './views/run-view.ts'

const VERSION = '0.1.0'
/** Runs kept in memory by an engine. */
const CACHE_BYTES = 256 * 1024 * 1024

/** `e_` tells engines from workers among the beats. */
const engineId = (): string =>
  `e_${hostname()}_${process.pid}_${randomBytes(4).toString('hex')}`.replaceAll(/[^A-Za-z0-9_-]/g, '-')

/** What both roles stand on. */
const connect = async (config: OrchestratorConfig) => {
  const logger = createLogger('orchestrator', config.STEPFLEET_LOG_LEVEL)
  const lifecycle = createLifecycle(logger)
  lifecycle.listen()
  lifecycle.onStop('telemetry', flushTelemetry)
  const redis = connectRedis(config, { name: 'orchestrator', logger })
  lifecycle.onStop('redis', () => closeRedis(redis))
  const { volatile } = await checkRedis(redis, { allowVolatile: config.STEPFLEET_ALLOW_VOLATILE })
  if (volatile) logger.warn('Redis has no AOF: runs are forgotten when it restarts')
  await checkShards(redis)
  const store = createRedisStore(redis)
  lifecycle.onStop('store', () => store.close())
  const publisher = createPublisher(config, logger, redis)
  lifecycle.onStop('publisher', () => publisher.close())
  // stopped after the engine that asks it; a thread is started only by a workflow that is code
  const code = new ThreadedCodeHost({ logger })
  lifecycle.onStop('code', () => code.close())
  return { config, logger, lifecycle, redis, store, publisher, code }
}
type Connected = Awaited<ReturnType<typeof connect>>

/** In whole micro-dollars; null: a namespace may spend what it likes. */
const capPerDay = (said: Connected['config']['STEPFLEET_BUDGET_PER_DAY']) =>
  said === undefined
    ? null
    : { tokens: said.tokens ?? null, microUsd: said.usd === undefined ? null : Math.round(said.usd * 1_000_000) }

const startEngine = async (connected: Connected): Promise<Engine> => {
  const { config, logger, lifecycle, redis, store, publisher, code } = connected
  const id = engineId()
  const perDay = capPerDay(config.STEPFLEET_BUDGET_PER_DAY)
  const budgets = createDrivenBudgets({ budgets: createRedisBudgets(redis), store, engine: id, perDay })
  const limits = createDrivenLimits({ limits: createRedisLimits(redis), store, engine: id, logger })
  const engine = new Engine({
    id,
    version: VERSION,
    store,
    redis,
    publisher,
    ordered: !config.STEPFLEET_REDIS_CLUSTER,
    outside: createOutside({ store, schemas: createSchemaChecks() }, limits, budgets),
    spending: { prices: readPrices(config.STEPFLEET_PRICES), capped: perDay !== null },
    code,
    logger,
    cacheBytes: CACHE_BYTES,
  })
  await engine.start()
  lifecycle.onStop('engine', () => engine.stop())
  logger.info({ engine: id }, 'engine started')
  return engine
}

/** Workflows written in TypeScript, out of the folder that is named. What is wrong with one stops the start. */
const registerCode = async ({ config, logger, store, code }: Connected): Promise<void> => {
  const folder = config.STEPFLEET_WORKFLOWS
  if (folder === undefined) return
  const workflows = await registerFolder({
    folder,
    ns: DEFAULT_NAMESPACE,
    store,
    host: code,
    schemas: createSchemaChecks(),
  })
  logger.info({ folder, workflows }, 'code workflows registered')
}

const startDoor = async ({ config, logger, lifecycle, redis, store, publisher }: Connected): Promise<void> => {
  const plans = new Plans(store)
  const tools = () => readToolManifests(redis)
  const fleet = createFleetReader(redis, publisher)
  const circuits = createCircuits(redis)
  const budgets = createRedisBudgets(redis)
  const secret = () => callbackSecret(redis)
  const door = createHttpDoor({
    store,
    mailbox: createMailbox(redis),
    viewRun: (ns, run) => viewRun({ store, plans, tools, budgets, callbackSecret: secret }, ns, run),
    callbackSecret: secret,
    fleet: () => fleet.view(),
    forceCircuit: (dependency, force) => circuits.force(dependency, force),
    toolManifests: tools,
    prices: readPrices(config.STEPFLEET_PRICES),
    publisher,
    config,
    logger,
  })
  const address = await door.listen({ host: config.STEPFLEET_HOST, port: config.STEPFLEET_PORT })
  lifecycle.onStop('door', () => door.close())
  logger.info({ address }, 'API ready')
}

/** An engine alone has no door; its health has a port of its own. */
const startEngineHealth = async ({ config, lifecycle, redis }: Connected, engine: Engine): Promise<void> => {
  const health = await startHealth({
    host: config.STEPFLEET_HOST,
    port: config.STEPFLEET_HEALTH_PORT,
    ready: async () => {
      await redis.ping()
      return engine.isReading ? { ready: true } : { ready: false, why: 'the engine does not read its mailboxes' }
    },
  })
  lifecycle.onStop('health', () => health.close())
}

const main = async (): Promise<void> => {
  const connected = await connect(loadOrchestratorConfig(process.env))
  const { ROLE } = connected.config
  await registerCode(connected)
  const engine = ROLE === 'api' ? null : await startEngine(connected)
  if (ROLE === 'engine' && engine) await startEngineHealth(connected, engine)
  else await startDoor(connected)
}

await main()
