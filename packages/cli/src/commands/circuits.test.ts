// `stepfleet circuits` against a small server that plays the API.
import { createServer, type Server } from 'node:http'
import type { CircuitView } from '@stepfleet/contracts'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { main } from '../program.ts'

let server: Server
let url: string
let seen: { request: string; body: string }[]
let circuits: CircuitView[]
let [out, err] = ['', '']

const closed: CircuitView = {
  ...{ dependency: 'http:example.org', state: 'closed', sinceMs: null, why: null, nextProbeAtMs: null },
  ...{ forced: null, by: null, workers: 3 },
}
const open = (): CircuitView => ({
  ...{ ...closed, dependency: 'anthropic/claude-x', state: 'open', sinceMs: Date.now() - 60_000 },
  ...{ why: 'circuit anthropic/claude-x is open since 12:03:04Z (529 ×7)', nextProbeAtMs: Date.now() + 9_900 },
})

beforeEach(async () => {
  seen = []
  ;[out, err] = ['', '']
  circuits = [open(), closed]
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (bytes) => {
      body += bytes
    })
    request.on('end', () => {
      seen.push({ request: `${request.method} ${request.url}`, body })
      const view = { workers: [], engines: [], queues: [], circuits }
      response.end(JSON.stringify(request.method === 'GET' ? view : circuits[0]))
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

it('lists them, with why one is open and when it is tried', async () => {
  for (const args of [['circuits'], ['circuits', 'list']]) {
    out = ''
    expect(await stepfleet(...args)).toBe(0)
    expect(out).toMatch(/^circuit +state +since +probe +workers\nanthropic\/claude-x +open +1m.* +in \d.* +3\n/)
    expect(out).toMatch(/\nhttp:example\.org +closed +3\ncircuit anthropic\/claude-x is open since 12:03:04Z/)
  }
  out = ''
  await stepfleet('circuits', 'list', '--json')
  expect(JSON.parse(out)).toEqual(circuits)
})

it('forces one, and lets go', async () => {
  for (const [verb, force] of [
    ['open', 'open'],
    ['close', 'closed'],
    ['auto', null],
  ] as const) {
    expect(await stepfleet('circuits', verb, 'anthropic/claude-x', '--by', 'ada', '--reason', 'bill')).toBe(0)
    const { request, body } = seen.at(-1) ?? { request: '', body: '' }
    expect(request).toBe('POST /v1/fleet/circuits/anthropic%2Fclaude-x')
    expect(JSON.parse(body)).toEqual({ force, by: 'ada', reason: 'bill' })
  }
  expect(out).toContain('circuit anthropic/claude-x is open since')
})

it('asks whether a name is right that nobody uses, and refuses what is none', async () => {
  circuits = [{ ...closed, forced: 'closed', by: 'ada', why: 'circuit http:exmaple.org was forced closed', workers: 0 }]
  expect(await stepfleet('circuits', 'close', 'http:exmaple.org')).toBe(0)
  expect(err).toContain('is the name right?')
  seen = []
  expect(await stepfleet('circuits', 'open', 'claude-x')).toBe(2)
  expect(err).toContain('a circuit is named <provider>/<model>')
  expect(seen).toEqual([])
})
