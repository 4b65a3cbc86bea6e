// Limits and the cache, driven: runs wait for each other's places, whatever happens to engines in between.
import type { Definition, RunStatus } from '@stepfleet/contracts'
import { checkLaws } from '@stepfleet/engine'
import { eventually } from '@stepfleet/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MemoryStore } from '../store/memory-store.ts'
import { createWorld, type World } from './world.fixture.ts'

const NS = 'default'
const places = (limit: number): Definition => ({
  name: 'places',
  steps: {
    a: { tool: 'noop', effect: 'read', concurrency: { key: 'crm-${{ input }}', limit } },
  },
})
const oneRun: Definition = {
  name: 'one-run',
  concurrency: { key: 'all', limit: 1 },
  steps: { a: { tool: 'noop', effect: 'read' } },
}
const items = (limit: number): Definition => ({
  name: 'items',
  steps: {
    a: { each: '${{ input }}', tool: 'noop', effect: 'read', concurrency: { key: 'crm', limit } },
  },
})
const rate = (limit: number, per: string): Definition => ({
  name: 'rate',
  steps: { a: { each: '${{ input }}', tool: 'noop', effect: 'read', rate: { key: 'crm', limit, per } } },
})
const cached: Definition = {
  name: 'cached',
  steps: {
    a: { tool: 'noop', with: { q: '${{ input }}' }, effect: 'read', cache: { ttl: '1h' } },
  },
  output: '${{ steps.a.output }}',
}

let world: World
beforeEach(() => {
  world = createWorld()
})
afterEach(() => world.stop())

const journal = async (run: string) => {
  const events = await world.store.journal(NS, run, 1, 1_000)
  expect(checkLaws(events)).toEqual([])
  return events
}
const types = async (run: string): Promise<string[]> => (await journal(run)).map(({ type }) => type)
const isNow = async (run: string, status: RunStatus): Promise<boolean> =>
  (await world.store.head(NS, run))?.status === status
const becomes = (run: string, status: RunStatus): Promise<unknown> =>
  eventually(() => isNow(run, status), { timeoutMs: 10_000, what: `run ${run} to be ${status}` })
const out = (count: number): Promise<unknown> =>
  eventually(() => world.queue.length === count, { timeoutMs: 10_000, what: `${count} tasks` })
const whys = async (run: string): Promise<string[]> =>
  (await journal(run)).flatMap((event) => (event.type === 'step.held' || event.type === 'run.held' ? [event.why] : []))

describe('concurrency', () => {
  it('lets runs of equal keys proceed one after the other, and says why the others wait', async () => {
    await world.startEngine()
    await world.submit(places(1), 'r1', 'x')
    await out(1)
    await world.submit(places(1), 'r2', 'x')
    await becomes('r2', 'waiting')
    await world.submit(places(1), 'r3', 'x')
    await becomes('r3', 'waiting')
    await world.submit(places(1), 'other', 'y')
    await out(2)
    expect(await whys('r2')).toEqual(['waits for its turn under limit "crm-x": 1 at a time'])
    for (const [run, next] of [
      ['r1', 'r2'],
      ['r2', 'r3'],
    ] as const) {
      await world.work()
      await becomes(run, 'completed')
      await eventually(() => world.queue.length === 1, { what: `the task of ${next}` })
      expect(world.queue.map((task) => task.run)).toEqual([next])
    }
    await world.work()
    await becomes('r3', 'completed')
    // one fact says that it waits, however often it asked
    expect(await types('r3')).toEqual([
      ...['run.started', 'step.held', 'step.dispatched', 'step.completed', 'run.completed'],
    ])
  })

  it('holds for items, in their order', async () => {
    await world.startEngine()
    await world.submit(items(2), 'r1', [0, 1, 2, 3, 4, 5, 6])
    const order: string[] = []
    await eventually(async () => {
      expect(world.queue.length).toBeLessThanOrEqual(2)
      order.push(...world.queue.map(({ path }) => path))
      await world.work()
      return isNow('r1', 'completed')
    })
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6].map((item) => `a[${item}]`))
  })

  it('holds for runs: the next one begins when one has ended', async () => {
    await world.startEngine()
    await world.submit(oneRun, 'r1')
    await out(1)
    await world.submit(oneRun, 'r2')
    await becomes('r2', 'waiting')
    expect(await types('r2')).toEqual(['run.started', 'run.held'])
    await world.work()
    await out(1)
    await world.work()
    await becomes('r2', 'completed')
    expect(await isNow('r1', 'completed')).toBe(true)
  })

  it('gives the place of a cancelled run to the next, and takes a cancelled waiter out of the queue', async () => {
    await world.startEngine()
    await world.submit(places(1), 'r1', 'x')
    await out(1)
    for (const run of ['r2', 'r3']) {
      await world.submit(places(1), run, 'x')
      await becomes(run, 'waiting')
    }
    const cancel = (run: string) =>
      world.store.send({ type: 'cancel', id: `cancel-${run}`, ns: NS, run, by: { kind: 'operator', id: 'ann' } })
    await cancel('r2')
    await becomes('r2', 'cancelled')
    await cancel('r1')
    await becomes('r1', 'cancelled')
    await eventually(() => world.queue.some(({ run }) => run === 'r3'), { what: 'the task of r3' })
    expect(world.published.filter((id) => id.includes('r2'))).toEqual([])
  })

  it('frees a place that an ended run has never given back', async () => {
    const holder = { run: 'gone', path: 'a' }
    await world.limits.take(NS, { key: 'crm-x', limit: 1, perMs: null, holder, version: 1 })
    await eventually(async () => (await world.limits.holders(NS, 'crm-x', 100)).length > 0)
    await world.startEngine()
    await world.submit(places(1), 'r1', 'x')
    await out(1)
    expect((await whys('r1')).length).toBe(1)
    await world.work()
    await becomes('r1', 'completed')
  })
})

