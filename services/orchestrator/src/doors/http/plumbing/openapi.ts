// The OpenAPI page: generated from the schemas that validate, so it lists what works and nothing else.
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { createJsonSchemaTransform } from 'fastify-type-provider-zod'
import { escalationPaths } from '../escalations.ts'

const DESCRIPTION = `Durable workflows for agents. Errors are \`application/problem+json\` with a stable \`code\`, the
offending places, and what to do. Every write takes an \`Idempotency-Key\`. A header \`x-stepfleet-namespace\` chooses
the namespace.`

export interface OpenApiOptions {
  /** Whether the addresses of the escalation service are reachable through this door. */
  escalations: boolean
}

/** Registers `/openapi.json` and `/docs`; before the routes they tell of. */
export const documentRoutes = (app: FastifyInstance, options: OpenApiOptions): void => {
  // the provider's own override drops "any JSON value" from unions, which would make `output` always null
  const transform = createJsonSchemaTransform({ zodToJsonConfig: { override: () => undefined } })
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Stepfleet', version: 'v1', description: DESCRIPTION },
      tags: ['workflows', 'runs', 'steps', 'fleet', 'escalations'].map((name) => ({ name })),
      paths: options.escalations ? escalationPaths() : {},
    },
    transform: (route) => (route.url.includes('*') ? { ...route, schema: { hide: true } } : transform(route)),
  })
  app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true, uiConfig: { docExpansion: 'list' } })
  app.register(async (scope) => {
    scope.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  })
}
