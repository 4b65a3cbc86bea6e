// Workflows: register a version, check one, list and read them.
import type { Json } from '@stepfleet/contracts'
import { jsonSchema, nearest, workflowJsonSchema } from '@stepfleet/contracts'
import { z } from 'zod'
import type { StoredDefinition } from '../../store/port.ts'
import {
  HANDWRITTEN,
  headersSchema,
  pageQuerySchema,
  problemResponses,
  registeredSchema,
  validationSchema,
  versionParamsSchema,
  workflowPageSchema,
  workflowParamsSchema,
  workflowViewSchema,
  writeHeadersSchema,
} from './bodies.ts'
import { type Door, type HttpContext, namespaceOf } from './context.ts'
import { unknownTools } from './definitions.ts'
import { Rejection } from './problems.ts'

const DEFINITION_LIMIT = 4 * 1024 * 1024
const tags = ['workflows']

/** Throws `unknown_workflow` with the nearest name there is. */
export const definitionOf = async (
  context: HttpContext,
  ns: string,
  name: string,
  version: number | null,
): Promise<StoredDefinition> => {
  const found = await context.store.definition(ns, name, version)
  if (found) return found
  const names = await context.store.definitions(ns)
  const same = names.find((one) => one.name === name)
  if (same) throw new Rejection('unknown_workflow', `${name} has no version ${version}; the newest is ${same.latest}`)
  const guess = nearest(
    name,
    names.map((one) => one.name),
  )
  const hint = guess === null ? 'register it first: POST /v1/workflows' : `did you mean ${guess}?`
  throw new Rejection('unknown_workflow', `there is no workflow ${name} in namespace ${ns}; ${hint}`)
}

const viewOf = (stored: StoredDefinition) => ({
  name: stored.name,
  version: stored.version ?? 1,
  hash: stored.hash,
  definition: stored.definition,
  createdAtMs: stored.createdAtMs,
})

const register = async (context: HttpContext, ns: string, raw: Json) => {
  const { definition, hash, text, warnings } = context.definitions.accept(raw)
  const missing = unknownTools(definition, await context.toolManifests())
  const { version, created } = await context.store.register(ns, definition.name, hash, text)
  return { name: definition.name, version, hash, created, warnings: [...warnings, ...missing] }
}

const writeRoutes = (app: Door, context: HttpContext): void => {
  app.post(
    '/workflows',
    {
      bodyLimit: DEFINITION_LIMIT,
      schema: {
        tags,
        summary: 'Register a version of a workflow, in JSON or YAML',
        description: '201 for a new version; 200 when the newest version has the same content already.',
        consumes: HANDWRITTEN,
        headers: writeHeadersSchema,
        body: jsonSchema,
        response: { 200: registeredSchema, 201: registeredSchema, ...problemResponses },
      },
    },
    async (request, reply) => {
      const ns = namespaceOf(request.headers)
      const registered = await register(context, ns, request.body)
      const place = `/v1/workflows/${registered.name}/versions/${registered.version}`
      return reply
        .code(registered.created ? 201 : 200)
        .header('location', place)
        .send(registered)
    },
  )
  app.post(
    '/workflows/validate',
    {
      bodyLimit: DEFINITION_LIMIT,
      schema: {
        tags,
        summary: 'Check a definition without registering it: every error at once',
        consumes: HANDWRITTEN,
        headers: headersSchema,
        body: jsonSchema,
        response: { 200: validationSchema, ...problemResponses },
      },
    },
    async (request) => {
      const result = context.definitions.check(request.body)
      if (!result.ok) return { valid: false, errors: result.errors, warnings: [] }
      const missing = unknownTools(result.definition, await context.toolManifests())
      return { valid: true, errors: [], warnings: [...result.warnings, ...missing] }
    },
  )
}

const cursorOf = (name: string): string => Buffer.from(name).toString('base64url')

const readRoutes = (app: Door, context: HttpContext): void => {
  app.get(
    '/workflows',
    {
      schema: {
        tags,
        summary: 'The workflows of a namespace, by name',
        headers: headersSchema,
        querystring: pageQuerySchema,
        response: { 200: workflowPageSchema, ...problemResponses },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query
      const all = await context.store.definitions(namespaceOf(request.headers))
      const after = cursor === undefined ? '' : Buffer.from(cursor, 'base64url').toString()
      const rest = all.filter(({ name }) => name > after).sort((a, b) => (a.name < b.name ? -1 : 1))
      const items = rest.slice(0, limit).map(({ name, latest }) => ({ name, latest }))
      const last = items.at(-1)
      return { items, cursor: last && rest.length > limit ? cursorOf(last.name) : null }
    },
  )
  const versionSchema = { tags, headers: headersSchema, response: { 200: workflowViewSchema, ...problemResponses } }
  app.get(
    '/workflows/:name',
    { schema: { ...versionSchema, summary: 'The newest version of a workflow', params: workflowParamsSchema } },
    async (request) => viewOf(await definitionOf(context, namespaceOf(request.headers), request.params.name, null)),
  )
  app.get(
    '/workflows/:name/versions/:version',
    { schema: { ...versionSchema, summary: 'A version of a workflow', params: versionParamsSchema } },
    async (request) => {
      const { name, version } = request.params
      return viewOf(await definitionOf(context, namespaceOf(request.headers), name, version))
    },
  )
}

const WORKFLOW_SCHEMA = workflowJsonSchema()

const schemaRoute = (app: Door): void => {
  app.get(
    '/schema/workflow',
    {
      schema: {
        tags,
        summary: 'The JSON Schema (2020-12) of the workflow format, for editors',
        response: { 200: z.record(z.string(), jsonSchema), ...problemResponses },
      },
    },
    async (_, reply) => reply.type('application/schema+json').send(WORKFLOW_SCHEMA),
  )
}

export const workflowRoutes = (app: Door, context: HttpContext): void => {
  writeRoutes(app, context)
  readRoutes(app, context)
  schemaRoute(app)
}
