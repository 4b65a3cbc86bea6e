import { failure, type Json } from '@stepfleet/contracts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { GREET, openDoor, type TestDoor } from './test/fixture.ts'

let door: TestDoor
beforeEach(async () => {
  door = await openDoor()
  await door.post('/v1/workflows', GREET)
})
afterEach(() => door.app.close())

const submit = async (id: string, more: Record<string, Json> = {}) => {
  const answer = await door.post('/v1/runs', { workflow: 'greet', input: { name: id }, id, ...more })
  expect(answer.statusCode).toBe(202)
}
const idsOf = (body: { items: { id: string }[] }) => body.items.map((item) => item.id)

describe('the list', () => {
  test('is paged without gaps and without repeats', async () => {
    for (const id of ['r1', 'r2', 'r3', 'r4', 'r5']) await submit(id)
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const page = (await door.get(`/v1/runs?limit=2${query}`)).json()
      seen.push(...idsOf(page))
      cursor = page.cursor
    } while (cursor !== null)
    expect([...seen].sort()).toEqual(['r1', 'r2', 'r3', 'r4', 'r5'])
    expect(seen).toHaveLength(5)
  })

  test('is filtered by status, workflow, time, and by labels that must all match', async () => {
    await submit('a', { labels: { env: 'prod', tier: '1' } })
    await submit('b', { labels: { env: 'prod', tier: '2' } })
    await door.append('b', 'completed', [{ type: 'run.completed', output: { value: null } }])
    const ids = async (query: string) => idsOf((await door.get(`/v1/runs?${query}`)).json()).sort()
    expect(await ids('label=env:prod')).toEqual(['a', 'b'])
    expect(await ids('label=env:prod&label=tier:2')).toEqual(['b'])
    expect(await ids('status=queued')).toEqual(['a'])
    expect(await ids('workflow=other')).toEqual([])
    expect(await ids(`since=${Date.now() + 60_000}`)).toEqual([])
    expect(await ids('until=2020-01-01T00:00:00Z')).toEqual([])
    expect(await ids('since=2020-01-01T00:00:00Z')).toEqual(['a', 'b'])
  })

  test.each([
    ['limit=0'],
    ['limit=201'],
    ['limit=x'],
    ['status=odd'],
    ['label=nocolon'],
    ['label=a:1&label=a:2'],
    ['since=yesterday'],
    ['cursor=%21%21'],
    ['colour=red'],
  ])('refuses ?%s', async (query) => {
    const answer = await door.get(`/v1/runs?${query}`)
    expect(answer.json()).toMatchObject({ status: 400, code: 'bad_request' })
  })
})

describe('one run', () => {
  test('is shown whole; its journal is paged by sequence', async () => {
    await submit('a')
    const view = await door.get('/v1/runs/a')
    expect(view.json()).toMatchObject({ id: 'a', status: 'queued', input: { name: 'a' }, output: null })
    await door.append('a', 'failed', [
      { type: 'step.failed', path: 'hello', failure: failure('timeout', 'too slow') },
      { type: 'run.failed', failure: failure('timeout', 'too slow'), path: 'hello' },
    ])
    const first = (await door.get('/v1/runs/a/journal?limit=1')).json()
    expect(first.events.map((event: { seq: number }) => event.seq)).toEqual([1])
    const second = (await door.get(`/v1/runs/a/journal?from=${first.next}&limit=5`)).json()
    expect(second.events.map((event: { type: string }) => event.type)).toEqual(['run.failed'])
    expect(second.next).toBeNull()
  })

  test('gives its result when it has one', async () => {
    await submit('a')
    await submit('b')
    const early = await door.get('/v1/runs/a/result')
    expect([early.statusCode, early.json()]).toEqual([202, { status: 'queued' }])
    const waiting = door.get('/v1/runs/a/result?wait=20s')
    await door.append('a', 'completed', [{ type: 'run.completed', output: { value: [1, null] } }])
    expect((await waiting).json()).toEqual({ status: 'completed', output: [1, null] })
    await door.append('b', 'failed', [{ type: 'run.failed', failure: failure('timeout', 'too slow'), path: 'hello' }])
    const failed = await door.get('/v1/runs/b/result')
    expect(failed.statusCode).toBe(200)
    expect(failed.json()).toMatchObject({ status: 'failed', failure: { code: 'timeout' }, failedStep: 'hello' })
  })

  test.each(['', '/journal', '/result', '/result?wait=1s'])(
    'that is not there: 404 at /v1/runs/nope%s',
    async (rest) => {
      expect((await door.get(`/v1/runs/nope${rest}`)).json()).toMatchObject({ status: 404, code: 'unknown_run' })
    },
  )

  test.each(['61s', '1', 'soon', '2m'])('is not waited for for %s', async (wait) => {
    await submit('a')
    const answer = await door.get(`/v1/runs/a/result?wait=${wait}`)
    expect(answer.json()).toMatchObject({ status: 400, code: 'bad_request' })
    expect(answer.json().errors[0].path).toBe('query.wait')
  })
})
