// The desk's HTTP door: cases are listed, read and resolved here.
import {
  caseSchema,
  DEFAULT_NAMESPACE,
  LIMITS,
  namespaceSchema,
  type Problem,
  problemSchema,
  resolutionSchema,
  runIdSchema,
  verdictSchema,
} from '@stepfleet/contracts'
import type { Logger, Readiness } from '@stepfleet/runtime'
import Fastify, { type FastifyReply, LogController } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { type Desk, type Resolved, readCase, resolveCase } from '../resolve.ts'
import { errorProblem, problemOf, refusalProblem, Unavailable } from './problems.ts'

/** Redis commands wait for Redis for ever; a caller does not. */
const STORE_LIMIT_MS = 3_000

export interface DoorOptions {
  desk: Desk
  logger: Logger
  ready: () => Promise<Readiness>
}

const within = async <T>(limitMs: number, work: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Unavailable(`no answer within ${limitMs} ms`)), limitMs)
  })
  try {
    return await Promise.race([work, limit])
  } finally {
    clearTimeout(timer)
  }
}

const sendProblem = (reply: FastifyReply, body: Problem): FastifyReply => {
  if (body.status === 503) reply.header('retry-after', '1')
  // written here: a problem fits every status, whatever schema the route has for it
  return reply
    .code(body.status)
    .type('application/problem+json')
    .serializer(() => JSON.stringify(body))
    .send(body)
}

const headers = z.object({
  'x-stepfleet-namespace': namespaceSchema.default(DEFAULT_NAMESPACE),
  'idempotency-key': z.string().min(1).max(256).optional(),
})
const params = z.object({ id: z.string().min(1).max(300) })
const listQuery = z.strictObject({
  status: z.enum(['open', 'closed', 'all']).default('open'),
  run: runIdSchema.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(1_000).optional(),
})
const resolvedSchema = z.object({ case: caseSchema, verdict: verdictSchema.nullable() })

const answerResolved = (reply: FastifyReply, resolved: Resolved): FastifyReply => {
  switch (resolved.status) {
    case 'unknown':
      return sendProblem(reply, problemOf('unknown_case'))
    case 'closed':
      return sendProblem(reply, problemOf('case_closed'))
    case 'wrong_action': {
      const suggestion = resolved.actions.join(', ')
      const message = 'this case does not take this action'
      const errors = [{ path: 'action', code: 'bad_request', message, suggestion }]
      return sendProblem(reply, problemOf('bad_request', { detail: `${message}; it takes ${suggestion}`, errors }))
    }
    case 'asked': {
      const { verdict } = resolved
      if (verdict?.status === 'refused') return sendProblem(reply, refusalProblem(verdict))
      return reply.code(verdict ? 200 : 202).send({ case: resolved.case, verdict })
    }
  }
}

const createApp = (logger: Logger) => {
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    // what fails before routing, such as a path that cannot be decoded
    frameworkErrors: (error, _, reply) => void sendProblem(reply, errorProblem(error)),
    bodyLimit: LIMITS.payloadBytes,
    routerOptions: { maxParamLength: 300 },
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setNotFoundHandler((_, reply) => sendProblem(reply, problemOf('not_found')))
  app.setErrorHandler((error, _, reply) => {
    const body = errorProblem(error)
    if (body.status >= 500) logger.error({ err: error }, 'request failed')
    return sendProblem(reply, body)
  })
  return app
}

type App = ReturnType<typeof createApp>

const addHealth = (app: App, ready: DoorOptions['ready']): void => {
  app.get('/healthz', () => ({ status: 'ok' }))
  app.get('/readyz', async (_, reply) => {
    const state = await within(STORE_LIMIT_MS, ready()).catch((error: unknown): Readiness => {
      return { ready: false, why: error instanceof Error ? error.message : String(error) }
    })
    return reply.code(state.ready ? 200 : 503).send({ status: state.ready ? 'ready' : 'not_ready', ...state })
  })
}

const addCases = (app: App, desk: Desk): void => {
  const problems = { '4xx': problemSchema, '5xx': problemSchema }
  app.route({
    method: 'GET',
    url: '/v1/escalations',
    schema: {
      headers,
      querystring: listQuery,
      response: { 200: z.object({ items: z.array(caseSchema), cursor: z.string().nullable() }), ...problems },
    },
    handler: async (request) => {
      const { status, run, limit, cursor } = request.query
      const ns = request.headers['x-stepfleet-namespace']
      return within(STORE_LIMIT_MS, desk.store.list(ns, { status, run }, { limit, cursor }))
    },
  })
  app.route({
    method: 'GET',
    url: '/v1/escalations/:id',
    schema: { headers, params, response: { 200: caseSchema, ...problems } },
    handler: async (request, reply) => {
      const ns = request.headers['x-stepfleet-namespace']
      const found = await within(STORE_LIMIT_MS, readCase(desk, ns, request.params.id))
      return found ?? sendProblem(reply, problemOf('unknown_case'))
    },
  })
  app.route({
    method: 'POST',
    url: '/v1/escalations/:id/resolve',
    schema: {
      headers,
      params,
      body: resolutionSchema,
      response: { 200: resolvedSchema, 202: resolvedSchema, ...problems },
    },
    handler: async (request, reply) => {
      const { 'x-stepfleet-namespace': ns, 'idempotency-key': key } = request.headers
      const decision = { ns, id: request.params.id, resolution: request.body, key }
      const resolved = await within(desk.waitMs + STORE_LIMIT_MS, resolveCase(desk, decision))
      return answerResolved(reply, resolved)
    },
  })
}

/** The door, not yet listening. Every error is a problem document. */
export const createDoor = ({ desk, logger, ready }: DoorOptions): App => {
  const app = createApp(logger)
  addHealth(app, ready)
  addCases(app, desk)
  return app
}
