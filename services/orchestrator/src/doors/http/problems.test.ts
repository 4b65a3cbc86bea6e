import { connect } from 'node:net'
import { PROBLEMS, problemSchema } from '@stepfleet/contracts'
import { afterEach, describe, expect, test } from 'vitest'
import { GREET, openDoor, type TestDoor } from './test/fixture.ts'

let door: TestDoor
afterEach(() => door.app.close())

const expectProblem = (
  answer: { statusCode: number; headers: object; json(): unknown },
  code: keyof typeof PROBLEMS,
) => {
  const problem = problemSchema.parse(answer.json())
  expect(problem.code).toBe(code)
  expect(problem.status).toBe(PROBLEMS[code])
  expect(answer.statusCode).toBe(PROBLEMS[code])
  expect(problem.type).toBe(`https://stepfleet.dev/problems/${code}`)
  expect(answer.headers).toMatchObject({ 'content-type': expect.stringContaining('application/problem+json') })
  return problem
}
const send = (payload: string | Buffer, type = 'application/json', url = '/v1/runs') =>
  door.app.inject({ method: 'POST', url, payload, headers: { 'content-type': type } })

describe('a body that cannot be read', () => {
  test.each([
    ['no JSON', '{"workflow": }', 'line 1, column 14'],
    ['JSON that is cut', '{"workflow":\n "x"', 'line 2, column 5'],
    ['the key __proto__', '{"workflow":"x","input":{"__proto__":{"a":1}}}', 'input.__proto__'],
    ['the same, escaped', '{"input":{"\\u005f_proto__":1}}', 'input.__proto__'],
    ['half a surrogate pair', '{"input":{"a":["\\ud800"]}}', 'input.a.0'],
    ['half a surrogate pair in a key', '{"input":{"\\ud800":1}}', 'input'],
    ['a number without end', '{"input":1e400}', 'input'],
    ['a number that loses digits', '{"input":12345678901234567890}', 'input'],
    ['a number of JavaScript', '{"input":NaN}', 'line 1, column 10'],
  ])('%s: 400 with the place', async (_, payload, path) => {
    door = await openDoor()
    const problem = expectProblem(await send(payload), 'invalid_json')
    expect(problem.errors?.[0]?.path).toBe(path)
  })

  test('depth and value bombs are refused', async () => {
    door = await openDoor()
    expectProblem(await send('['.repeat(10_000_000)), 'invalid_json')
    expectProblem(await send(`{"input":${'{"a":'.repeat(101)}1${'}'.repeat(101)}}`), 'invalid_json')
    expectProblem(await send(`{"input":[${'0,'.repeat(1_500_000)}0]}`), 'payload_too_large')
    const keys = Array.from({ length: 200_001 }, (_, i) => `"${i}":0`).join(',')
    expectProblem(await send(`{"input":{${keys}}}`), 'payload_too_large')
    expectProblem(await send('['.repeat(100_000), 'application/yaml'), 'invalid_json')
    expectProblem(await send(`${'- '.repeat(100_000)}a`, 'application/yaml'), 'invalid_json')
  })

  test('invalid UTF-8: 400', async () => {
    door = await openDoor()
    expectProblem(await send(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])), 'invalid_json')
  })

  test('over the limit of its address: 413', async () => {
    door = await openDoor()
    expectProblem(
      await send(`{"reason":"${'x'.repeat(70_000)}"}`, 'application/json', '/v1/runs/r/cancel'),
      'payload_too_large',
    )
    expectProblem(await send(`"${'x'.repeat(18_000_000)}"`), 'payload_too_large')
  })

  test.each([
    ['application/x-www-form-urlencoded', '/v1/runs'],
    ['multipart/form-data', '/v1/workflows'],
    ['application/yaml', '/v1/runs/r/cancel'],
    ['text/plain', '/v1/runs/batch'],
  ])('of type %s at %s: 415', async (type, url) => {
    door = await openDoor()
    expectProblem(await send('a: b', type, url), 'unsupported_media_type')
  })

  test('none at all: 400', async () => {
    door = await openDoor()
    expectProblem(await door.post('/v1/runs'), 'bad_request')
    expectProblem(await send(''), 'bad_request')
  })
})

describe('an address that leads nowhere', () => {
  test.each([
    ['/v1/run', 'the nearest is /v1/runs'],
    ['/v1/runs/a/jurnal', 'the nearest is /v1/runs/{id}/journal'],
    ['/v2/something/else', '/docs'],
  ])('%s: 404 with %s', async (url, hint) => {
    door = await openDoor()
    expect(expectProblem(await door.get(url), 'not_found').detail).toContain(hint)
  })

  test.each([['/v1/runs/a/events'], ['/v1/bulk'], ['/v1/runs/a/fork'], ['/v1/schedules'], ['/v1/keys']])(
    '%s is not in this release',
    async (url) => {
      door = await openDoor()
      expectProblem(await door.get(url), 'not_found')
    },
  )

  test('with another method: 405 and the methods there are', async () => {
    door = await openDoor()
    const answer = await door.app.inject({ method: 'DELETE', url: '/v1/runs' })
    expectProblem(answer, 'method_not_allowed')
    expect(answer.headers.allow).toBe('GET, HEAD, POST')
  })

  test('that is not percent-encoding: 400', async () => {
    door = await openDoor()
    expectProblem(await door.get('/v1/runs/%E0%A4%A'), 'bad_request')
  })
})

