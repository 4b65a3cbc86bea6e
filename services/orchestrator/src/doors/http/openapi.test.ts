import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterEach, describe, expect, test } from 'vitest'
import { openDoor, type TestDoor } from './test/fixture.ts'

let door: TestDoor
let desk: Server | null = null
afterEach(async () => {
  await door.app.close()
  desk?.closeAllConnections()
  desk?.close()
  desk = null
})

interface Operation {
  responses: Record<string, { content?: Record<string, { schema: object }> }>
  requestBody?: { content: Record<string, { schema: object }> }
  parameters?: { name: string; in: string }[]
}
interface Document {
  openapi: string
  paths: Record<string, Record<string, Operation>>
}
const documentOf = async (): Promise<Document> => (await door.get('/openapi.json')).json()

const startDesk = async (): Promise<string> => {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      response.setHeader('content-type', 'application/json')
      const { method, url, headers } = request
      const body = Buffer.concat(chunks).toString()
      response.end(JSON.stringify({ method, url, namespace: headers['x-stepfleet-namespace'], body }))
    })
  })
  desk = server
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('the OpenAPI page', () => {
  test('is 3.1, and each of its schemas is a JSON Schema', async () => {
    door = await openDoor({ config: { ESCALATION_URL: await startDesk() } })
    const document = await documentOf()
    expect(document.openapi).toBe('3.1.0')
    const ajv = new Ajv2020({ strict: false, logger: false, validateFormats: false })
    const schemas = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).flatMap(({ requestBody, responses }) =>
        [requestBody, ...Object.values(responses)].flatMap((part) =>
          Object.values(part?.content ?? {}).map(({ schema }) => schema),
        ),
      ),
    )
    expect(schemas.length).toBeGreaterThan(40)
    for (const schema of schemas) expect(() => ajv.compile(schema)).not.toThrow()
  })

  test('lists what works: every route answers something of its own', async () => {
    door = await openDoor({ config: { ESCALATION_URL: await startDesk() } })
    const { paths } = await documentOf()
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ path, method })),
    )
    expect(routes.length).toBeGreaterThan(20)
    for (const { path, method } of routes) {
      const url = path
        .replace('{version}', '1')
        .replace('queues/{name}', 'queues/tool.http')
        .replace(/\{\w+\}/g, 'a')
      const answer = await door.app.inject({ method: method === 'get' ? 'GET' : 'POST', url })
      const { code } = String(answer.headers['content-type']).includes('problem') ? answer.json() : { code: null }
      expect(['not_found', 'method_not_allowed', 'internal_error'], `${method} ${path}`).not.toContain(code)
    }
  })

  test('lists nothing of what is not built, and all that is', async () => {
    door = await openDoor()
    const { paths } = await documentOf()
    const listed = Object.entries(paths)
      .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`))
      .sort()
    const steps = ['approve', 'budget', 'override', 'reject', 'retry', 'skip'].map(
      (verb) => `POST /v1/runs/{id}/steps/{path}/${verb}`,
    )
    const run = ['cancel', 'pause', 'resume', 'budget', 'signals/{name}'].map((verb) => `POST /v1/runs/{id}/${verb}`)
    const tasks = ['complete', 'fail', 'heartbeat'].map((verb) => `POST /v1/tasks/{token}/${verb}`)
    const reads = ['', '/journal', '/result'].map((what) => `GET /v1/runs/{id}${what}`)
    const workflows = [
      'GET /v1/workflows',
      'GET /v1/workflows/{name}',
      'GET /v1/workflows/{name}/versions/{version}',
      'GET /v1/schema/workflow',
    ]
    const fleet = [
      ...['GET /v1/fleet', 'POST /v1/fleet/circuits/{dependency}', 'GET /v1/queues/{name}/depth'],
      ...['GET /healthz', 'GET /readyz'],
    ]
    const writes = ['POST /v1/workflows', 'POST /v1/workflows/validate', 'POST /v1/runs', 'POST /v1/runs/batch']
    expect(listed).toEqual(
      [...steps, ...run, ...tasks, ...reads, ...workflows, ...fleet, ...writes, 'GET /v1/runs'].sort(),
    )
  })

  test('says which bodies may be YAML, and that a run has any output', async () => {
    door = await openDoor()
    const { paths } = await documentOf()
    expect(Object.keys(paths['/v1/runs']?.post?.requestBody?.content ?? {})).toContain('application/yaml')
    const view = JSON.stringify(paths['/v1/runs/{id}']?.get?.responses['200'])
    expect(view).toContain('"output":{"anyOf":[{},{"type":"null"}]}')
  })

  test('has a page for people', async () => {
    door = await openDoor()
    const page = await door.get('/docs/')
    expect(page.statusCode).toBe(200)
    expect(page.headers['content-type']).toContain('text/html')
    expect((await door.get('/')).body).toContain('/docs')
    expect((await door.get('/healthz')).json()).toEqual({ status: 'ok' })
    expect((await door.get('/readyz')).json()).toEqual({ ready: true, role: 'api' })
  })
})

describe('escalations', () => {
  test('pass through to the service, body and namespace and all', async () => {
    door = await openDoor({ config: { ESCALATION_URL: await startDesk() } })
    const list = await door.get('/v1/escalations?status=open', { 'x-stepfleet-namespace': 'n' })
    expect(list.json()).toMatchObject({ method: 'GET', url: '/v1/escalations?status=open', namespace: 'n' })
    const resolved = await door.post('/v1/escalations/esc_r_4/resolve', { action: 'skip', by: 'ada' })
    expect(resolved.json()).toMatchObject({
      method: 'POST',
      url: '/v1/escalations/esc_r_4/resolve',
      body: '{"action":"skip","by":"ada"}',
    })
  })

  test('without a service, or with one that is away: 503', async () => {
    door = await openDoor()
    const none = await door.get('/v1/escalations')
    expect(none.json()).toMatchObject({ status: 503, code: 'fleet_unavailable' })
    expect(none.json().detail).toContain('no escalation service configured')
    await door.app.close()
    const url = await startDesk()
    desk?.close()
    door = await openDoor({ config: { ESCALATION_URL: url } })
    expect((await door.get('/v1/escalations')).json()).toMatchObject({ status: 503, code: 'fleet_unavailable' })
  })
})

describe('the depth of a queue', () => {
  test('is one number, also of a queue that nobody has used', async () => {
    door = await openDoor()
    const answer = await door.get('/v1/queues/llm.anthropic.claude-sonnet-5-5/depth')
    expect(answer.json()).toEqual({
      name: 'llm.anthropic.claude-sonnet-5-5',
      depth: 3,
      active: 1,
      oldestAgeMs: 20,
    })
    expect((await door.get('/v1/queues/nonsense/depth')).json()).toMatchObject({ status: 404, code: 'not_found' })
  })
})
