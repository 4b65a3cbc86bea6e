// The desk's door over a real Redis, with an engine that only answers receipts.
import { type Command, deskKeys, type EscalationNotice, type Verdict } from '@stepfleet/contracts'
import {
  closeRedis,
  connectRedis,
  createClaims,
  createLogger,
  createMailbox,
  loadConfig,
  type RedisClient,
  redisSettings,
} from '@stepfleet/runtime'
import { eventually, startRedis, type TestRedis } from '@stepfleet/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { createCaseStore } from '../store/redis.ts'
import { createDoor } from './http.ts'
import { createNoticeHandler } from './notices.ts'
import { commandsOf, firstWins, startTestEngine } from './test-engine.ts'

const RUN = 'run-1'

let redis: TestRedis
let client: RedisClient
let door: ReturnType<typeof createDoor>
let notify: (notice: EscalationNotice) => Promise<void>
let ready: () => Promise<{ ready: boolean; why?: string }>
const logger = createLogger('test', 'silent')

beforeAll(async () => {
  redis = await startRedis()
  client = connectRedis(loadConfig(z.object(redisSettings), { STEPFLEET_REDIS_URL: redis.url }), { name: 'test' })
  const store = createCaseStore(client, 90)
  const handle = createNoticeHandler({ store, logger, stopping: new AbortController().signal })
  notify = (notice) => handle({ id: notice.case, data: notice })
  const desk = { store, mailbox: createMailbox(client), record: createClaims(client), waitMs: 500 }
  door = createDoor({ desk, logger, ready: () => ready() })
})
afterAll(async () => {
  await door.close()
  await closeRedis(client)
  await redis.stop()
})

const commands = (): Promise<Command[]> => commandsOf(client, RUN)
let engine: { stop(): Promise<void> } | null = null
const startEngine = (judge: (command: Command) => Verdict): void => {
  engine = startTestEngine(client, RUN, judge)
}

beforeEach(async () => {
  await client.flushall()
  ready = async () => ({ ready: true })
})
afterEach(async () => {
  await engine?.stop()
  engine = null
})

const ID = `esc_${RUN}_7`
const base = { ns: 'default', run: RUN, path: 'mail', case: ID, workflow: 'w', attempts: [], input: { to: 'x' } }
const failedStep: EscalationNotice = { ...base, type: 'opened', atMs: 1, reason: 'max_retries_exceeded', kind: 'tool' }
const approval: EscalationNotice = {
  ...base,
  type: 'opened',
  atMs: 1,
  reason: 'requires_human',
  kind: 'approval',
  show: 1,
}
const closing: EscalationNotice = {
  ns: 'default',
  run: RUN,
  path: 'mail',
  case: ID,
  type: 'closed',
  atMs: 2,
  action: 'retry',
  by: 'ada',
}

const post = (payload: object, headers: Record<string, string> = {}) =>
  door.inject({ method: 'POST', url: `/v1/escalations/${ID}/resolve`, payload, headers })
const get = (url: string, headers: Record<string, string> = {}) => door.inject({ method: 'GET', url, headers })

test('a notice becomes a case that is listed and read, in its namespace alone', async () => {
  await notify(failedStep)
  await notify(failedStep)
  const list = await get('/v1/escalations')
  expect([list.statusCode, list.json().items.length, list.json().cursor]).toEqual([200, 1, null])
  expect((await get(`/v1/escalations/${ID}`)).json()).toMatchObject({ id: ID, status: 'open', input: { to: 'x' } })
  const other = { 'x-stepfleet-namespace': 'other' }
  expect((await get('/v1/escalations', other)).json().items).toEqual([])
  expect((await get(`/v1/escalations/${ID}`, other)).statusCode).toBe(404)
})