describe('headers', () => {
  test.each(['a.b', 'x'.repeat(129), 'a b', ''])('the namespace %j is refused', async (namespace) => {
    door = await openDoor()
    const problem = expectProblem(await door.get('/v1/runs', { 'x-stepfleet-namespace': namespace }), 'bad_request')
    expect(problem.errors?.[0]?.path).toBe('header.x-stepfleet-namespace')
  })

  test.each([
    ['another host', { host: 'evil.example' }],
    ['a page from elsewhere', { origin: 'https://evil.example' }],
    ['a page without an origin', { origin: 'null' }],
  ])('%s may not use an API on loopback', async (_, headers) => {
    door = await openDoor()
    expectProblem(await door.get('/v1/runs', headers), 'unauthorized')
  })

  test.each([
    ['an address', '[::1]:7400', undefined],
    ['a page of this machine', 'localhost:7400', 'http://localhost:5173'],
  ])('%s may', async (_, host, origin) => {
    door = await openDoor()
    expect((await door.get('/v1/runs', { host, ...(origin === undefined ? {} : { origin }) })).statusCode).toBe(200)
  })

  test('an API that others may reach is not so strict', async () => {
    door = await openDoor({ config: { STEPFLEET_HOST: '0.0.0.0' } })
    expect((await door.get('/v1/runs', { host: 'api.example' })).statusCode).toBe(200)
  })
})

describe('a store that does not serve', () => {
  const failing = (error: Error) =>
    openDoor({ store: (store) => ({ ...store, head: () => Promise.reject(error), now: () => Promise.reject(error) }) })

  test.each([
    Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:6379'), { code: 'ECONNREFUSED' }),
    new Error('Connection is closed.'),
    new Error('LOADING Redis is loading the dataset in memory'),
    new Error('CLUSTERDOWN Hash slot not served'),
    new Error('READONLY You can’t write against a read only replica.'),
    new Error('MISCONF Redis is configured to save RDB snapshots, but cannot'),
  ])('%s: 503 with Retry-After', async (error) => {
    door = await failing(error)
    const answer = await door.get('/v1/runs/a')
    expectProblem(answer, 'fleet_unavailable')
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    const ready = await door.get('/readyz')
    expect([ready.statusCode, ready.json()]).toEqual([503, { ready: false, role: 'api', why: 'fleet_unavailable' }])
  })

  test('because it is full: 503 fleet_full with Retry-After', async () => {
    door = await failing(new Error("OOM command not allowed when used memory > 'maxmemory'."))
    const answer = await door.get('/v1/runs/a')
    expectProblem(answer, 'fleet_full')
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
  })

  test('and never answers: 503 all the same', async () => {
    door = await openDoor({ store: (store) => ({ ...store, head: () => new Promise(() => undefined) }) })
    expectProblem(await door.get('/v1/runs/a'), 'fleet_unavailable')
  })

  test('for a reason nobody foresaw: 500, told to the log and not to the caller', async () => {
    door = await failing(new Error('secret detail'))
    const answer = await door.get('/v1/runs/a')
    expectProblem(answer, 'internal_error')
    expect(answer.body).not.toContain('secret detail')
    expect(JSON.stringify(door.logged)).toContain('secret detail')
  })
})

test('an answer that breaks its schema is our own fault', async () => {
  const wrong = { workers: 'none' }
  // @ts-expect-error what the port promises is broken on purpose
  door = await openDoor({ fleet: async () => wrong })
  expectProblem(await door.get('/v1/fleet'), 'internal_error')
})

test('bytes that are no HTTP are answered with a problem too', async () => {
  door = await openDoor()
  await door.app.listen({ host: '127.0.0.1', port: 0 })
  const address = door.app.server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('NONSENSE\r\n\r\n'))
    let received = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      received += chunk
    })
    socket.on('end', () => resolve(received))
    socket.on('error', reject)
  })
  expect(text).toMatch(/^HTTP\/1\.1 400 /)
  expect(problemSchema.parse(JSON.parse(text.split('\r\n\r\n')[1] ?? '')).code).toBe('bad_request')
})

test('a definition with errors lists them all with their places', async () => {
  door = await openDoor()
  const steps = { a: { value: '${{ steps.b.output }}', wrong: 1 }, c: { llm: { model: 'x' } } }
  const problem = expectProblem(await door.post('/v1/workflows', { name: 'w', steps }), 'invalid_definition')
  expect(new Set(problem.errors?.map((error) => error.path.split('.').slice(0, 2).join('.')))).toEqual(
    new Set(['steps.a', 'steps.c']),
  )
  const later = { ...Object(GREET), supervisor: {} }
  expectProblem(await door.post('/v1/workflows', later), 'not_supported_yet')
})
