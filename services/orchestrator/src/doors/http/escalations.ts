// Escalations are served by the escalation service, reachable through this address.
import httpProxy from '@fastify/http-proxy'
import { caseSchema, resolutionSchema } from '@stepfleet/contracts'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { HttpDoorDeps } from './context.ts'
import { Rejection } from './problems.ts'

const PREFIX = '/v1/escalations'
/** The desk answers from its own store; a resolution waits for the engine's verdict as well. */
const TIMEOUT_MS = 10_000

/** Registered apart from the other routes: what passes through is not parsed here. */
export const escalationRoutes = (app: FastifyInstance, config: HttpDoorDeps['config']): void => {
  const upstream = config.ESCALATION_URL
  if (upstream === undefined) {
    const unset = () => {
      throw new Rejection('fleet_unavailable', 'no escalation service configured: set ESCALATION_URL')
    }
    for (const url of [PREFIX, `${PREFIX}/*`])
      app.route({ method: ['GET', 'POST'], url, schema: { hide: true }, handler: unset })
    return
  }
  app.register(httpProxy, {
    upstream,
    prefix: PREFIX,
    rewritePrefix: PREFIX,
    httpMethods: ['GET', 'POST'],
    undici: { headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS },
    replyOptions: { rewriteRequestHeaders: (request, headers) => ({ ...headers, ...request.trace }) },
  })
}

// through text: zod's type of a JSON Schema is not the one of the OpenAPI types, and the text is the same
const json = (schema: z.ZodType, io: 'input' | 'output') => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { unrepresentable: 'any', io })
  return { 'application/json': { schema: JSON.parse(JSON.stringify(rest)) } }
}
const idParameter = { name: 'id', in: 'path', required: true, schema: { type: 'string' } } as const

/** What the OpenAPI page says of the addresses behind the proxy. */
export const escalationPaths = () => ({
  [PREFIX]: {
    get: {
      tags: ['escalations'],
      summary: 'Cases, newest first',
      responses: { 200: { description: 'A page of cases.' } },
    },
  },
  [`${PREFIX}/{id}`]: {
    get: {
      tags: ['escalations'],
      summary: 'A case',
      parameters: [idParameter],
      responses: { 200: { description: 'The case.', content: json(caseSchema, 'output') } },
    },
  },
  [`${PREFIX}/{id}/resolve`]: {
    post: {
      tags: ['escalations'],
      summary: 'Decide a case',
      parameters: [idParameter],
      requestBody: { required: true, content: json(resolutionSchema, 'input') },
      responses: { 200: { description: 'The engine has taken the decision.' } },
    },
  },
})
