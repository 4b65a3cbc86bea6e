import { PROBLEMS, type Verdict } from '@stepfleet/contracts'
import { afterEach, describe, expect, test } from 'vitest'
import { ASK, type DoorOptions, openDoor, type TestDoor } from './test/fixture.ts'

let door: TestDoor
afterEach(() => door.app.close())

const openWithRun = async (options: DoorOptions = {}): Promise<void> => {
  door = await openDoor(options)
  expect((await door.post('/v1/workflows', ASK)).statusCode).toBe(201)
  expect((await door.post('/v1/runs', { workflow: 'ask', id: 'r' })).statusCode).toBe(202)
}
const refusal = (code: string) => (): Verdict => ({ status: 'refused', code, message: 'no' })

describe('a command', () => {
  test.each([
    ['/cancel', { by: 'ada', reason: 'why not' }, { type: 'cancel', reason: 'why not' }],
    ['/cancel', { by: 'ada', compensate: false }, { type: 'cancel', compensate: false }],
    ['/pause', { by: 'ada' }, { type: 'pause' }],
    ['/resume', { by: 'ada' }, { type: 'resume' }],
    ['/steps/draft/skip', { by: 'ada' }, { type: 'skip', path: 'draft' }],
    [
      '/steps/many%5B1%5D/retry',
      { by: 'ada', edit: { prompt: 'x' } },
      { type: 'retry', path: 'many[1]', edit: { prompt: 'x' } },
    ],
    [
      '/steps/work%2Fturn-1%2Ftool-0/approve',
      { by: 'ada', edits: [1] },
      { type: 'approve', approved: true, edits: [1] },
    ],
    ['/steps/draft/reject', { by: 'ada', reason: 'bad' }, { type: 'approve', approved: false, reason: 'bad' }],
    [
      '/steps/draft/override',
      { by: 'ada', output: { text: 'x' } },
      { type: 'override', output: { value: { text: 'x' } } },
    ],
  ])('%s reaches the engine and is answered with its verdict', async (rest, body, command) => {
    await openWithRun()
    const answer = await door.post(`/v1/runs/r${rest}`, body)
    expect([answer.statusCode, answer.json()]).toEqual([200, { applied: true, seq: 7 }])
    expect(door.asked).toHaveLength(1)
    expect(door.asked[0]).toMatchObject({ ns: 'default', run: 'r', by: { kind: 'operator', id: 'ada' }, ...command })
  })

  test('needs no body, and is then by `api`', async () => {
    await openWithRun()
    for (const rest of ['/cancel', '/steps/draft/retry', '/steps/draft/skip', '/steps/draft/approve']) {
      expect((await door.post(`/v1/runs/r${rest}`)).statusCode).toBe(200)
    }
    expect(new Set(door.asked.map((command) => command.by.id))).toEqual(new Set(['api']))
  })

  test('without an engine is queued', async () => {
    await openWithRun({ verdict: () => null })
    const answer = await door.post('/v1/runs/r/pause')
    expect([answer.statusCode, answer.json()]).toEqual([202, { queued: true }])
  })

  test.each([
    'run_ended',
    'run_not_paused',
    'run_paused',
    'step_not_waiting',
    'step_ended',
    'step_in_flight',
    'case_closed',
    'unknown_step',
    'bad_request',
  ] as const)('that is refused with %s is answered with it', async (code) => {
    await openWithRun({ verdict: refusal(code) })
    const answer = await door.post('/v1/runs/r/steps/draft/retry')
    expect([answer.statusCode, answer.json().code]).toEqual([PROBLEMS[code], code])
  })

  test('refused with a code that is none is our own fault', async () => {
    await openWithRun({ verdict: refusal('no_such_code') })
    expect((await door.post('/v1/runs/r/cancel')).json()).toMatchObject({ status: 500, code: 'internal_error' })
  })

  test('to a run that is not there is never sent', async () => {
    await openWithRun()
    for (const rest of ['/cancel', '/signals/go', '/steps/draft/skip']) {
      expect((await door.post(`/v1/runs/nope${rest}`)).json()).toMatchObject({ status: 404, code: 'unknown_run' })
    }
    expect(door.asked).toEqual([])
  })

  test('with an Idempotency-Key is the same command again, and only that', async () => {
    await openWithRun()
    const key = { 'idempotency-key': 'k1' }
    await door.post('/v1/runs/r/cancel', { reason: 'a' }, key)
    await door.post('/v1/runs/r/cancel', { reason: 'a' }, key)
    await door.post('/v1/runs/r/cancel', { reason: 'b' }, key)
    await door.post('/v1/runs/r/pause', { reason: 'a' }, key)
    await door.post('/v1/runs/r/cancel', { reason: 'a' })
    const ids = door.asked.map((command) => command.id)
    expect(ids[0]).toBe(ids[1])
    expect(new Set(ids).size).toBe(4)
  })

  test('with a field too many is refused', async () => {
    await openWithRun()
    const answer = await door.post('/v1/runs/r/pause', { compensate: false })
    expect(answer.json()).toMatchObject({ status: 400, code: 'bad_request' })
    expect(door.asked).toEqual([])
  })
})

