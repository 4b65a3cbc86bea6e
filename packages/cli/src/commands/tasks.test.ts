// `stepfleet tasks`: what is sent, and what is said about it; against a small server that plays the API.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { main } from '../program.ts'

const NO_COST = { microUsd: 0, inputTokens: 0, outputTokens: 0, calls: 0, unpricedCalls: 0, scripted: false }
/** A run with a step that waits for a callback. */
const RUN = {
  ...{
    id: 'r',
    namespace: 'default',
    workflow: { name: 'w', version: null, hash: 'h' },
    status: 'waiting',
    labels: {},
  },
  ...{ createdAtMs: 0, endedAtMs: null, version: 2, priority: 3, input: {}, output: null, failure: null },
  ...{ failedStep: null, why: 'sign: waits for a callback', cost: NO_COST },
  steps: [
    {
      ...{ path: 'sign', parent: null, kind: 'tool', status: 'waiting', why: 'waits for a callback since then' },
      ...{ attempt: 1, attempts: [], readyAtMs: 0, startedAtMs: 0, endedAtMs: null, worker: null, servedBy: null },
      ...{ cost: NO_COST, output: null, failure: null, case: null },
      callback: { token: 'cb_a.a', sinceMs: 0, untilMs: 1 },
    },
  ],
}

let server: Server
let seen: string[]
let status: number
let out: string
let err: string
let folder: string

beforeEach(async () => {
  seen = []
  status = 200
  out = ''
  err = ''
  folder = await mkdtemp(join(tmpdir(), 'tasks-'))
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (bytes) => {
      body += bytes
    })
    request.on('end', () => {
      seen.push(`${request.url} ${body}`)
      const problem = { type: 't', title: 'The step has ended', status, code: 'step_ended', detail: 'it is completed' }
      const right = request.method === 'GET' ? RUN : { applied: true, seq: 7 }
      response.writeHead(status).end(JSON.stringify(status === 200 ? right : problem))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  vi.stubEnv('STEPFLEET_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
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
  vi.unstubAllEnvs()
  process.exitCode = 0
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await rm(folder, { recursive: true })
})

it('completes, with an output or none; a token may come out of a file', async () => {
  const file = join(folder, 'token')
  await writeFile(file, 'cb_b.b\n')
  await main(['tasks', 'complete', 'cb_a.a', '--output', '{"pages": 3}'])
  await main(['tasks', 'complete', `@${file}`])
  expect(seen).toEqual(['/v1/tasks/cb_a.a/complete {"pages":3}', '/v1/tasks/cb_b.b/complete null'])
  expect(out).toBe('complete: done\ncomplete: done\n')
})

it('fails, with what went wrong, and says that it goes on', async () => {
  await main(['tasks', 'fail', 'cb_a.a', '--message', 'no paper', '--class', 'transient', '--details', '{"tray":2}'])
  await main(['tasks', 'heartbeat', 'cb_a.a', '--json'])
  expect(seen).toEqual([
    '/v1/tasks/cb_a.a/fail {"message":"no paper","class":"transient","details":{"tray":2}}',
    '/v1/tasks/cb_a.a/heartbeat {}',
  ])
  expect(out).toBe('fail: done\n{"applied":true,"seq":7}\n')
})

it('`runs show` prints the token, beside what goes to stdout', async () => {
  await main(['runs', 'show', 'r'])
  expect(out).toContain('waits for a callback since then')
  expect(out).not.toContain('cb_a.a')
  expect(err).toContain('stepfleet tasks complete cb_a.a')
})

it('ends with 2 for a wrong usage, and with 1 for an answer that came too late', async () => {
  await main(['tasks', 'fail', 'cb_a.a'])
  expect(process.exitCode).toBe(2)
  await main(['tasks', 'fail', 'cb_a.a', '--message', 'x', '--code', 'nonsense'])
  expect(process.exitCode).toBe(2)
  expect(seen).toEqual([])
  status = 409
  await main(['tasks', 'complete', 'cb_a.a'])
  expect(process.exitCode).toBe(1)
  expect(err).toContain('it is completed')
})