test('an applied decision is 200; the case resolves and closes by the notice', async () => {
  startEngine(firstWins())
  await notify(failedStep)
  const answer = await post({ action: 'retry', by: 'ada', reason: 'fixed', edit: { with: { to: 'y' } } })
  expect([answer.statusCode, answer.json()]).toMatchObject([
    200,
    { case: { status: 'resolving' }, verdict: { status: 'applied', seq: 9 } },
  ])
  expect(await commands()).toMatchObject([
    {
      type: 'retry',
      ns: 'default',
      run: RUN,
      path: 'mail',
      case: ID,
      by: { kind: 'operator', id: 'ada' },
      reason: 'fixed',
      edit: { with: { to: 'y' } },
      receipt: true,
    },
  ])
  await notify(closing)
  expect((await get(`/v1/escalations/${ID}`)).json()).toMatchObject({ status: 'closed', actions: [] })
  expect((await get('/v1/escalations')).json().items).toEqual([])
  expect((await get('/v1/escalations?status=closed')).json().items.length).toBe(1)
})

test('each action is its command', async () => {
  startEngine(() => ({ status: 'applied', seq: 1 }))
  await notify(failedStep)
  for (const more of [{ action: 'skip' }, { action: 'fail' }, { action: 'override', output: { a: 1 } }]) {
    expect((await post({ by: 'ada', ...more })).statusCode).toBe(200)
  }
  expect((await commands()).map(({ type }) => type)).toEqual(['skip', 'fail', 'override'])
  expect((await commands())[2]).toMatchObject({ output: { value: { a: 1 } } })
  await client.flushall()
  await notify(approval)
  expect((await post({ action: 'approve', by: 'ada', edits: { to: 'z' } })).statusCode).toBe(200)
  expect((await post({ action: 'reject', by: 'ada' })).statusCode).toBe(200)
  expect(await commands()).toMatchObject([
    { type: 'approve', approved: true, edits: { to: 'z' } },
    { type: 'approve', approved: false },
  ])
})

test('a large override goes by reference', async () => {
  startEngine(firstWins())
  await notify(failedStep)
  const answer = await post({ action: 'override', by: 'ada', output: 'x'.repeat(100_000) })
  expect(answer.statusCode).toBe(200)
  expect(await commands()).toMatchObject([{ type: 'override', output: { blob: expect.any(String), bytes: 100_002 } }])
})

test('of many decisions at once exactly one is applied', async () => {
  startEngine(firstWins())
  await notify(failedStep)
  const answers = await Promise.all(['a', 'b', 'c', 'd'].map((by) => post({ action: 'skip', by })))
  expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 409, 409, 409])
  const refused = answers.find(({ statusCode }) => statusCode === 409)
  expect(refused?.headers['content-type']).toContain('application/problem+json')
  expect(refused?.json()).toMatchObject({ code: 'case_closed', status: 409, detail: `${ID} is closed` })
})

test('a refused decision leaves the case open', async () => {
  startEngine(() => ({ status: 'refused', code: 'output_invalid', message: 'a is missing' }))
  await notify(failedStep)
  const answer = await post({ action: 'override', by: 'ada', output: {} })
  expect([answer.statusCode, answer.json().code]).toEqual([422, 'output_invalid'])
  expect((await get(`/v1/escalations/${ID}`)).json()).toMatchObject({ status: 'open', resolution: null })
})

test('a refusal that the catalogue does not know is 409 under its own code', async () => {
  startEngine(() => ({ status: 'refused', code: 'stale_case', message: 'no' }))
  await notify(failedStep)
  expect((await post({ action: 'skip', by: 'ada' })).json()).toMatchObject({ status: 409, code: 'stale_case' })
})

test('an engine that is away: 202, then what it says later', async () => {
  await notify(failedStep)
  const answer = await post({ action: 'skip', by: 'ada' })
  expect([answer.statusCode, answer.json().verdict, answer.json().case.status]).toEqual([202, null, 'resolving'])
  startEngine(() => ({ status: 'refused', code: 'case_closed', message: 'no' }))
  await eventually(async () => (await get(`/v1/escalations/${ID}`)).json().status === 'open')
})

test('the same Idempotency-Key is one command, also after the case is closed; another body is another', async () => {
  startEngine(firstWins())
  await notify(failedStep)
  const headers = { 'idempotency-key': 'k1' }
  const first = await post({ action: 'skip', by: 'ada' }, headers)
  const again = await post({ by: 'ada', action: 'skip' }, headers)
  expect([first.statusCode, again.statusCode, (await commands()).length]).toEqual([200, 200, 1])
  expect((await post({ action: 'fail', by: 'ada' }, headers)).statusCode).toBe(409)
  await notify(closing)
  expect((await post({ action: 'skip', by: 'ada' }, headers)).statusCode).toBe(200)
  expect((await post({ action: 'skip', by: 'ada' })).json()).toMatchObject({ status: 409, code: 'case_closed' })
  expect((await commands()).length).toBe(2)
})

