import { problemSchema, runSummarySchema, runViewSchema } from '@stepfleet/contracts'
import { afterEach, describe, expect, test } from 'vitest'
import { type DoorOptions, GREET, openDoor, type TestDoor } from './test/fixture.ts'

let door: TestDoor
afterEach(() => door.app.close())

const openWithGreet = async (options: DoorOptions = {}): Promise<TestDoor> => {
  door = await openDoor(options)
  const registered = await door.post('/v1/workflows', GREET)
  expect(registered.statusCode).toBe(201)
  return door
}

const run = { workflow: 'greet', input: { name: 'Ada' } }

const commandsOf = async (id: string) => {
  const entries = await Promise.all(
    Array.from({ length: 64 }, (_, shard) => door.store.read([{ shard, after: '0' }], 1_000, 0)),
  )
  return entries.flat().filter(({ command }) => command.run === id)
}

describe('a new run', () => {
  test('is answered 202 with its place, and is in the mailbox with what it needs', async () => {
    await openWithGreet({ config: { env: { REGION: 'eu' } } })
    const answer = await door.post('/v1/runs', { ...run, labels: { who: 'ada' }, priority: 2 })
    expect(answer.statusCode).toBe(202)
    const summary = runSummarySchema.parse(answer.json())
    expect(answer.headers.location).toBe(`/v1/runs/${summary.id}`)
    expect(summary).toMatchObject({ namespace: 'default', status: 'queued', labels: { team: 'core', who: 'ada' } })
    expect(summary.workflow).toMatchObject({ name: 'greet', version: 1 })
    expect(summary.id).toMatch(/^run_[0-9a-f]{24}$/)
    const [entry] = await commandsOf(summary.id)
    expect(entry?.command).toMatchObject({
      type: 'start',
      input: { value: { name: 'Ada' } },
      priority: 2,
      env: { REGION: 'eu' },
      by: { kind: 'caller', id: 'api' },
    })
  })

  test('of a definition that comes along keeps it by its hash, unlisted', async () => {
    door = await openDoor()
    const answer = await door.post('/v1/runs', { definition: GREET, input: { name: 'Ada' } })
    expect(answer.statusCode).toBe(202)
    const { workflow } = runSummarySchema.parse(answer.json())
    expect(workflow.version).toBeNull()
    expect(await door.store.byRef('default', workflow)).toEqual(GREET)
    expect(await door.store.definitions('default')).toEqual([])
  })

  test('may be written in YAML', async () => {
    await openWithGreet()
    const payload = 'workflow: greet@1\ninput:\n  name: Ada\n'
    const answer = await door.app.inject({
      ...{ method: 'POST', url: '/v1/runs', payload },
      headers: { 'content-type': 'application/yaml' },
    })
    expect(answer.statusCode).toBe(202)
  })

  test('stays in its namespace', async () => {
    await openWithGreet()
    const other = { 'x-stepfleet-namespace': 'other' }
    expect((await door.post('/v1/runs', run, other)).json()).toMatchObject({ code: 'unknown_workflow' })
    await door.post('/v1/workflows', GREET, other)
    const made = await door.post('/v1/runs', { ...run, id: 'mine' }, other)
    expect(made.statusCode).toBe(202)
    expect((await door.get('/v1/runs/mine')).statusCode).toBe(404)
    expect((await door.get('/v1/runs/mine', other)).statusCode).toBe(200)
  })

  test('writes a large input by its hash before the run names it', async () => {
    await openWithGreet()
    const name = 'x'.repeat(100_000)
    const made = await door.post('/v1/runs', { workflow: 'greet', input: { name }, id: 'large' })
    expect(made.statusCode).toBe(202)
    const [entry] = await commandsOf('large')
    const input = entry?.command.type === 'start' ? entry.command.input : null
    expect(input).toMatchObject({ bytes: 100_011 })
    const sha = input !== null && 'blob' in input ? input.blob : ''
    expect(await door.store.blob('default', 'large', sha)).toEqual({ name })
  })

  test('with wait answers with the whole run when it ends in time', async () => {
    await openWithGreet()
    const answering = door.post('/v1/runs?wait=20s', { ...run, id: 'quick' })
    await expect.poll(() => door.store.head('default', 'quick')).not.toBeNull()
    await door.append('quick', 'completed', [{ type: 'run.completed', output: { value: 'Hello Ada' } }])
    const answer = await answering
    expect(answer.statusCode).toBe(200)
    expect(runViewSchema.parse(answer.json())).toMatchObject({ status: 'completed', output: 'Hello Ada' })
  })

  test('with wait answers 202 when it does not', async () => {
    await openWithGreet()
    const answer = await door.post('/v1/runs?wait=30ms', run)
    expect(answer.statusCode).toBe(202)
    expect(runSummarySchema.parse(answer.json()).status).toBe('queued')
  })

  test('with wait is answered when the door closes', async () => {
    await openWithGreet()
    const answering = door.post('/v1/runs?wait=60s', { ...run, id: 'waits' })
    await expect.poll(() => door.store.head('default', 'waits')).not.toBeNull()
    await door.app.close()
    expect((await answering).statusCode).toBe(202)
  })
})

