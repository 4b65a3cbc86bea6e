// Circuits over the door: an operator's hand, and names that are none.
import type { ForceCircuit } from '@stepfleet/contracts'
import { afterEach, expect, test } from 'vitest'
import { openDoor, type TestDoor } from './test/fixture.ts'

let door: TestDoor
afterEach(() => door.app.close())

const open = async (): Promise<[string, ForceCircuit][]> => {
  const forced: [string, ForceCircuit][] = []
  door = await openDoor({
    forceCircuit: async (dependency, force) => {
      forced.push([dependency, force])
      const { force: held, by = 'api' } = force
      return {
        ...{ dependency, state: 'open', sinceMs: 1, why: 'held', nextProbeAtMs: null, workers: 2 },
        ...{ forced: held, by },
      }
    },
  })
  return forced
}

test('forces the circuit of one percent-encoded segment', async () => {
  const forced = await open()
  const body = { force: 'open', by: 'ada', reason: 'maintenance' }
  const answer = await door.post('/v1/fleet/circuits/anthropic%2Fclaude-x', body)
  expect([answer.statusCode, answer.json()]).toMatchObject([200, { dependency: 'anthropic/claude-x', forced: 'open' }])
  await door.post('/v1/fleet/circuits/http:example.org:8080', { force: null })
  expect(forced).toEqual([
    ['anthropic/claude-x', body],
    ['http:example.org:8080', { force: null }],
  ])
})

test.each([
  ['claude-x', /a circuit is named <provider>\/<model>, http:<host>/],
  ['%20', /a circuit is named/],
  ['http:a%0Ab', /a circuit is named/],
  [`a%2F${'m'.repeat(300)}`, /at most 300/],
])('answers clearly to the name %s', async (name, message) => {
  const forced = await open()
  const answer = await door.post(`/v1/fleet/circuits/${name}`, { force: 'open' })
  expect(answer.statusCode).toBe(400)
  expect(answer.json()).toMatchObject({ code: 'bad_request', errors: [{ path: 'path.dependency' }] })
  expect(answer.json().detail).toMatch(message)
  expect(forced).toEqual([])
})

test('answers clearly to a name that is not encoded, and to bodies that say nothing', async () => {
  await open()
  const path = '/v1/fleet/circuits'
  const split = await door.post(`${path}/anthropic/claude-x`, { force: 'open' })
  expect([split.statusCode, split.json().detail]).toEqual([404, expect.stringContaining('anthropic%2Fclaude')])
  for (const body of [{}, { force: 'shut' }, { force: 'open', because: 'x' }]) {
    expect((await door.post(`${path}/http:x`, body)).statusCode).toBe(400)
  }
})
