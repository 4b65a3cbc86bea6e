// A simulated run notices when its journal and its state tell two stories, and when a law is broken.

import { createSchemaChecks } from '@stepfleet/schemas'
import { expect, test } from 'vitest'
import { Faults } from './faults.ts'
import { Mocks } from './mocks.ts'
import { People } from './people.ts'
import type { SimulatedRun } from './simulated-run.ts'
import { Tools } from './tools.ts'
import { workflow } from './workflow.fixture.ts'
import { planWorkflows } from './workflows.ts'
import { World } from './world.ts'

const played = async (): Promise<SimulatedRun> => {
  const { root, children } = planWorkflows(workflow({ a: { value: 1 }, b: { value: '${{ steps.a.output }}' } }), {})
  const world = new World({
    ns: 'default',
    startAtMs: 0,
    maxEvents: 100,
    mocks: new Mocks({}),
    faults: new Faults([]),
    people: new People({}),
    checks: createSchemaChecks(),
    tools: new Tools([]),
    durations: new Map(),
    env: {},
    workflows: children,
  })
  const { plan } = root
  const about = { ns: 'default', run: 'r1' }
  const run = await world.start(
    { ...about, workflow: root, prefix: { path: '', id: '' }, tools: new Map() },
    {
      ...about,
      type: 'start',
      id: 'start',
      by: { kind: 'caller', id: 'test' },
      workflow: { name: plan.name, version: null, hash: plan.hash },
      input: { value: null },
      labels: {},
      priority: 3,
      env: {},
    },
  )
  await world.play()
  return run
}

test('a run that went well passes, from its journal and from its snapshot', async () => {
  const run = await played()
  expect(run.state.status).toBe('completed')
  expect(() => run.check()).not.toThrow()
  await expect(run.crash(run.events)).resolves.toBeDefined()
})

test('a journal that lacks an event is noticed', async () => {
  const run = await played()
  run.events.pop()
  await expect(run.crash([])).rejects.toThrow('folds to another state')
  expect(() => run.check()).toThrow('folds to another state')
})

test('a broken law is noticed, with its name', async () => {
  const run = await played()
  const [started, a, b, ...rest] = run.events
  if (!started || !a || !b) throw new Error('the run has too few events')
  run.events.splice(0, run.events.length, started, { ...b, seq: a.seq }, { ...a, seq: b.seq }, ...rest)
  expect(() => run.check()).toThrow('needs_come_first')
})
