// What a wake sees of tasks that are out, while workers go on claiming them.
import { type Definition, taskId } from '@stepfleet/contracts'
import { eventually } from '@stepfleet/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { observe } from './observe.ts'
import { Plans } from './plans.ts'
import { type LoadedRun, loadRun } from './runs.ts'
import { createWorld, type World } from './world.fixture.ts'

const calls: Definition = { name: 'calls', steps: { a: { tool: 'noop', effect: 'read' } } }
const TASK = { ns: 'default', run: 'r1', path: 'a', attempt: 1, delivery: 1 }

let world: World
let run: LoadedRun
beforeEach(async () => {
  world = createWorld()
  await world.startEngine()
  await world.submit(calls, 'r1')
  await eventually(() => world.queue.length === 1)
  const loaded = await loadRun({ store: world.store, plans: new Plans(world.store) }, 'default', 'r1')
  if (!loaded) throw new Error('the run is gone')
  run = loaded
})
afterEach(() => world.stop())

const seenWhile = async (findJob: () => Promise<'waiting' | 'taken' | null>) =>
  (await observe({ store: world.store, publisher: { findJob } }, run, run.state.lastAtMs + 5_000)).get('a')

test('a job that waits is not missing, one that is gone or was taken long ago is', async () => {
  expect(await seenWhile(async () => 'waiting')).toMatchObject({ task: taskId(TASK), jobMissing: false })
  expect(await seenWhile(async () => 'taken')).toMatchObject({ claimedAtMs: null, jobMissing: true })
  expect(await seenWhile(async () => null)).toMatchObject({ jobMissing: true })
})

test('a job that is claimed while it is looked for is not missing: its call would be made twice', async () => {
  const seen = await seenWhile(async () => {
    await world.store.claims.claim(TASK, 'w_1', 'token')
    return 'taken'
  })
  expect(seen).toMatchObject({ claimedAtMs: expect.any(Number), jobMissing: false })
})

test('a task that is claimed is not looked for', async () => {
  await world.store.claims.claim(TASK, 'w_1', 'token')
  const seen = await seenWhile(async () => {
    throw new Error('it was looked for')
  })
  expect(seen).toMatchObject({ claimedAtMs: expect.any(Number), jobMissing: false })
})
