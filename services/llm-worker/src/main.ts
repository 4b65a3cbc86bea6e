// The llm-worker process: answers llm tasks and the turns of agents.
import { readFileSync } from 'node:fs'
import { createLifecycle, createLogger, redactValues, startHealth, startTaskWorker } from '@stepfleet/runtime'
import { createSchemaChecks } from '@stepfleet/schemas'
import { z } from 'zod'
import { providersIn, readPrices, readSettings } from './config.ts'
import { createConversations } from './conversation.ts'
import { createHandler } from './handle.ts'
import { createProvider } from './providers/create.ts'

const MIB = 1024 * 1024

const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')))

const main = async (): Promise<void> => {
  const settings = readSettings()
  const logger = createLogger('llm-worker', settings.STEPFLEET_LOG_LEVEL)
  const lifecycle = createLifecycle(logger)
  lifecycle.listen()

  const { served, unserved } = providersIn(settings)
  // a gateway may quote a key in what it says
  redactValues(served.flatMap(({ apiKey }) => (apiKey ? [apiKey, ...apiKey.split(/\s+/)] : [])))
  for (const { name, setting } of unserved)
    logger.info({ provider: name, setting }, 'provider not served: it has no key')
  const limits = {
    headersMs: settings.STEPFLEET_MODEL_HEADERS_MS,
    chunkMs: settings.STEPFLEET_MODEL_CHUNK_MS,
    prices: readPrices(settings.STEPFLEET_PRICES),
  }
  const providers = served.map((one) => createProvider(one, limits))
  const worker = await startTaskWorker({
    settings,
    logger,
    service: 'llm-worker',
    version,
    kind: 'llm',
    queues: { prefixes: providers.map(({ name }) => `llm.${name}.`) },
    slots: settings.STEPFLEET_SLOTS,
    spoolDir: settings.STEPFLEET_SPOOL_DIR,
    drainMs: settings.STEPFLEET_DRAIN_MS,
    modelLimits: settings.STEPFLEET_MODEL_LIMITS,
    tuning: { slowCallMs: settings.STEPFLEET_SLOW_CALL_MS },
    handler: createHandler({
      providers,
      conversations: createConversations(settings.STEPFLEET_CONVERSATION_CACHE_MB * MIB),
      checks: createSchemaChecks(),
    }),
  })
  const health = await startHealth({
    host: settings.STEPFLEET_HOST,
    port: settings.STEPFLEET_HEALTH_PORT,
    ready: () => worker.ready(),
  })
  // the worker drains first, with its health still answering
  lifecycle.onStop('health', () => health.close())
  lifecycle.onStop('worker', () => worker.stop())
  const names = providers.map(({ name }) => name)
  logger.info({ worker: worker.id, healthPort: health.port, providers: names }, 'ready')
}

await main()
