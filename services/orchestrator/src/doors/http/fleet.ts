// The fleet: its processes, queues and circuits; the depth of a queue for autoscalers; health.
import { circuitViewSchema, forceCircuitSchema, queueKind } from '@stepfleet/contracts'
import {
  circuitParamsSchema,
  depthSchema,
  fleetViewSchema,
  headersSchema,
  healthSchema,
  problemResponses,
  queueParamsSchema,
  readySchema,
  writeHeadersSchema,
} from './bodies.ts'
import type { Door, HttpContext } from './context.ts'
import { within } from './plumbing/guard.ts'
import { Rejection, rejectionOf } from './problems.ts'

const tags = ['fleet']
const SMALL_BODY_LIMIT = 64 * 1024
/** A probe that waits longer has given up on us. */
const READY_LIMIT_MS = 1_000
const QUEUE_NAME = /^[A-Za-z0-9._-]{1,200}$/

export const fleetRoutes = (app: Door, context: HttpContext): void => {
  app.get(
    '/fleet',
    {
      schema: {
        tags,
        summary: 'Workers, engines, queues and circuits',
        headers: headersSchema,
        response: { 200: fleetViewSchema, ...problemResponses },
      },
    },
    () => context.fleet(),
  )
  app.post(
    '/fleet/circuits/:dependency',
    {
      bodyLimit: SMALL_BODY_LIMIT,
      schema: {
        tags,
        summary: 'Force a circuit open or closed for the whole fleet, or let go of it',
        headers: writeHeadersSchema,
        params: circuitParamsSchema,
        body: forceCircuitSchema,
        response: { 200: circuitViewSchema, ...problemResponses },
      },
    },
    // the same request again changes nothing, with or without an Idempotency-Key
    async (request) => {
      const { dependency } = request.params
      const circuit = await context.forceCircuit(dependency, request.body)
      request.log.warn({ dependency, ...request.body }, 'circuit forced')
      return circuit
    },
  )
  app.get(
    '/queues/:name/depth',
    {
      schema: {
        tags,
        summary: 'How much waits in a queue, for autoscalers',
        headers: headersSchema,
        params: queueParamsSchema,
        response: { 200: depthSchema, ...problemResponses },
      },
    },
    async (request) => {
      const { name } = request.params
      // a queue that nobody has used yet is empty, not unknown: a scaler asks before the first task
      if (!QUEUE_NAME.test(name) || queueKind(name) === null)
        throw new Rejection('not_found', 'queues are llm.<provider>.<model>, tool.<name> and escalations')
      const { waiting, active, oldestAgeMs } = await context.publisher.depth(name)
      return { name, depth: waiting, active, oldestAgeMs }
    },
  )
}

const INDEX = `Stepfleet: durable workflows for agents.

  /docs           the API, for people
  /openapi.json   the API, for programs (OpenAPI 3.1)
  /v1/runs        runs
  /v1/workflows   workflows
  /v1/fleet       workers, queues, circuits
  /readyz         whether this process can serve
`

/** Outside `/v1`: they say nothing of any namespace. */
export const healthRoutes = (app: Door, context: HttpContext): void => {
  app.get('/', { schema: { hide: true } }, (_, reply) => reply.type('text/plain; charset=utf-8').send(INDEX))
  app.get(
    '/healthz',
    { schema: { tags, summary: 'The process answers', response: { 200: healthSchema } } },
    async () => ({
      status: 'ok' as const,
    }),
  )
  app.get(
    '/readyz',
    {
      schema: {
        tags,
        summary: 'The store answers, so requests can be served',
        response: { 200: readySchema, 503: readySchema },
      },
    },
    async (_, reply) => {
      const role = context.config.ROLE
      if (context.closing.aborted) return reply.code(503).send({ ready: false, role, why: 'closing' })
      try {
        await within(context.store.now(), READY_LIMIT_MS)
        return reply.code(200).send({ ready: true, role })
      } catch (error) {
        return reply.code(503).send({ ready: false, role, why: rejectionOf(error).code })
      }
    },
  )
}
