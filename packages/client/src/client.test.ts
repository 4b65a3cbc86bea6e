// The client against a server of node:http: addresses, bodies, answers, and every way an answer can go wrong.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Client, createClient } from './client.ts'
import { StepfleetError } from './error.ts'

let server: Server
let client: Client
let url: string
let handle: (request: IncomingMessage, response: ServerResponse, body: string) => void

beforeEach(async () => {
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (bytes) => {
      body += bytes
    })
    request.on('end', () => handle(request, response, body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  client = createClient({ url: `${url}/`, namespace: 'acme' })
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const errorOf = async (call: Promise<unknown>): Promise<StepfleetError> => {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(StepfleetError)
  return error as StepfleetError
}

describe('requests', () => {
  it('go to the right address with the right body', async () => {
    const seen: string[] = []
    handle = (request, response, body) => {
      seen.push(`${request.method} ${request.url} ${request.headers['content-type'] ?? '-'} ${body || '-'}`)
      expect(request.headers['x-stepfleet-namespace']).toBe('acme')
      response.end('{"items":[]}')
    }
    await client.runs({ status: 'failed', labels: { a: 'b', c: 'd' }, limit: 5 })
    await client.journal('r', { from: 3 })
    await client.signal('r', 'go on', [1])
    await client.step('r', 'search[3]', { action: 'override', output: null, by: 'ada' })
    await client.cancel('r')
    await client.registerWorkflow('name: x\n')
    await client.workflows()
    await client.escalations.list({ status: 'all' })
    await client.tasks.complete('cb_a.b', null)
    await client.tasks.fail('cb_a.b', { message: 'no', retryable: true })
    await client.tasks.heartbeat('cb_a.b')
    expect(seen).toEqual([
      'GET /v1/runs?status=failed&limit=5&label=a%3Ab&label=c%3Ad - -',
      'GET /v1/runs/r/journal?from=3 - -',
      'POST /v1/runs/r/signals/go%20on application/json [1]',
      'POST /v1/runs/r/steps/search%5B3%5D/override application/json {"output":null,"by":"ada"}',
      'POST /v1/runs/r/cancel application/json {}',
      'POST /v1/workflows application/yaml name: x\n',
      'GET /v1/workflows - -',
      'GET /v1/escalations?status=all - -',
      'POST /v1/tasks/cb_a.b/complete application/json null',
      'POST /v1/tasks/cb_a.b/fail application/json {"message":"no","retryable":true}',
      'POST /v1/tasks/cb_a.b/heartbeat application/json {}',
    ])
  })

  it('carry the idempotency key and the wait', async () => {
    handle = (request, response) => {
      expect(request.url).toBe('/v1/runs?wait=5s')
      expect(request.headers['idempotency-key']).toBe('k1')
      response.writeHead(202).end('{"id":"r"}')
    }
    expect(await client.submit({ workflow: 'w' }, { wait: '5s', idempotencyKey: 'k1' })).toEqual({ id: 'r' })
  })
})

describe('errors', () => {
  it('are the problem that the server gave', async () => {
    const problem = {
      type: 't',
      title: 'Unknown run',
      status: 404,
      code: 'unknown_run',
      detail: 'no run r',
      traceId: 'abc',
    }
    handle = (_, response) =>
      response.writeHead(404, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem))
    const error = await errorOf(client.run('r'))
    expect(error.problem).toEqual(problem)
    expect(error.message).toBe('Unknown run: no run r [unknown_run]')
  })

  it('tell of a server that is not ours', async () => {
    handle = (_, response) => response.writeHead(502).end('<html>bad gateway</html>')
    expect(await errorOf(client.fleet())).toMatchObject({ code: 'unexpected_answer', status: 502 })
    handle = (_, response) => response.writeHead(200).end('<html>login</html>')
    expect(await errorOf(client.fleet())).toMatchObject({ code: 'unexpected_answer', status: 200 })
  })

  it('tell of a server that does not answer, or stops in the middle', async () => {
    expect(await errorOf(createClient({ url: 'http://127.0.0.1:9' }).fleet())).toMatchObject({
      code: 'unreachable',
      status: 0,
    })
    handle = (_, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"a"', () => response.destroy())
    }
    expect(await errorOf(client.fleet())).toMatchObject({ code: 'unreachable' })
  })
})
