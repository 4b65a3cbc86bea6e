// Shapes of the REST API that no other process shares: parameters, small bodies, and what the lists answer.
import {
  budgetSchema,
  circuitViewSchema,
  dependencySchema,
  editSchema,
  engineInfoSchema,
  eventSchema,
  failureSchema,
  jsonSchema,
  LIMITS,
  namespaceSchema,
  parseDurationMs,
  problemErrorSchema,
  problemSchema,
  runBudgetSchema,
  runIdSchema,
  runStatusSchema,
  runSummarySchema,
  runViewSchema,
  workerInfoSchema,
} from '@stepfleet/contracts'
import { z } from 'zod'

/** Content types of bodies that people write by hand: workflows and runs. */
export const HANDWRITTEN = ['application/json', 'application/yaml', 'text/yaml', 'text/plain']
/** An input may have 16 MiB; the rest of the request needs some room. */
export const RUN_BODY_LIMIT = LIMITS.payloadBytes + 1024 * 1024

/** Longest `?wait=`. */
export const MAX_WAIT_MS = 60_000

/** Headers every `/v1` route takes. Loose: whatever else a client sends is none of our business. */
export const headersSchema = z.looseObject({
  'x-stepfleet-namespace': namespaceSchema.optional().describe('Namespace of the call; `default` without it.'),
})
export const writeHeadersSchema = headersSchema.extend({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'an Idempotency-Key is 1 to 255 visible ASCII characters')
    .optional()
    .describe('The same key with the same request has one effect, however often it is sent.'),
})

const waitSchema = z
  .string()
  .refine((text) => {
    const ms = parseDurationMs(text)
    return ms !== null && ms <= MAX_WAIT_MS
  }, 'wait is a duration up to 60s, for example 30s')
  .optional()
  .describe('Wait up to this long (at most `60s`) for the run to end.')
export const waitQuerySchema = z.strictObject({ wait: waitSchema })

const limitSchema = z.coerce.number().int().min(1).max(200).default(50)
const cursorSchema = z.string().min(1).max(2_000).optional().describe('`cursor` of the page before.')
export const pageQuerySchema = z.strictObject({ limit: limitSchema, cursor: cursorSchema })

/** An RFC 3339 time, or epoch milliseconds. */
const timeSchema = z
  .union([z.iso.datetime({ offset: true }), z.string().regex(/^\d{1,15}$/)])
  .describe('RFC 3339 time, or epoch milliseconds.')
  .optional()
/** Epoch milliseconds of what `timeSchema` let through. */
export const timeMs = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  return /^\d+$/.test(text) ? Number(text) : Date.parse(text)
}

const labelFilter = z.string().regex(/^[A-Za-z0-9_-]{1,128}:.{0,256}$/s, 'a label filter is written key:value')
export const runsQuerySchema = pageQuerySchema.extend({
  status: runStatusSchema.optional(),
  workflow: z.string().max(64).optional(),
  label: z
    .union([labelFilter, z.array(labelFilter).max(16)])
    .optional()
    .describe('`key:value`; repeated: all must match.'),
  since: timeSchema,
  until: timeSchema,
})
export const journalQuerySchema = z.strictObject({
  from: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).default(1).describe('First sequence number.'),
  limit: z.coerce.number().int().min(1).max(1_000).default(200),
})

export const runParamsSchema = z.object({ id: runIdSchema })
// The grammar of a path is judged by the handler: a wrong one is an unknown step (404), not a bad request.
export const stepParamsSchema = runParamsSchema.extend({
  path: z.string().describe('The step path as one percent-encoded segment: `search%5B3%5D`, `work%2Fturn-1%2Fllm`.'),
})
export const signalParamsSchema = runParamsSchema.extend({ name: z.string().min(1).max(128) })
export const workflowParamsSchema = z.object({ name: z.string() })
export const versionParamsSchema = workflowParamsSchema.extend({ version: z.coerce.number().int().min(1) })
export const queueParamsSchema = z.object({ name: z.string() })

const by = z.string().min(1).max(200).optional().describe('Who decides; journaled. `api` without it.')
const reason = z.string().max(2_000).optional().describe('Why; journaled.')
export const reasonBodySchema = z.strictObject({ by, reason }).nullish()
/** `compensate` false: what has completed stays done; a run that undoes already ends at once. */
export const cancelBodySchema = z.strictObject({ by, reason, compensate: z.boolean().optional() }).nullish()
/** New caps; those that are not named stay. */
export const budgetBodySchema = budgetSchema.extend({ by, reason })
/** As above, of an agent. */
export const agentBudgetBodySchema = runBudgetSchema
  .extend({ by, reason })
  .refine(({ usd, tokens }) => usd !== undefined || tokens !== undefined, 'name `usd`, `tokens` or both')
