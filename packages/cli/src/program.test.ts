// The command line as a caller meets it: exit codes, JSON, errors; against a small server that plays the API.
import { createServer, type Server } from 'node:http'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { main } from './program.ts'

interface Seen {
  method: string
  path: string
  type: string
  body: string
  namespace: string
}

let server: Server
let url: string
let seen: Seen[]
let answer: (request: Seen) => { status?: number; body: unknown }
let out: string
let err: string

const summary = {
  id: 'run_1',
  namespace: 'default',
  workflow: { name: 'w', version: null, hash: 'h' },
  status: 'running',
  labels: {},
  createdAtMs: 0,
  endedAtMs: null,
  version: 1,
}
const view = (status: string, more: object = {}) => ({
  ...summary,
  status,
  endedAtMs: 10,
  priority: 3,
  input: {},
  output: null,
  failure: null,
  failedStep: null,
  why: null,
  cost: { microUsd: 0, inputTokens: 0, outputTokens: 0, calls: 0, unpricedCalls: 0, scripted: false },
  steps: [],
  ...more,
})

beforeEach(async () => {
  seen = []
  out = ''
  err = ''
  answer = () => ({ body: {} })
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (bytes) => {
      body += bytes
    })
    request.on('end', () => {
      const one: Seen = {
        method: request.method ?? '',
        path: request.url ?? '',
        type: request.headers['content-type'] ?? '',
        namespace: String(request.headers['x-stepfleet-namespace'] ?? ''),
        body,
      }
      seen.push(one)
      const { status = 200, body: reply } = answer(one)
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(reply))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += text
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += text
    return true
  })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await new Promise((resolve) => server.close(resolve))
  process.exitCode = 0
})

const stepfleet = async (...args: string[]): Promise<number> => {
  process.exitCode = 0
  await main([...args, '--url', url])
  return Number(process.exitCode)
}

describe('stepfleet', () => {
  it('waits for a run and exits by how it ended', async () => {
    for (const [status, code] of [
      ['completed', 0],
      ['failed', 3],
      ['cancelled', 4],
    ] as const) {
      answer = ({ method, path }) => ({
        body: method === 'POST' ? summary : path.includes('/result') ? { status } : view(status, { output: 'done' }),
      })
      expect(await stepfleet('run', 'w', '--wait')).toBe(code)
    }
    expect(out).toBe('done\n')
    expect(err).toContain('run_1 cancelled')
  })

  it('exits with 5 when the wait is over, and asks for the result no longer than that', async () => {
    answer = ({ method, path }) => ({
      body: method === 'POST' ? summary : path.includes('/result') ? { status: 'running' } : view('running'),
    })
    expect(await stepfleet('run', 'w', '--wait', '20ms', '--json')).toBe(5)
    expect(JSON.parse(out)).toMatchObject({ id: 'run_1', status: 'running' })
    expect(seen[1]?.path).toMatch(/^\/v1\/runs\/run_1\/result\?wait=(\d|1\d|20)ms$/)
  })

  it('sends input, labels, id and namespace', async () => {
    answer = () => ({ status: 202, body: summary })
    const args = ['--input', '{"a":1}', '--id', 'x', '--label', 'team=red', 'env=a=b', '--namespace', 'acme']
    expect(await stepfleet('run', 'w@2', ...args)).toBe(0)
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({
      workflow: 'w@2',
      input: { a: 1 },
      id: 'x',
      labels: { team: 'red', env: 'a=b' },
    })
    expect(seen[0]?.namespace).toBe('acme')
  })

  it('exits with 2 on wrong usage and asks nothing', async () => {
    for (const args of [
      ['nothing'],
      ['run'],
      ['run', 'w', '--priority', '9'],
      ['run', 'w', '--input', '{'],
      ['run', './no-such-file.yaml'],
      ['runs', 'list', '--status', 'odd'],
      ['run', 'w', '--wait', '--watch'],
      ['escalations', 'resolve', 'c', 'skip', '--output', '1'],
    ])
      expect([args, await stepfleet(...args)]).toEqual([args, 2])
    expect(seen).toEqual([])
  })

  it('shows a problem of the server with every error and its suggestion', async () => {
    const errors = [{ path: 'steps.a.llm.modle', code: 'unknown_field', message: 'unknown field', suggestion: 'model' }]
    answer = () => ({
      status: 422,
      body: { type: 't', title: 'The definition is not valid', status: 422, code: 'invalid_definition', errors },
    })
    expect(await stepfleet('run', 'w')).toBe(1)
    expect(err).toContain('The definition is not valid [invalid_definition]')
    expect(err).toContain('steps.a.llm.modle: unknown field (model)')
  })

  it('says how to start one when nobody answers', async () => {
    process.exitCode = 0
    await main(['fleet', '--url', 'http://127.0.0.1:9'])
    expect(process.exitCode).toBe(1)
    expect(err).toMatch(/no answer from http:\/\/127\.0\.0\.1:9 .*\n.*stepfleet dev/)
  })

  it('encodes step paths and passes decisions on', async () => {
    answer = () => ({ body: { applied: true, seq: 7 } })
    expect(
      await stepfleet(
        'runs',
        'retry',
        'run_1',
        'work/turn-3/llm',
        '--model',
        'a/b',
        '--by',
        'ada',
        '--reason',
        'why not',
      ),
    ).toBe(0)
    expect(seen[0]).toMatchObject({ method: 'POST', path: '/v1/runs/run_1/steps/work%2Fturn-3%2Fllm/retry' })
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({ by: 'ada', reason: 'why not', edit: { model: 'a/b' } })
    expect(out).toBe('retry work/turn-3/llm: done\n')
  })

  it('lists runs as a table and as JSON', async () => {
    answer = () => ({ body: { items: [summary], cursor: 'next' } })
    await stepfleet('runs', 'list', '--label', 'a=b')
    expect(seen[0]?.path).toBe('/v1/runs?limit=20&label=a%3Ab')
    expect(out).toMatch(/^run +status +workflow +created\nrun_1 +running +w +/)
    out = ''
    await stepfleet('runs', 'list', '--json')
    expect(JSON.parse(out)).toEqual({ items: [summary], cursor: 'next' })
  })
})