describe('a step path', () => {
  test.each(['Draft', 'a b', 'x[', '%F0%9F%98%80', 'x'.repeat(600)])(
    '%s is no step: 404 that says to encode',
    async (path) => {
      await openWithRun()
      const answer = await door.post(`/v1/runs/r/steps/${encodeURI(decodeURIComponent(path))}/skip`)
      expect(answer.json()).toMatchObject({ status: 404, code: 'unknown_step' })
      expect(answer.json().detail).toContain('percent-encoded')
    },
  )

  test('that is not encoded is told so', async () => {
    await openWithRun()
    const answer = await door.post('/v1/runs/r/steps/work/turn-1/llm/retry')
    expect(answer.json()).toMatchObject({ status: 404, code: 'not_found' })
    expect(answer.json().detail).toContain('percent-encoded')
  })

  test('that the engine does not know says so as well', async () => {
    await openWithRun({ verdict: refusal('unknown_step') })
    expect((await door.post('/v1/runs/r/steps/other/skip')).json().detail).toContain('percent-encoded')
  })
})

describe('an override', () => {
  test.each([
    ['draft', { text: 1 }, 'output.text'],
    ['draft', 'plain', 'output'],
    ['many%5B0%5D', {}, 'output.n'],
    ['many', [{ n: 1 }, {}], 'output.1.n'],
    ['work%2Fturn-1%2Fllm', { text: 'x' }, 'output.toolUses'],
  ])('of %s with %j does not fit', async (path, output, place) => {
    await openWithRun()
    const answer = await door.post(`/v1/runs/r/steps/${path}/override`, { output })
    expect(answer.json()).toMatchObject({ status: 422, code: 'output_invalid' })
    expect(answer.json().errors.map((error: { path: string }) => error.path)).toContain(place)
    expect(door.asked).toEqual([])
  })

  test('with a large output writes it first', async () => {
    await openWithRun()
    const text = 'x'.repeat(100_000)
    await door.post('/v1/runs/r/steps/draft/override', { output: { text } })
    const [command] = door.asked
    const payload = command?.type === 'override' ? command.output : null
    const sha = payload !== null && 'blob' in payload ? payload.blob : ''
    expect(await door.store.blob('default', 'r', sha)).toEqual({ text })
  })
})

describe('a signal', () => {
  test('carries its body as it is, also none', async () => {
    await openWithRun()
    expect((await door.post('/v1/runs/r/signals/other', [1, 'a', null])).statusCode).toBe(200)
    expect((await door.post('/v1/runs/r/signals/other')).statusCode).toBe(200)
    expect((await door.post('/v1/runs/r/signals/other', false)).statusCode).toBe(200)
    const payloads = door.asked.map((command) => (command.type === 'signal' ? command.payload : null))
    expect(payloads).toEqual([{ value: [1, 'a', null] }, { value: null }, { value: false }])
  })

  test('that breaks its schema is refused', async () => {
    await openWithRun()
    const answer = await door.post('/v1/runs/r/signals/go', {})
    expect(answer.json()).toMatchObject({ status: 422, code: 'invalid_input' })
    expect(answer.json().errors[0].path).toBe('payload.ok')
    expect((await door.post('/v1/runs/r/signals/go', { ok: true })).statusCode).toBe(200)
  })
})