export const retryBodySchema = z.strictObject({ by, reason, edit: editSchema.optional() }).nullish()
export const overrideBodySchema = z.strictObject({ by, reason, output: jsonSchema })
export const approveBodySchema = z.strictObject({ by, reason, edits: jsonSchema.optional() }).nullish()

/** Answer to a command: applied by the engine, or queued because no engine answered in time. */
export const appliedSchema = z.strictObject({ applied: z.literal(true), seq: z.int().nonnegative() })
export const queuedSchema = z.strictObject({ queued: z.literal(true) })

/** Each item is judged on its own, so nothing is said of it here. */
export const batchBodySchema = z.strictObject({
  runs: z.array(z.unknown().describe('As the body of `POST /v1/runs`.')).min(1).max(1_000),
})

export const runPageSchema = z.strictObject({ items: z.array(runSummarySchema), cursor: z.string().nullable() })
export const runOrViewSchema = z.union([runViewSchema, runSummarySchema])
export const journalPageSchema = z.strictObject({
  events: z.array(eventSchema),
  /** `from` of the next page; null: nothing more yet. */
  next: z.int().nullable(),
})
export const resultSchema = z.discriminatedUnion('status', [
  z.strictObject({ status: z.literal('completed'), output: jsonSchema }),
  z.strictObject({
    status: z.enum(['failed', 'cancelled']),
    failure: failureSchema.nullable(),
    failedStep: z.string().nullable(),
  }),
])
export const unfinishedSchema = z.strictObject({ status: runStatusSchema })

export const registeredSchema = z.strictObject({
  name: z.string(),
  version: z.int().positive(),
  hash: z.string(),
  created: z.boolean(),
  warnings: z.array(problemErrorSchema),
})
export const validationSchema = z.strictObject({
  valid: z.boolean(),
  errors: z.array(problemErrorSchema),
  warnings: z.array(problemErrorSchema),
})
export const workflowPageSchema = z.strictObject({
  items: z.array(z.strictObject({ name: z.string(), latest: z.int().positive() })),
  cursor: z.string().nullable(),
})
export const workflowViewSchema = z.strictObject({
  name: z.string(),
  version: z.int().positive(),
  hash: z.string(),
  definition: jsonSchema,
  createdAtMs: z.int(),
})

const liveness = {
  /** Whether its beat moved while we looked; null: it does not beat. */
  alive: z.boolean().nullable(),
  /** Milliseconds for which its beat has at least stood still; 0 when it moves. */
  lastBeatAgoMs: z.int().nonnegative().nullable(),
}
export const queueViewSchema = z.strictObject({
  name: z.string(),
  waiting: z.int().nonnegative(),
  active: z.int().nonnegative(),
  oldestAgeMs: z.number().nonnegative().nullable(),
})
export const fleetViewSchema = z.strictObject({
  workers: z.array(workerInfoSchema.extend(liveness)),
  engines: z.array(engineInfoSchema.extend(liveness)),
  queues: z.array(queueViewSchema),
  /** Those that live workers use, and those that the fleet has not closed or an operator holds. */
  circuits: z.array(circuitViewSchema),
})
export type FleetView = z.infer<typeof fleetViewSchema>
export const circuitParamsSchema = z.strictObject({
  dependency: dependencySchema.describe('One percent-encoded segment: `anthropic%2Fclaude-sonnet-5-5`.'),
})
export type QueueView = z.infer<typeof queueViewSchema>
export const depthSchema = z.strictObject({
  name: z.string(),
  /** Waiting and prioritised jobs: what a scaler should look at. */
  depth: z.int().nonnegative(),
  active: z.int().nonnegative(),
  oldestAgeMs: z.number().nonnegative().nullable(),
})

export const healthSchema = z.strictObject({ status: z.literal('ok') })
export const readySchema = z.strictObject({ ready: z.boolean(), role: z.string(), why: z.string().optional() })

const problemResponse = {
  description: 'Problem details (RFC 9457) with a stable `code`.',
  content: { 'application/problem+json': { schema: problemSchema } },
}
/** The problems that any route may answer. */
export const problemResponses = { '4xx': problemResponse, '5xx': problemResponse }