/** A store that takes no append: what an engine decides over it, it has only decided. */
const cutOff = (store: MemoryStore): MemoryStore => ({
  ...store,
  append: async (appends) => appends.map(() => 'deposed'),
})

describe('an engine that is gone', () => {
  it('leaves a place that its successor takes as the same holder', async () => {
    const gone = await world.startEngine('e_gone', cutOff(world.store))
    await world.submit(places(1), 'r1', 'x')
    await eventually(async () => (await world.limits.holders(NS, 'crm-x', 0)).length === 1, { what: 'the place' })
    await gone.stop()
    expect((await world.store.head(NS, 'r1'))?.version).toBe(0)
    expect(world.queue.splice(0).length).toBeGreaterThan(0)
    await world.startEngine()
    await out(1)
    expect(await whys('r1')).toEqual([])
    await world.submit(places(1), 'r2', 'x')
    await becomes('r2', 'waiting')
    await world.work()
    await becomes('r1', 'completed')
    await out(1)
    await world.work()
    await becomes('r2', 'completed')
  })
})

describe('rate', () => {
  it('starts no more than it says in any time, and shows why', async () => {
    await world.startEngine()
    await world.submit(rate(2, '300ms'), 'r1', [0, 1, 2, 3, 4])
    await eventually(async () => {
      await world.work()
      return isNow('r1', 'completed')
    })
    const events = await journal('r1')
    const starts = events.flatMap((event) => (event.type === 'step.dispatched' ? [event] : []))
    expect(starts.map(({ path }) => path)).toEqual([0, 1, 2, 3, 4].map((item) => `a[${item}]`))
    expect(new Set(await whys('r1'))).toEqual(new Set(['waits for its turn under limit "crm": 2 starts in 300 ms']))
    expect((starts[4]?.atMs ?? 0) - (starts[0]?.atMs ?? 0)).toBeGreaterThanOrEqual(590)
  })
})

describe('cache', () => {
  it('gives a finished output to the next run with the same input, without a worker', async () => {
    await world.startEngine()
    await world.submit(cached, 'r1', 'tea')
    await out(1)
    await world.work(() => ({ text: 'green' }))
    await becomes('r1', 'completed')
    await world.submit(cached, 'r2', 'tea')
    await becomes('r2', 'completed')
    expect((await journal('r2')).find(({ type }) => type === 'step.completed')).toMatchObject({
      cached: true,
      output: { value: { text: 'green' } },
    })
    expect(world.published).toHaveLength(1)
    await world.submit(cached, 'r3', 'coffee')
    await out(1)
  })
})