test.each<[object, string]>([
  [{ action: 'approve', by: 'ada' }, 'it takes retry, skip, override, fail'],
  [{ action: 'skip' }, 'by'],
  [{ action: 'explode', by: 'ada' }, 'action'],
  [{ action: 'skip', by: 'ada', edit: {} }, 'edit'],
  [{ action: 'override', by: 'ada' }, 'output'],
])('%j is 400 and sends nothing', async (payload, text) => {
  await notify(failedStep)
  const answer = await post(payload)
  expect([answer.statusCode, answer.json().code]).toEqual([400, 'bad_request'])
  expect(answer.body).toContain(text)
  expect(await commands()).toEqual([])
})

test('every error is a problem', async () => {
  const answers = [
    [await post({ action: 'skip', by: 'ada' }), 404, 'unknown_case'],
    [await get('/v1/escalations/none'), 404, 'unknown_case'],
    [await get('/v1/nothing'), 404, 'not_found'],
    [await get('/v1/escalations?status=odd'), 400, 'bad_request'],
    [await get('/v1/escalations?colour=red'), 400, 'bad_request'],
    [await get('/v1/escalations?cursor=odd'), 400, 'bad_request'],
    [await get('/v1/escalations', { 'x-stepfleet-namespace': 'a:b' }), 400, 'bad_request'],
    [await get('/v1/escalations/%E0%A4%A'), 400, 'bad_request'],
  ] as const
  for (const [answer, status, code] of answers) {
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.json()).toMatchObject({ status, code, type: `https://stepfleet.dev/problems/${code}` })
    expect(answer.statusCode).toBe(status)
  }
  const url = `/v1/escalations/${ID}/resolve`
  const raw = (payload: string, type: string) =>
    door.inject({ method: 'POST', url, payload, headers: { 'content-type': type } })
  expect((await raw('{', 'application/json')).json()).toMatchObject({ status: 400, code: 'invalid_json' })
  expect((await raw('', 'application/json')).json()).toMatchObject({ status: 400, code: 'invalid_json' })
  expect((await raw('{"__proto__":{}}', 'application/json')).json()).toMatchObject({ status: 400 })
  expect((await raw('x', 'text/csv')).json()).toMatchObject({ status: 415, code: 'unsupported_media_type' })
  expect((await raw(' '.repeat(17 * 1024 * 1024), 'application/json')).json()).toMatchObject({ status: 413 })
})

test('what is stored but broken is a 500 that tells nothing', async () => {
  await client.hset(deskKeys('default').case(ID), 'opened', 'canary{')
  const answer = await get(`/v1/escalations/${ID}`)
  expect(answer.json()).toEqual({
    type: 'https://stepfleet.dev/problems/internal_error',
    title: 'Something went wrong here',
    status: 500,
    code: 'internal_error',
  })
})

test('health is here; not ready is 503 with the reason', async () => {
  expect((await get('/healthz')).json()).toEqual({ status: 'ok' })
  expect((await get('/readyz')).statusCode).toBe(200)
  ready = () => Promise.reject(new Error('redis away'))
  const answer = await get('/readyz')
  expect([answer.statusCode, answer.json().why]).toEqual([503, 'redis away'])
})

test('a job that is no notice is dropped', async () => {
  const handle = createNoticeHandler({
    store: createCaseStore(client, 90),
    logger,
    stopping: new AbortController().signal,
  })
  await handle({ id: 'x', data: { type: 'opened' } })
  expect(await client.dbsize()).toBe(0)
})

test('Redis away: 503 with Retry-After, and the notice waits for it', async () => {
  redis.kill('SIGSTOP')
  const answer = get('/v1/escalations')
  const taken = notify(failedStep)
  expect((await answer).json()).toMatchObject({ status: 503, code: 'fleet_unavailable' })
  expect((await answer).headers['retry-after']).toBe('1')
  redis.kill('SIGCONT')
  await taken
  expect((await get(`/v1/escalations/${ID}`)).json()).toMatchObject({ status: 'open' })
})
