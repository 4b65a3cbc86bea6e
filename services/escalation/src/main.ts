// The escalation process: the desk where a failed or doubtful step waits for a decision.
import { setTimeout as sleep } from 'node:timers/promises'
import { ESCALATIONS_QUEUE } from '@stepfleet/contracts'
import {
  checkRedis,
  closeRedis,
  connectRedis,
  consume,
  createClaims,
  createLifecycle,
  createLogger,
  createMailbox,
  flushTelemetry,
} from '@stepfleet/runtime'
import { readConfig } from './config.ts'
import { createDoor } from './doors/http.ts'
import { createNoticeHandler } from './doors/notices.ts'
import { createCaseStore } from './store/redis.ts'

/** Notices taken side by side. */
const SLOTS = 16
/** How long a decision waits for the engine's verdict before it is answered with 202. */
const VERDICT_MS = 5_000

const main = async (): Promise<void> => {
  const settings = readConfig()
  const logger = createLogger('escalation', settings.STEPFLEET_LOG_LEVEL)
  const lifecycle = createLifecycle(logger)
  lifecycle.listen()
  lifecycle.onStop('telemetry', flushTelemetry)

  const client = connectRedis(settings, { name: 'escalation', logger })
  lifecycle.onStop('redis', () => closeRedis(client))
  const { volatile } = await checkRedis(client, { allowVolatile: settings.STEPFLEET_ALLOW_VOLATILE })
  if (volatile) logger.warn('Redis has no AOF: cases are forgotten when it restarts')

  const store = createCaseStore(client, settings.STEPFLEET_ESCALATION_KEEP_DAYS)
  const desk = { store, mailbox: createMailbox(client), record: createClaims(client), waitMs: VERDICT_MS }
  const door = createDoor({
    desk,
    logger,
    ready: async () => {
      // the consumer watches and mends itself, so it does its work when Redis answers
      await client.ping()
      return { ready: true }
    },
  })
  const handle = createNoticeHandler({ store, logger, stopping: lifecycle.stopping })
  const consumer = consume(settings, { queue: ESCALATIONS_QUEUE, slots: SLOTS, handle, logger })
  const address = await door.listen({ host: settings.STEPFLEET_HOST, port: settings.STEPFLEET_PORT })

  lifecycle.onStop('door', () => door.close())
  // a notice that cannot be stored holds the consumer: after the grace time it is left for the next desk
  lifecycle.onStop('notices', () => Promise.race([consumer.stop(), sleep(settings.STEPFLEET_DRAIN_MS)]))
  logger.info({ address }, 'ready')
}

await main()
