import { createHash } from 'node:crypto'
import { type ToolManifest, workflowJsonSchema } from '@stepfleet/contracts'
import { canonicalJson } from '@stepfleet/engine'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterEach, describe, expect, test } from 'vitest'
import { GREET, openDoor, type TestDoor } from './test/fixture.ts'

let door: TestDoor
afterEach(() => door.app.close())

const YAML = `
name: greet
steps:
  hello:
    value: Hello \${{ input.name }}
`
const register = (payload: string, type: string) =>
  door.app.inject({ method: 'POST', url: '/v1/workflows', payload, headers: { 'content-type': type } })
const mail: ToolManifest = {
  spec: { name: 'mail', description: 'sends', input: {} },
  effect: 'once',
  secrets: [],
}

describe('registering', () => {
  test('makes a version once for equal content, whatever its writing', async () => {
    door = await openDoor()
    const first = await register(YAML, 'application/yaml')
    expect(first.statusCode).toBe(201)
    expect(first.json()).toMatchObject({ name: 'greet', version: 1, created: true })
    expect(first.headers.location).toBe('/v1/workflows/greet/versions/1')
    const body = { steps: { hello: { value: 'Hello ${{ input.name }}' } }, name: 'greet' }
    expect(first.json().hash).toBe(createHash('sha256').update(canonicalJson(body)).digest('hex'))
    for (const type of ['text/yaml', 'text/plain']) expect((await register(YAML, type)).statusCode).toBe(200)
    const again = await door.post('/v1/workflows', body)
    expect([again.statusCode, again.json().version]).toEqual([200, 1])
    const changed = await door.post('/v1/workflows', { ...body, description: 'now with words' })
    expect([changed.statusCode, changed.json().version]).toEqual([201, 2])
  })

  test('warns of tools that no worker serves, with the nearest that one does', async () => {
    door = await openDoor({ tools: new Map([['mail', mail]]) })
    const step = { tool: 'mial', effect: 'once', with: {} }
    const answer = await door.post('/v1/workflows', { name: 'w', steps: { a: step, b: { ...step, tool: 'mail' } } })
    expect(answer.statusCode).toBe(201)
    const warnings = answer.json().warnings.filter((one: { code: string }) => one.code === 'unknown_tool')
    expect(warnings).toMatchObject([{ path: 'steps.a.tool', suggestion: 'did you mean "mail"?' }])
  })

  test.each([
    ['input', { input: { type: 'strin' } }],
    ['input', { input: { $async: true } }],
    ['input', { input: { $ref: 'https://elsewhere.example/schema' } }],
    ['steps.a.signal.schema', { steps: { a: { signal: { name: 'x', schema: { required: 'y' } } } } }],
    ['labels.a b', { labels: { 'a b': 'c' } }],
  ])('refuses what the engine could not use, at %s', async (path, change) => {
    door = await openDoor()
    const answer = await door.post('/v1/workflows', { name: 'w', steps: { a: { value: 1 } }, ...change })
    expect(answer.json()).toMatchObject({ status: 422, code: 'invalid_definition' })
    expect(answer.json().errors[0].path).toMatch(new RegExp(`^${path}`))
  })

  test.each([
    ['a: b\n c: d: e', 'line 1, column 4'],
    ['name: x\nname: y', 'line 2, column 1'],
    ['a: 1\n---\nb: 2', 'line 2'],
    ['a: !!js/function x', 'line 1, column 4'],
    ['\ta: 1', 'line 1'],
    ['? [x]\n: y', 'line 1, column 3'],
  ])('YAML like %j is refused with its place', async (payload, place) => {
    door = await openDoor()
    const answer = await register(payload, 'application/yaml')
    expect(answer.json()).toMatchObject({ status: 400, code: 'invalid_json' })
    expect(answer.json().errors[0].path).toContain(place)
  })

  test.each([
    ['values not of JSON', 'name: .nan'],
    ['the key __proto__', '__proto__: {x: 1}'],
    [
      'aliases that multiply',
      'a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nd: [*c,*c,*c]',
    ],
    ['an alias of itself', 'a: &a [*a]'],
  ])('YAML with %s is refused', async (_, payload) => {
    door = await openDoor()
    expect((await register(payload, 'application/yaml')).json()).toMatchObject({ status: 400, code: 'invalid_json' })
  })

  test('YAML over half a megabyte is refused', async () => {
    door = await openDoor()
    const answer = await register(`a: ${'x'.repeat(600_000)}`, 'text/yaml')
    expect(answer.json()).toMatchObject({ status: 413, code: 'payload_too_large' })
  })
})

test('validate answers every error at once and registers nothing', async () => {
  door = await openDoor()
  const good = await door.post('/v1/workflows/validate', GREET)
  expect([good.statusCode, good.json()]).toMatchObject([200, { valid: true, errors: [] }])
  const bad = await door.post('/v1/workflows/validate', { name: 'W', steps: { a: { tool: 'x', llm: {} } }, extra: 1 })
  expect([bad.statusCode, bad.json().valid]).toEqual([200, false])
  expect(bad.json().errors.length).toBeGreaterThan(1)
  expect((await door.get('/v1/workflows')).json().items).toEqual([])
})

describe('reading', () => {
  test('lists by name, paged', async () => {
    door = await openDoor()
    for (const name of ['c', 'a', 'b']) await door.post('/v1/workflows', { name, steps: { a: { value: 1 } } })
    const first = (await door.get('/v1/workflows?limit=2')).json()
    expect(first.items).toEqual([
      { name: 'a', latest: 1 },
      { name: 'b', latest: 1 },
    ])
    const second = (await door.get(`/v1/workflows?limit=2&cursor=${first.cursor}`)).json()
    expect(second).toEqual({ items: [{ name: 'c', latest: 1 }], cursor: null })
  })

  test('gives the newest version, and any other', async () => {
    door = await openDoor()
    for (const value of [1, 2]) await door.post('/v1/workflows', { name: 'w', steps: { a: { value } } })
    const newest = (await door.get('/v1/workflows/w')).json()
    expect(newest).toMatchObject({ name: 'w', version: 2, definition: { steps: { a: { value: 2 } } } })
    expect((await door.get('/v1/workflows/w/versions/1')).json()).toMatchObject({ version: 1 })
    for (const url of ['/v1/workflows/x', '/v1/workflows/w/versions/3']) {
      expect((await door.get(url)).json()).toMatchObject({ status: 404, code: 'unknown_workflow' })
    }
    expect((await door.get('/v1/workflows/w/versions/new')).json()).toMatchObject({ status: 400 })
  })
})

test('the schema of the format is served whole, as a JSON Schema that takes a definition', async () => {
  door = await openDoor()
  const answer = await door.get('/v1/schema/workflow')
  expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'application/schema+json; charset=utf-8'])
  expect(answer.json()).toEqual(workflowJsonSchema())
  const check = new Ajv2020({ strict: false }).compile(answer.json())
  expect([check(GREET), check({ name: 'greet' })]).toEqual([true, false])
})
