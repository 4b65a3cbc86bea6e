// Telling the outside of a callback, against a server that plays the outside.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Event, Failure, Json, Task } from '@stepfleet/contracts'
import { createLogger, readCallbackToken, type TaskContext, TaskFailure } from '@stepfleet/runtime'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { createHandler } from '../handle.ts'
import { createSecrets } from '../secrets.ts'
import { createEgress, type Egress } from './egress.ts'

const SECRET = 'a-secret-of-the-fleet'
let answer: (response: ServerResponse, body: string) => void
let seen: { method: string | undefined; headers: IncomingMessage['headers']; body: string }[]
let base = ''
let egress: Egress
const server = createServer((request, response) => {
  let body = ''
  request.on('data', (chunk) => {
    body += chunk
  })
  request.on('end', () => {
    seen.push({ method: request.method, headers: request.headers, body })
    answer(response, body)
  })
})

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  egress = createEgress({ allow: ['127.0.0.1'] })
})
afterAll(async () => {
  await egress.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
beforeEach(() => {
  seen = []
  answer = (response) => response.writeHead(202).end()
})

const task: Task = {
  ...{ kind: 'tool', ns: 'default', run: 'r1', path: 'print[2]', attempt: 3, delivery: 1, effect: 'idempotent' },
  ...{ effectKey: 'default/r1/print[2]', timeoutMs: 60_000, workflow: 'w', input: { value: null } },
}
const started = { seq: 1, atMs: 1_234, type: 'run.started' } as Event
const handler = () =>
  createHandler({
    registry: new Map(),
    egress,
    secrets: createSecrets({ values: new Map([['KEY', 'canary-key']]), dir: null }),
    callbacks: { secret: async () => SECRET, publicUrl: 'https://flows.example' },
  })
const contextOf = (input: Json, of: Task): TaskContext => ({
  ...{ task: of, input: { tool: 'callback', with: input }, attempt: task.attempt, effectKey: task.effectKey },
  signal: AbortSignal.timeout(60_000),
  log: createLogger('test', 'silent'),
  record: {
    events: async (_, __, seqs) => seqs.map(() => started),
    blob: async () => null,
    payload: async (_, __, value) => ({ value }),
  },
})
const tell = (input: Json, of = task) => handler().run(contextOf(input, of))
const failureOf = async (input: Json): Promise<Failure> => {
  const thrown = await tell(input).catch((error: unknown) => error)
  if (!(thrown instanceof TaskFailure)) throw new Error('not a TaskFailure', { cause: thrown })
  return thrown.failure
}

const callbackSchema = z.strictObject({
  callback: z.strictObject({ token: z.string(), complete: z.string(), fail: z.string(), heartbeat: z.string() }),
})

test('the body carries the token and where to answer; the header carries the effect key', async () => {
  const headers = { authorization: { $concat: ['Bearer ', { $secret: 'KEY' }] } }
  expect(await tell({ url: `${base}/jobs`, headers, body: { pages: 3 } })).toEqual({ output: null })
  const [request] = seen
  expect(request).toMatchObject({
    method: 'POST',
    headers: {
      authorization: 'Bearer canary-key',
      'content-type': 'application/json',
      'idempotency-key': 'default/r1/print[2]',
    },
  })
  const { pages, ...rest } = JSON.parse(request?.body ?? '')
  expect(pages).toBe(3)
  const { callback } = callbackSchema.parse(rest)
  const { token } = callback
  expect(readCallbackToken(SECRET, token)).toEqual({
    ...{ ns: 'default', run: 'r1', startedAtMs: 1_234, path: 'print[2]', attempt: 3 },
  })
  expect(callback).toEqual({
    token,
    complete: `https://flows.example/v1/tasks/${token}/complete`,
    fail: `https://flows.example/v1/tasks/${token}/fail`,
    heartbeat: `https://flows.example/v1/tasks/${token}/heartbeat`,
  })
})

test('told again, it is told the same, whatever its effect', async () => {
  await tell({ url: base, method: 'put' })
  await tell({ url: base, method: 'put' }, { ...task, effect: 'read', delivery: 2 })
  expect(seen[0]).toMatchObject({ method: 'PUT' })
  expect(seen[1]?.headers['idempotency-key']).toBe(task.effectKey)
  expect(seen[1]?.body).toBe(seen[0]?.body)
})

test('a 2xx is enough, whatever it says; it is no output', async () => {
  answer = (response) => response.writeHead(201, { 'content-type': 'application/json' }).end('{"cut":')
  expect(await tell({ url: base })).toEqual({ output: null })
})

test('any other answer fails by the table of http, and no token gets into what is journaled', async () => {
  answer = (response, body) => response.writeHead(503, { 'retry-after': '7' }).end(body)
  const busy = await failureOf({ url: base })
  expect(busy).toMatchObject({ code: 'overloaded', class: 'transient', http: 503, retryAfterMs: 7_000 })
  expect(JSON.stringify(busy)).toContain('[redacted]')
  expect(JSON.stringify(busy)).not.toContain('cb_')
  answer = (response) => response.writeHead(400).end()
  expect(await failureOf({ url: base })).toMatchObject({ code: 'http_error', class: 'permanent', http: 400 })
})

test.each([
  [{ method: 'GET' }, 'one of POST, PUT, PATCH'],
  [{ body: 'text' }, 'body: a map'],
  [{ body: { callback: 1 } }, 'where the token is put'],
  [{ boddy: {} }, 'did you mean body?'],
  [{ url: 'nowhere' }, 'not a URL'],
])('%j, made at run time, is refused before anybody is told', async (wrong: Record<string, Json>, message) => {
  const found = await failureOf({ url: base, ...wrong })
  expect(found).toMatchObject({ code: 'tool_input_invalid', class: 'permanent' })
  expect(found.message).toContain(message)
  expect(seen).toEqual([])
})

test('its circuit is that of the host it tells', () => {
  const { dependency } = handler()
  expect(dependency(task, { tool: 'callback', with: { url: 'https://shop.example/jobs' } })).toBe('http:shop.example')
})
