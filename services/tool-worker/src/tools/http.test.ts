// The http tool against a server of its own.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { Effect, Failure, Json } from '@stepfleet/contracts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { countsAgainstDependency, toFailure } from '../failure.ts'
import { createEgress, type Egress } from './egress.ts'
import { callHttp, httpDependency } from './http.ts'

interface Seen {
  method: string | undefined
  url: string | undefined
  headers: IncomingMessage['headers']
  body: string
}

let answer: (response: ServerResponse) => void = (response) => response.end()
let seen: Seen[] = []
let base = ''
let egress: Egress
const server = createServer((request, response) => {
  let body = ''
  request.on('data', (chunk) => {
    body += chunk
  })
  request.on('end', () => {
    seen.push({ method: request.method, url: request.url, headers: request.headers, body })
    answer(response)
  })
})

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  base = `http://127.0.0.1:${port}`
  egress = createEgress({ allow: ['127.0.0.1'] })
})
afterAll(async () => {
  await egress.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
beforeEach(() => {
  seen = []
  answer = (response) => response.end()
})

const signal = AbortSignal.timeout(60_000)
const call = (input: Json, effect: Effect = 'read'): Promise<Json> =>
  callHttp(egress, { input, effect, effectKey: 'default/run/step', signal })

const failureOf = async (input: Json, effect: Effect = 'read'): Promise<Failure> => {
  const thrown = await call(input, effect).then(
    () => null,
    (error: unknown) => error,
  )
  expect(thrown).not.toBeNull()
  return toFailure(thrown, signal)
}

const json =
  (status: number, body: string, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)

test('a GET with a query answers status, headers and parsed body', async () => {
  answer = json(200, '{"a":[1]}', { etag: '"x"', 'set-cookie': 'session=1' })
  const output = await call({ url: `${base}/q?z=0`, query: { a: 'ä &', n: 1, list: [1, true], none: null } })
  expect(output).toEqual({
    status: 200,
    headers: { 'content-type': 'application/json', etag: '"x"' },
    body: { a: [1] },
  })
  expect(seen[0]).toMatchObject({ method: 'GET', url: '/q?z=0&a=%C3%A4+%26&n=1&list=1&list=true' })
  expect(seen[0]?.headers['idempotency-key']).toBeUndefined()
})

test('a JSON body is sent as JSON, a string as text, and the own content-type wins', async () => {
  await call({ url: base, method: 'POST', body: { a: null } })
  await call({ url: base, method: 'PUT', body: 'plain' })
  await call({ url: base, method: 'POST', body: '<a/>', headers: { 'Content-Type': 'text/xml' } })
  await call({ url: base, method: 'POST', body: false })
  expect(seen.map(({ headers, body }) => [headers['content-type'], body])).toEqual([
    ['application/json', '{"a":null}'],
    ['text/plain; charset=utf-8', 'plain'],
    ['text/xml', '<a/>'],
    ['application/json', 'false'],
  ])
})

test('what acts carries the effect key, unless the caller has a key of its own', async () => {
  await call({ url: base, method: 'POST' }, 'once')
  await call({ url: base, method: 'DELETE' }, 'idempotent')
  await call({ url: base, method: 'POST' }, 'read')
  await call({ url: base }, 'idempotent')
  await call({ url: base, method: 'POST', headers: { 'Idempotency-Key': 'mine' } }, 'once')
  expect(seen.map(({ headers }) => headers['idempotency-key'])).toEqual([
    'default/run/step',
    'default/run/step',
    undefined,
    undefined,
    'mine',
  ])
})

test('text stays text, in its charset; nothing is null; HEAD has no body', async () => {
  answer = (response) =>
    response.writeHead(200, { 'content-type': 'text/plain; charset=iso-8859-1' }).end(Buffer.from([0xe4]))
  expect(await call({ url: base })).toMatchObject({ body: 'ä' })
  answer = (response) => response.writeHead(204).end()
  expect(await call({ url: base })).toMatchObject({ status: 204, body: null })
  answer = json(200, '{"a":1}')
  expect(await call({ url: base, method: 'HEAD' })).toMatchObject({ status: 200, body: null })
})

test('a packed answer is unpacked, a bomb is not', async () => {
  answer = (response) =>
    response
      .writeHead(200, { 'content-type': 'application/problem+json', 'content-encoding': 'gzip' })
      .end(gzipSync('{"ok":true}'))
  expect(await call({ url: base })).toMatchObject({ body: { ok: true } })
  answer = (response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(17 * 1024 * 1024)))
  expect(await failureOf({ url: base })).toMatchObject({ code: 'payload_too_large', class: 'permanent' })
})

test('an answer over 16 MiB is payload_too_large', async () => {
  answer = (response) => response.end(Buffer.alloc(16 * 1024 * 1024 + 1))
  expect(await failureOf({ url: base })).toMatchObject({ code: 'payload_too_large', class: 'permanent' })
})

test('JSON that cannot be parsed is no success', async () => {
  answer = json(200, '{"a":')
  expect(await failureOf({ url: base })).toMatchObject({ code: 'tool_output_invalid', http: 200 })
})

test.each<[number, Record<string, string>, Partial<Failure>]>([
  [429, { 'retry-after': '171' }, { code: 'rate_limited', class: 'transient', retryAfterMs: 171_000 }],
  [429, {}, { code: 'rate_limited', class: 'transient' }],
  [503, { 'retry-after': '2' }, { code: 'overloaded', class: 'transient', retryAfterMs: 2_000 }],
  [503, {}, { code: 'overloaded', class: 'transient' }],
  [408, {}, { code: 'http_error', class: 'transient' }],
  [425, {}, { code: 'http_error', class: 'transient' }],
  [500, {}, { code: 'http_error', class: 'transient' }],
  [502, {}, { code: 'http_error', class: 'transient' }],
  [400, {}, { code: 'http_error', class: 'permanent' }],
  [401, {}, { code: 'http_error', class: 'permanent' }],
  [404, {}, { code: 'http_error', class: 'permanent' }],
  [304, {}, { code: 'http_error', class: 'permanent' }],
])('%i %j → %j', async (status, headers, expected) => {
  answer = json(status, status === 304 ? '' : '{"why":"so"}', headers)
  const found = await failureOf({ url: `${base}/path?secret=1`, method: 'POST' })
  expect(found).toMatchObject({ ...expected, http: status, message: `POST ${base}/path answered ${status}` })
  expect(found.retryAfterMs).toBe(expected.retryAfterMs)
})

test('a refusal keeps a cut body, and only 429 and 503 with retry-after say that nothing happened', async () => {
  answer = json(422, JSON.stringify({ text: 'x'.repeat(5_000) }))
  const { details } = await failureOf({ url: base, method: 'POST' }, 'once')
  expect(JSON.stringify(details).length).toBeLessThan(2_100)
  const marks: unknown[] = []
  for (const [status, headers] of [
    [429, {}],
    [503, { 'retry-after': '1' }],
    [503, {}],
    [500, {}],
  ] as const) {
    answer = json(status, '', headers)
    marks.push((await failureOf({ url: base, method: 'POST' }, 'once')).details)
  }
  expect(marks).toEqual([{ notSent: true }, { notSent: true }, {}, {}])
})

test.each<[string, (response: ServerResponse) => void, string]>([
  ['429', json(429, ''), 'rate_limited'],
  ['503 with retry-after', json(503, '', { 'retry-after': '1' }), 'overloaded'],
  ['404', json(404, ''), 'http_error'],
  ['a private address', (response) => response.writeHead(302, { location: 'http://10.0.0.1/' }).end(), 'egress_denied'],
  ['a circle', (response) => response.writeHead(302, { location: '/done' }).end(), 'http_error'],
  ['broken JSON', json(200, '{"a'), 'tool_output_invalid'],
])('a `once` request that was taken, and whose result is %s, is ambiguous', async (_, result, cause) => {
  answer = (response) => {
    if (seen.length > 1) result(response)
    else response.writeHead(303, { location: '/done' }).end()
  }
  const found = await failureOf({ url: `${base}/pay`, method: 'POST' }, 'once')
  expect(found).toMatchObject({ code: 'outcome_unknown', class: 'ambiguous', details: { cause } })
  expect(countsAgainstDependency({ ...found, http: 429 })).toBe(false)
  seen = []
  expect(await failureOf({ url: `${base}/pay`, method: 'POST' }, 'idempotent')).toMatchObject({ code: cause })
})

test('a request that was sent on as it was has not been taken by who sent it on', async () => {
  answer = (response) => {
    if (seen.length > 1) json(429, '')(response)
    else response.writeHead(307, { location: '/there' }).end()
  }
  const found = await failureOf({ url: `${base}/pay`, method: 'POST' }, 'once')
  expect(found).toMatchObject({ code: 'rate_limited', details: { notSent: true } })
  expect(seen.map(({ method }) => method)).toEqual(['POST', 'POST'])
})

test('a refusal whose body cannot be read, or has no end, is that refusal', async () => {
  answer = (response) => response.writeHead(502, { 'content-encoding': 'gzip' }).end('<h1>Bad gateway</h1>')
  expect(await failureOf({ url: base, method: 'POST' }, 'once')).toMatchObject({
    code: 'http_error',
    class: 'transient',
    http: 502,
    details: { body: '<h1>Bad gateway</h1>' },
  })
  answer = (response) => {
    response.writeHead(429)
    const more = (): void => {
      if (!response.destroyed) response.write(Buffer.alloc(1_000_000, 'x'), more)
    }
    more()
  }
  expect(await failureOf({ url: base, method: 'POST' }, 'once')).toMatchObject({ code: 'rate_limited', http: 429 })
})

test('expect says which statuses are success', async () => {
  answer = json(404, '{}')
  expect(await call({ url: base, expect: [200, 404] })).toMatchObject({ status: 404, body: {} })
  expect(await call({ url: base, expect: 404 })).toMatchObject({ status: 404 })
  answer = json(200, '{}')
  expect(await failureOf({ url: base, expect: 201 })).toMatchObject({ code: 'http_error', http: 200 })
})

test.each<[Json, string]>([
  [{}, 'url'],
  [{ url: 'nonsense' }, 'not a URL'],
  [{ url: 'http://a:b@example.com' }, 'credentials'],
  [{ url: 'http://example.com', heders: {} }, 'unknown field heders; did you mean headers?'],
  [{ url: 'http://example.com', something_else_entirely: 1 }, 'it takes url, method'],
  [{ url: 'http://example.com', method: 'FETCH' }, 'method'],
  [{ url: 'http://example.com', body: {} }, 'did you mean method: POST?'],
  [{ url: 'http://example.com', headers: { Host: 'x' } }, 'headers.Host'],
  [{ url: 'http://example.com', headers: { a: 'x\r\nb: y' } }, 'one line'],
  [{ url: 'http://example.com', headers: { 'a b': 'x' } }, 'headers'],
  [{ url: 'http://example.com', headers: { a: '😀' } }, 'Latin-1'],
  [{ url: 'http://example.com', expect: 302 }, 'redirects are followed'],
])('%j is tool_input_invalid: %s', async (input, text) => {
  const found = await failureOf(input)
  expect(found).toMatchObject({ code: 'tool_input_invalid', class: 'permanent' })
  expect(found.message).toContain(text)
  expect(seen).toEqual([])
})

test('nobody listening: connection_failed, and nothing was sent; a broken answer says nothing of that', async () => {
  const gone = createServer()
  await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve))
  const { port } = gone.address() as AddressInfo
  await new Promise((resolve) => gone.close(resolve))
  expect(await failureOf({ url: `http://127.0.0.1:${port}` })).toMatchObject({
    code: 'connection_failed',
    class: 'transient',
    details: { notSent: true },
  })
  answer = (response) => response.socket?.destroy()
  const broken = await failureOf({ url: base, method: 'POST' }, 'once')
  expect(broken).toMatchObject({ code: 'connection_failed', class: 'transient' })
  expect(broken.details).toBeUndefined()
})

test('a private address is egress_denied', async () => {
  expect(await failureOf({ url: 'http://[::1]:9/' })).toMatchObject({ code: 'egress_denied', class: 'permanent' })
})

test.each<[Json, string | null]>([
  [{ url: 'https://API.example.com/x?y' }, 'http:api.example.com'],
  [{ url: 'http://example.com:8080/' }, 'http:example.com:8080'],
  [{ url: { $concat: ['https://api.example.com/bot', { $secret: 'T' }] } }, 'http:api.example.com'],
  [{ url: { $concat: ['https://', { $secret: 'HOST' }, '/x'] } }, null],
  [{ url: { $secret: 'URL' } }, null],
  [{ url: 'nonsense' }, null],
  [{}, null],
])('the dependency of %j is %s', (input, expected) => {
  expect(httpDependency(input)).toBe(expected)
})
