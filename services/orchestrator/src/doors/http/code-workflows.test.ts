// Code workflows at the door: shown without their bundle, submitted like any, and never taken from a caller.
import { afterEach, expect, test } from 'vitest'
import { openDoor, type TestDoor } from './test/fixture.ts'

let door: TestDoor
afterEach(() => door.app.close())

const CODE = {
  name: 'flow',
  input: { type: 'object', required: ['n'], properties: { n: { type: 'number' } } },
  code: { hash: 'b'.repeat(64) },
}

test('a code workflow is shown by the hash of its bundle', async () => {
  door = await openDoor()
  await door.store.register('default', 'flow', 'h', JSON.stringify(CODE))
  for (const url of ['/v1/workflows/flow', '/v1/workflows/flow/versions/1']) {
    const answer = await door.get(url)
    expect(answer.json()).toMatchObject({ name: 'flow', version: 1, definition: CODE })
  }
})

test('its input is checked at submit', async () => {
  door = await openDoor()
  await door.store.register('default', 'flow', 'h', JSON.stringify(CODE))
  expect((await door.post('/v1/runs', { workflow: 'flow', input: { n: 1 } })).statusCode).toBe(202)
  const wrong = await door.post('/v1/runs', { workflow: 'flow', input: { n: 'one' } })
  expect(wrong.json()).toMatchObject({ code: 'invalid_input', errors: [{ path: 'input.n' }] })
})

test('code that a caller sends is refused', async () => {
  door = await openDoor()
  const registered = await door.post('/v1/workflows', CODE)
  expect(registered.json()).toMatchObject({ status: 422, code: 'invalid_definition' })
  const submitted = await door.post('/v1/runs', { definition: { ...CODE, steps: {} }, input: { n: 1 } })
  expect(submitted.json()).toMatchObject({ status: 422, code: 'invalid_definition' })
})