describe('the same run again', () => {
  test('by id, whatever the order of the keys: 200', async () => {
    await openWithGreet()
    expect((await door.post('/v1/runs', { ...run, id: 'a' })).statusCode).toBe(202)
    const again = await door.post('/v1/runs', { id: 'a', input: { name: 'Ada' }, workflow: 'greet', priority: 3 })
    expect(again.statusCode).toBe(200)
    expect(await commandsOf('a')).toHaveLength(1)
  })

  test('by Idempotency-Key: 200 and the same id', async () => {
    await openWithGreet()
    const key = { 'idempotency-key': 'order-17' }
    const first = await door.post('/v1/runs', run, key)
    const second = await door.post('/v1/runs', run, key)
    expect([first.statusCode, second.statusCode]).toEqual([202, 200])
    expect(second.json().id).toBe(first.json().id)
    const other = await door.post('/v1/runs', { workflow: 'greet', input: { name: 'Eve' } }, key)
    expect(other.json()).toMatchObject({ status: 409, code: 'run_conflict' })
  })

  test.each([
    ['input', { input: { name: 'Eve' } }],
    ['labels', { labels: { a: 'b' } }],
    ['priority', { priority: 1 }],
  ])('with another %s: 409', async (_, change) => {
    await openWithGreet()
    await door.post('/v1/runs', { ...run, id: 'a' })
    const answer = await door.post('/v1/runs', { ...run, id: 'a', ...change })
    expect(answer.statusCode).toBe(409)
    expect(problemSchema.parse(answer.json()).code).toBe('run_conflict')
  })

  test('use_existing takes whatever is there; a large input is not left behind', async () => {
    await openWithGreet()
    await door.post('/v1/runs', { ...run, id: 'a' })
    const name = 'y'.repeat(100_000)
    let writes = 0
    const { putBlob } = door.store
    door.store.putBlob = async (...args) => {
      writes += 1
      await putBlob(...args)
    }
    const answer = await door.post('/v1/runs', {
      workflow: 'greet',
      input: { name },
      id: 'a',
      onConflict: 'use_existing',
    })
    expect(answer.statusCode).toBe(200)
    expect(writes).toBe(0)
  })
})

