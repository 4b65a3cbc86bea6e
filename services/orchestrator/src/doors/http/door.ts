// The HTTP door: the REST API of the orchestrator.

import { createSchemaChecks } from '@stepfleet/schemas'
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from 'fastify'
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { isLoopback } from '../../config.ts'
import { RUN_BODY_LIMIT } from './bodies.ts'
import { commandRoutes, VERDICT_WAIT_MS } from './commands.ts'
import type { HttpContext, HttpDoorDeps } from './context.ts'
import { createDefinitions } from './definitions.ts'
import { escalationRoutes } from './escalations.ts'
import { fleetRoutes, healthRoutes } from './fleet.ts'
import { answerClientError } from './plumbing/client-error.ts'
import { CALL_LIMIT_MS, guarded, within } from './plumbing/guard.ts'
import { createRouteList } from './plumbing/not-found.ts'
import { documentRoutes } from './plumbing/openapi.ts'
import { parseJson, parseYaml } from './plumbing/parse.ts'
import { refuseForeignPages } from './plumbing/same-site.ts'
import { traceRequests } from './plumbing/tracing.ts'
import { validatorCompiler } from './plumbing/validate.ts'
import { problemOf, rejectionOf } from './problems.ts'
import { runRoutes, submitRoutes } from './runs.ts'
import { stepRoutes } from './steps.ts'
import { taskRoutes } from './tasks.ts'
import { workflowRoutes } from './workflows.ts'

/** A step path has at most 512 characters, each at most three when encoded. */
const MAX_SEGMENT = 2_000
/** A whole request has to arrive within this. */
const REQUEST_LIMIT_MS = 60_000
/** Putting together the view of a run of 100,000 steps. */
const VIEW_LIMIT_MS = 30_000

const contextOf = (deps: HttpDoorDeps, closing: AbortSignal): HttpContext => {
  const schemas = createSchemaChecks()
  const { mailbox } = deps
  return {
    ...deps,
    store: guarded(deps.store, CALL_LIMIT_MS),
    publisher: guarded(deps.publisher, CALL_LIMIT_MS),
    mailbox: { ask: (command, waitMs) => within(mailbox.ask(command, waitMs), VERDICT_WAIT_MS + CALL_LIMIT_MS) },
    viewRun: (ns, run) => within(deps.viewRun(ns, run), VIEW_LIMIT_MS),
    fleet: () => within(deps.fleet(), CALL_LIMIT_MS),
    forceCircuit: (dependency, force) => within(deps.forceCircuit(dependency, force), CALL_LIMIT_MS),
    callbackSecret: () => within(deps.callbackSecret(), CALL_LIMIT_MS),
    toolManifests: () => within(deps.toolManifests(), CALL_LIMIT_MS),
    schemas,
    definitions: createDefinitions(schemas, deps.prices),
    closing,
  }
}

const answerProblem = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const rejection = rejectionOf(error)
  if (rejection.code === 'internal_error')
    request.log.error({ err: error, trace_id: request.traceId }, 'request failed')
  else if (rejection.cause !== undefined)
    request.log.warn({ err: rejection.cause, code: rejection.code, trace_id: request.traceId }, 'request refused')
  const problem = problemOf(rejection, request.traceId)
  return reply
    .code(problem.status)
    .headers(rejection.headers)
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send(problem)
}

const createApp = (logger: FastifyBaseLogger): FastifyInstance =>
  fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: RUN_BODY_LIMIT,
    requestTimeout: REQUEST_LIMIT_MS,
    routerOptions: { maxParamLength: MAX_SEGMENT },
    // while it closes it serves what still comes on open connections, and tells them to close
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => void answerProblem(error, request, reply),
    clientErrorHandler: answerClientError,
  })

const apiRoutes = (app: FastifyInstance, context: HttpContext): void => {
  app.register(
    async (scope) => {
      const api = scope.withTypeProvider<ZodTypeProvider>()
      api.removeAllContentTypeParsers()
      api.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_: unknown, body: Buffer) =>
        parseJson(body),
      )
      runRoutes(api, context)
      commandRoutes(api, context)
      stepRoutes(api, context)
      taskRoutes(api, context)
      fleetRoutes(api, context)
      // only what people write by hand may be YAML
      api.register(async (inner) => {
        const types = ['application/yaml', 'text/yaml', 'text/plain']
        inner.addContentTypeParser(types, { parseAs: 'buffer' }, async (_: unknown, body: Buffer) => parseYaml(body))
        const handwritten = inner.withTypeProvider<ZodTypeProvider>()
        workflowRoutes(handwritten, context)
        submitRoutes(handwritten, context)
      })
    },
    { prefix: '/v1' },
  )
}

/** The REST API, not yet listening. Closing it ends long polls with what they have. */
export const createHttpDoor = (deps: HttpDoorDeps): FastifyInstance => {
  const closing = new AbortController()
  const context = contextOf(deps, closing.signal)
  const app = createApp(deps.logger)
  const routes = createRouteList()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler(answerProblem)
  app.setNotFoundHandler((request) => {
    throw routes.reject(request.method, request.url)
  })
  app.addHook('onRoute', ({ method, url }) => routes.add([method].flat(), url))
  app.addHook('preClose', async () => closing.abort())
  traceRequests(app)
  const guardPages = isLoopback(deps.config.STEPFLEET_HOST)
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-content-type-options', 'nosniff')
    if (guardPages) refuseForeignPages(request.headers)
  })
  documentRoutes(app, { escalations: deps.config.ESCALATION_URL !== undefined })
  app.register(async (scope) => healthRoutes(scope.withTypeProvider<ZodTypeProvider>(), context))
  escalationRoutes(app, deps.config)
  apiRoutes(app, context)
  return app
}
