// The tool-worker process: runs http requests and module tools, and tells of callbacks.
import { readFileSync } from 'node:fs'
import {
  callbackSecret,
  closeRedis,
  connectRedis,
  createLifecycle,
  createLogger,
  flushTelemetry,
  startHealth,
  startTaskWorker,
} from '@stepfleet/runtime'
import { z } from 'zod'
import { readConfig } from './config.ts'
import { createHandler } from './handle.ts'
import { createSecrets } from './secrets.ts'
import { createEgress } from './tools/egress.ts'
import { loadTools, manifestsOf } from './tools/registry.ts'

const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')))

const main = async (): Promise<void> => {
  const { settings, secrets: values } = readConfig()
  const logger = createLogger('tool-worker', settings.STEPFLEET_LOG_LEVEL)
  const lifecycle = createLifecycle(logger)
  lifecycle.listen()
  lifecycle.onStop('telemetry', flushTelemetry)

  const registry = await loadTools(settings.STEPFLEET_TOOLS)
  const secrets = createSecrets({ values, dir: settings.STEPFLEET_SECRETS_DIR ?? null })
  const egress = createEgress({ allow: settings.STEPFLEET_EGRESS_ALLOW })
  lifecycle.onStop('egress', () => egress.close())

  // of its own: the runtime's connections wait in line with claims and reports
  const redis = connectRedis(settings, { name: 'tool-worker-callbacks', logger })
  lifecycle.onStop('redis', () => closeRedis(redis))
  const callbacks = { secret: () => callbackSecret(redis), publicUrl: settings.STEPFLEET_PUBLIC_URL }

  const worker = await startTaskWorker({
    settings,
    logger,
    service: 'tool-worker',
    version,
    kind: 'tool',
    queues: ['tool.http', 'tool.module'],
    slots: settings.STEPFLEET_SLOTS,
    spoolDir: settings.STEPFLEET_SPOOL_DIR,
    drainMs: settings.STEPFLEET_DRAIN_MS,
    tuning: { slowCallMs: settings.STEPFLEET_SLOW_CALL_MS },
    handler: createHandler({ registry, egress, secrets, callbacks }),
    tools: manifestsOf(registry),
  })
  const health = await startHealth({
    host: settings.STEPFLEET_HOST,
    port: settings.STEPFLEET_HEALTH_PORT,
    ready: () => worker.ready(),
  })
  // the worker drains first, with its health still answering
  lifecycle.onStop('health', () => health.close())
  lifecycle.onStop('worker', () => worker.stop())
  logger.info({ worker: worker.id, healthPort: health.port, tools: [...registry.keys()] }, 'ready')
}

await main()
