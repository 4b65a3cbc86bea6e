// The engine's loop over the memory store: what is submitted ends, whatever happens in between.
import { type Definition, runKeys } from '@stepfleet/contracts'
import { checkLaws } from '@stepfleet/engine'
import { eventually } from '@stepfleet/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MemoryStore } from '../store/memory-store.ts'
import { createWorld, type World } from './world.fixture.ts'

const chain: Definition = {
  name: 'chain',
  steps: {
    a: { tool: 'noop', with: { x: '${{ input }}' }, effect: 'read' },
    b: { tool: 'noop', with: { x: '${{ steps.a.output }}' }, effect: 'read' },
    c: { value: '${{ steps.b.output }}' },
  },
  output: '${{ steps.c.output }}',
}
const mailer: Definition = { name: 'mailer', steps: { mail: { tool: 'mail', effect: 'once' } } }

let world: World
beforeEach(() => {
  world = createWorld()
})
afterEach(() => world.stop())

const status = async (run: string): Promise<string | undefined> => (await world.store.head('default', run))?.status

const ended = (run: string, wanted: string): Promise<unknown> =>
  eventually(
    async () => {
      await world.work()
      return (await status(run)) === wanted
    },
    { timeoutMs: 10_000, what: `run ${run} to be ${wanted}` },
  )

const types = async (run: string): Promise<string[]> => {
  const events = await world.store.journal('default', run, 1, 1_000)
  expect(checkLaws(events)).toEqual([])
  return events.map((event) => event.type)
}

describe('the engine', () => {
  it('takes a run from its submit to its end', async () => {
    await world.startEngine()
    await world.submit(chain, 'r1', 7)
    await ended('r1', 'completed')
    const step = ['step.dispatched', 'step.completed']
    expect(await types('r1')).toEqual(['run.started', ...step, ...step, 'step.completed', 'run.completed'])
    expect(await world.store.out('default', 'r1')).toEqual(new Map())
  })

  it('finds what was submitted while no engine ran', async () => {
    await world.submit(chain, 'r1')
    await world.startEngine()
    await ended('r1', 'completed')
  })

  it('sends messages again that did not leave', async () => {
    await world.startEngine()
    world.failPublish(1)
    await world.submit(chain, 'r1')
    await ended('r1', 'completed')
    expect(world.published).toHaveLength(2)
  })

  it('goes on where a dead engine stopped, and reads what it left', async () => {
    const { shard } = runKeys('default', 'r1')
    await world.store.own(shard, 'e_dead', 300)
    await world.submit(chain, 'r1')
    await world.startEngine()
    await ended('r1', 'completed')
    expect(await world.store.left(shard, '0', 10)).toEqual([])
  })

  it('hands a dead worker’s tasks out again, once', async () => {
    await world.startEngine()
    await world.submit(chain, 'r1')
    await eventually(() => world.queue.length > 0, { timeoutMs: 5_000, what: 'a task' })
    const task = world.queue.shift()
    if (!task) throw new Error('no task')
    expect(await world.store.claims.claim(task, 'w_dead', 'token')).toMatchObject({ status: 'granted' })
    await world.hashes.hincrby('sf:{fleet}:beats', 'w_dead', 1)
    await ended('r1', 'completed')
    expect((await types('r1')).filter((type) => type === 'step.lost')).toHaveLength(1)
    expect(world.published).toHaveLength(3)
  })

  it('gives a once step that had begun to a person, not to another worker', async () => {
    await world.startEngine()
    await world.submit(mailer, 'r1')
    await eventually(() => world.queue.length > 0, { timeoutMs: 5_000, what: 'a task' })
    const task = world.queue.shift()
    if (!task) throw new Error('no task')
    await world.store.claims.claim(task, 'w_dead', 'token')
    expect(await world.store.claims.begin(task, 'token')).toBe(true)
    await world.hashes.hincrby('sf:{fleet}:beats', 'w_dead', 1)
    await ended('r1', 'escalated')
    expect((await types('r1')).slice(-2)).toEqual(['step.attempt_failed', 'step.escalated'])
  })

  it('answers a command with the engine’s verdict', async () => {
    await world.startEngine()
    await world.submit(chain, 'r1')
    await ended('r1', 'completed')
    const by = { kind: 'caller' as const, id: 'test' }
    await world.store.send({ type: 'cancel', id: 'c1', ns: 'default', run: 'r1', by, receipt: true })
    const verdict = await eventually(() => world.store.receipt('default', 'r1', 'c1'), {
      timeoutMs: 5_000,
      what: 'a verdict',
    })
    expect(verdict).toMatchObject({ status: 'refused', code: 'run_ended' })
  })

  it('buries a command that cannot be judged, shows it, and goes on with the shard', async () => {
    const poisoned: MemoryStore = {
      ...world.store,
      receipt: async (ns, run, id) => {
        if (id === 'poison') throw new Error('this command stops its engine')
        return world.store.receipt(ns, run, id)
      },
    }
    await world.startEngine('e_0', poisoned)
    await world.submit(chain, 'r1')
    await eventually(() => world.queue.length > 0, { timeoutMs: 5_000, what: 'a task' })
    const by = { kind: 'caller' as const, id: 'test' }
    await world.store.send({ type: 'pause', id: 'poison', ns: 'default', run: 'r1', by, receipt: true })
    await eventually(async () => (await status('r1')) === 'paused', { timeoutMs: 10_000, what: 'the run to show it' })
    const last = (await world.store.journal('default', 'r1', 1, 100)).at(-1)
    expect(last).toMatchObject({ type: 'run.paused', by: 'engine' })
    await world.store.send({ type: 'resume', id: 'ok', ns: 'default', run: 'r1', by })
    await ended('r1', 'completed')
  })

  it('two engines share the shards, and each run still has one history', async () => {
    await world.startEngine('e_a')
    await world.startEngine('e_b')
    for (let run = 0; run < 30; run += 1) await world.submit(chain, `r${run}`)
    for (let run = 0; run < 30; run += 1) await ended(`r${run}`, 'completed')
    for (let run = 0; run < 30; run += 1) expect((await types(`r${run}`)).at(-1)).toBe('run.completed')
  })
})