describe('a request that is wrong', () => {
  test.each([
    ['neither workflow nor definition', { input: {} }, 400, 'bad_request', 'workflow'],
    ['both', { workflow: 'greet', definition: GREET }, 400, 'bad_request', 'workflow'],
    ['a version of a definition', { definition: GREET, version: 1 }, 400, 'bad_request', 'version'],
    ['two versions', { ...run, workflow: 'greet@1', version: 2 }, 400, 'bad_request', 'version'],
    ['a bad id', { ...run, id: 'a.b' }, 400, 'bad_request', 'id'],
    ['a bad priority', { ...run, priority: 9 }, 400, 'bad_request', 'priority'],
    ['thread', { ...run, thread: 't' }, 422, 'not_supported_yet', 'thread'],
    ['budget', { ...run, budget: { usd: 0 } }, 400, 'bad_request', 'budget.usd'],
    ['restart', { ...run, id: 'a', onConflict: 'restart' }, 422, 'not_supported_yet', 'onConflict'],
    ['input without a field', { workflow: 'greet', input: {} }, 422, 'invalid_input', 'input.name'],
    ['no input at all', { workflow: 'greet' }, 422, 'invalid_input', 'input.name'],
    ['input of the wrong type', { workflow: 'greet', input: { name: 1 } }, 422, 'invalid_input', 'input.name'],
    ['a format', { workflow: 'greet', input: { name: 'a', mail: 'x' } }, 422, 'invalid_input', 'input.mail'],
    ['a field too many', { workflow: 'greet', input: { name: 'a', b: 1 } }, 422, 'invalid_input', 'input.b'],
    ['a broken definition', { definition: { name: 'x' } }, 422, 'invalid_definition', 'steps'],
  ])('%s', async (_, body, status, code, path) => {
    await openWithGreet()
    const answer = await door.post('/v1/runs', body)
    expect(answer.headers['content-type']).toContain('application/problem+json')
    const problem = problemSchema.parse(answer.json())
    expect([answer.statusCode, problem.status, problem.code]).toEqual([status, status, code])
    expect(problem.errors?.map((error) => error.path)).toContain(path)
  })

  test('a slip of the pen gets a suggestion', async () => {
    await openWithGreet()
    const answer = await door.post('/v1/runs', { workfow: 'greet', input: {} })
    const error = answer.json().errors.find((one: { path: string }) => one.path === 'workfow')
    expect(error).toMatchObject({ code: 'unknown_field', suggestion: 'did you mean "workflow"?' })
    const unknown = await door.post('/v1/runs', { ...run, workflow: 'gret' })
    expect(unknown.json()).toMatchObject({ status: 404, code: 'unknown_workflow' })
    expect(unknown.json().detail).toContain('did you mean greet?')
    const version = await door.post('/v1/runs', { ...run, workflow: 'greet@9' })
    expect(version.json().detail).toContain('newest is 1')
  })

  test('labels of workflow and run are counted together', async () => {
    await openWithGreet()
    const labels = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`l${i}`, 'x']))
    expect((await door.post('/v1/runs', { ...run, labels })).json()).toMatchObject({ code: 'bad_request' })
  })

  test('an input over 16 MiB, inside a body that is let through: 413', async () => {
    await openWithGreet()
    const name = 'x'.repeat(16 * 1024 * 1024)
    const answer = await door.post('/v1/runs', { workflow: 'greet', input: { name } })
    expect(answer.json()).toMatchObject({ status: 413, code: 'payload_too_large' })
  })
})

describe('a batch', () => {
  test('answers each on its own, in order', async () => {
    await openWithGreet()
    const runs = [
      { ...run, id: 'b1' },
      { ...run, id: 'b1' },
      { workflow: 'greet', input: { name: 'Eve' }, id: 'b1' },
      { ...run, thread: 'x' },
      'nonsense',
      { workflow: 'nope' },
      run,
    ]
    const answer = await door.post('/v1/runs/batch', { runs })
    expect(answer.statusCode).toBe(200)
    const results: { status: number; problem?: { code: string }; run?: { id: string } }[] = answer.json().results
    expect(results.map(({ status, problem }) => problem?.code ?? status)).toEqual([
      202,
      200,
      'run_conflict',
      'not_supported_yet',
      'bad_request',
      'unknown_workflow',
      202,
    ])
    expect(results[0]?.run?.id).toBe('b1')
  })

  test('with an Idempotency-Key is the same runs again', async () => {
    await openWithGreet()
    const key = { 'idempotency-key': 'batch-1' }
    const first = (await door.post('/v1/runs/batch', { runs: [run, run] }, key)).json().results
    const second = (await door.post('/v1/runs/batch', { runs: [run, run] }, key)).json().results
    const ids = (results: { run: { id: string } }[]) => results.map((result) => result.run.id)
    expect(new Set(ids(first)).size).toBe(2)
    expect(ids(second)).toEqual(ids(first))
    expect(second.map((result: { status: number }) => result.status)).toEqual([200, 200])
  })

  test('takes 1,000 and no more', async () => {
    await openWithGreet()
    const most = await door.post('/v1/runs/batch', { runs: Array.from({ length: 1_000 }, () => run) })
    expect(most.json().results.filter((result: { status: number }) => result.status === 202)).toHaveLength(1_000)
    const more = await door.post('/v1/runs/batch', { runs: Array.from({ length: 1_001 }, () => run) })
    expect(more.json()).toMatchObject({ status: 400, code: 'bad_request' })
  })

  test('does not go on against a fleet that is away', async () => {
    let calls = 0
    const submit = () => {
      calls += 1
      return Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }))
    }
    await openWithGreet({ store: (store) => ({ ...store, submit }) })
    const answer = await door.post('/v1/runs/batch', { runs: Array.from({ length: 500 }, () => run) })
    const codes = answer.json().results.map((result: { problem?: { code: string } }) => result.problem?.code)
    expect(new Set(codes)).toEqual(new Set(['fleet_unavailable']))
    expect(calls).toBeLessThanOrEqual(32)
  })
})
