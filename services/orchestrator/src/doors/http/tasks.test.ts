// Answers to callbacks: who has the token may answer, and nobody else.
import type { Command, Verdict } from '@stepfleet/contracts'
import { type CallbackRef, callbackToken } from '@stepfleet/runtime'
import { afterEach, describe, expect, test } from 'vitest'
import { type DoorOptions, GREET, openDoor, SECRET, type TestDoor } from './test/fixture.ts'

let door: TestDoor
afterEach(() => door.app.close())

const REF: CallbackRef = { ns: 'default', run: 'r', startedAtMs: 1_234, path: 'work/turn-1/tool-0', attempt: 2 }
const token = callbackToken(SECRET, REF)
const at = (verb: string, of = token): string => `/v1/tasks/${of}/${verb}`

const open = async (options: DoorOptions = {}): Promise<void> => {
  door = await openDoor(options)
  await door.post('/v1/workflows', GREET)
  expect((await door.post('/v1/runs', { workflow: 'greet', id: 'r', input: { name: 'x' } })).statusCode).toBe(202)
}
const answerOf = (command: Command | undefined) => (command?.type === 'callback' ? command.answer : null)

describe('an answer', () => {
  test('reaches the engine as a command on the attempt that its token names', async () => {
    await open()
    const answer = await door.post(at('complete'), { pages: 3 })
    expect([answer.statusCode, answer.json()]).toEqual([200, { applied: true, seq: 7 }])
    expect(door.asked).toMatchObject([
      {
        ...{ type: 'callback', ns: 'default', run: 'r', path: REF.path, attempt: 2, startedAtMs: 1_234 },
        by: { kind: 'caller', id: 'callback' },
        answer: { status: 'completed', output: { value: { pages: 3 } } },
      },
    ])
  })

  test('completes with any JSON, or with nothing', async () => {
    await open()
    for (const body of [[1, 'a', null], false, 'text', undefined]) {
      expect((await door.post(at('complete'), body)).statusCode).toBe(200)
    }
    const outputs = door.asked.map((command) => answerOf(command))
    expect(outputs).toEqual(
      [[1, 'a', null], false, 'text', null].map((value) => ({ status: 'completed', output: { value } })),
    )
  })

  test('that is large goes by reference', async () => {
    await open()
    expect((await door.post(at('complete'), 'x'.repeat(100_000))).statusCode).toBe(200)
    const said = answerOf(door.asked[0])
    const blob = said?.status === 'completed' && 'blob' in said.output ? said.output.blob : ''
    expect(await door.store.blob('default', 'r', blob)).toHaveLength(100_000)
  })

  test('fails with what it says', async () => {
    await open()
    await door.post(at('fail'), { message: 'no paper' })
    await door.post(at('fail'), { message: 'no paper', code: 'bad_request', retryable: true, details: { tray: 2 } })
    await door.post(at('fail'), { message: 'no paper', retryable: false })
    await door.post(at('fail'), { message: 'no paper', class: 'ambiguous' })
    const base = { status: 'failed', code: 'tool_failed', message: 'no paper' }
    expect(door.asked.map((command) => answerOf(command))).toEqual([
      base,
      { ...base, code: 'bad_request', class: 'transient', details: { tray: 2 } },
      { ...base, class: 'permanent' },
      { ...base, class: 'ambiguous' },
    ])
  })

  test('may be that it goes on', async () => {
    await open()
    expect((await door.post(at('heartbeat'))).statusCode).toBe(200)
    expect((await door.post(at('heartbeat'), {})).statusCode).toBe(200)
    expect(door.asked.map((command) => answerOf(command))).toEqual([{ status: 'alive' }, { status: 'alive' }])
  })

  test.each([
    ['fail', {}, 'message'],
    ['fail', undefined, ''],
    ['fail', { message: 'x', code: 'tool_faild' }, 'code'],
    ['fail', { message: 'x', retryable: true, class: 'transient' }, ''],
    ['fail', { message: 'x', retry: true }, 'retry'],
    ['heartbeat', { detail: 1 }, 'detail'],
  ])('%s with %j is refused before anybody is asked', async (verb, body, path) => {
    await open()
    const answer = await door.post(at(verb), body)
    expect([answer.statusCode, answer.json().code]).toEqual([400, 'bad_request'])
    expect(JSON.stringify(answer.json())).toContain(path)
    expect(door.asked).toEqual([])
  })

  test('is the same command again under the same Idempotency-Key, and another without one', async () => {
    await open()
    const key = { 'idempotency-key': 'k' }
    await door.post(at('complete'), 1, key)
    await door.post(at('complete'), 1, key)
    await door.post(at('complete'), 1)
    await door.post(at('complete'), 1)
    const [first, second, ...others] = door.asked.map(({ id }) => id)
    expect(first).toBe(second)
    expect(new Set([first, ...others]).size).toBe(3)
  })

  test.each(['step_ended', 'step_not_waiting', 'run_ended'] as const)(
    'that is refused with %s: 409, with words',
    async (code) => {
      await open({ verdict: (): Verdict => ({ status: 'refused', code, message: 'it is over' }) })
      const answer = await door.post(at('complete'), 1)
      expect(answer.json()).toMatchObject({ status: 409, code, detail: 'it is over' })
    },
  )

  test('is queued when no engine answers', async () => {
    await open({ verdict: () => null })
    expect((await door.post(at('complete'), 1)).json()).toEqual({ queued: true })
  })
})

describe('a token', () => {
  test.each([
    ['made up', 'cb_abc.def'],
    ['cut', token.slice(0, -1)],
    ['changed', `${token.slice(0, 20)}${token[20] === 'A' ? 'B' : 'A'}${token.slice(21)}`],
    ['of another fleet', callbackToken('another-secret', REF)],
    ['that is none', '%00%7B'],
    ['as long as a path may be', `cb_${'A'.repeat(1_990)}`],
    ['that says what cannot be', callbackToken(SECRET, { ...REF, attempt: 0 })],
  ])('%s is unknown', async (_, wrong) => {
    await open()
    for (const verb of ['complete', 'fail', 'heartbeat']) {
      const answer = await door.post(at(verb, wrong), verb === 'fail' ? { message: 'x' } : undefined)
      expect(answer.json()).toMatchObject({ status: 404, code: 'unknown_token' })
    }
    expect(door.asked).toEqual([])
  })

  test('that is longer than any is no address either, and no error of ours', async () => {
    await open()
    const answer = await door.post(at('complete', `cb_${'A'.repeat(10_000)}`), 1)
    expect(answer.statusCode).toBeGreaterThanOrEqual(400)
    expect(answer.statusCode).toBeLessThan(500)
  })

  test('of a run that is gone says so; of another namespace goes there, whatever the caller says', async () => {
    await open()
    const gone = await door.post(at('complete', callbackToken(SECRET, { ...REF, run: 'gone' })), 1)
    expect(gone.json()).toMatchObject({ status: 404, code: 'unknown_run' })
    const elsewhere = await door.post(at('complete'), 1, { 'x-stepfleet-namespace': 'other' })
    expect(elsewhere.statusCode).toBe(200)
    expect(door.asked).toMatchObject([{ ns: 'default' }])
  })

  test('is in no line of the log', async () => {
    await open({ verdict: () => ({ status: 'refused', code: 'no_such_code', message: token }) })
    expect((await door.post(at('complete'), 1)).statusCode).toBe(500)
    expect(JSON.stringify(door.logged)).toContain('request failed')
    expect(JSON.stringify(door.logged)).not.toContain(token)
  })
})
