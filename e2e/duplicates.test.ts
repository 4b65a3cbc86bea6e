// The queue delivers a job more than once, or the worker's event loop stands still: a task runs once all the same.
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Definition } from './api.ts'
import { checkEffects } from './checker.ts'
import { Fleet, newRunId } from './fleet.ts'
import { eventually, START_MS, TEST_MS } from './patience.ts'
import { tell } from './tell.ts'

const QUEUE = 'tool.module'
const one = (tool: string, given: Record<string, unknown> = {}): Definition => ({
  name: 'one-tool',
  steps: { act: { tool, with: given } },
})

describe('a task', { timeout: TEST_MS }, () => {
  let fleet: Fleet
  let queue: Queue

  beforeAll(async () => {
    fleet = await Fleet.open()
    await fleet.orchestrator('all')
    const { host, port } = fleet.redis
    queue = new Queue(QUEUE, { connection: { host, port }, prefix: `sf:{q:${QUEUE}}` })
    // the tools are known to the fleet from here on, also while no worker runs
    const worker = await fleet.toolWorker()
    await fleet.api.ended(await fleet.api.accepted(one('note'), { id: newRunId('warm-up') }))
    await worker.kill()
  }, START_MS)
  afterAll(async () => {
    await queue.close()
    await fleet.close()
  })

  const drained = (): Promise<boolean> =>
    eventually(
      async () => {
        const { depth, active } = await fleet.api.depth(QUEUE)
        return depth + active === 0
      },
      { what: 'the queue to be empty' },
    )

  it('that is delivered many times runs once', async () => {
    const run = newRunId('delivered-often')
    await fleet.api.accepted(one('pay', { amount: 1 }), { id: run })
    const id = `default~${run}.act.1.1`
    const job = await eventually(() => queue.getJob(id), { what: 'the job to be in its queue' })
    const copies = Array.from({ length: 5 }, (_, n) => ({
      name: 'task',
      data: job.data,
      opts: { jobId: `copy-${n}.${id}`, priority: 1, removeOnComplete: true, removeOnFail: true },
    }))
    await queue.addBulk(copies)
    await Promise.all([fleet.toolWorker(), fleet.toolWorker()])
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed' })

    // and again, long after its end
    await queue.add('task', job.data, { jobId: id, priority: 1, removeOnComplete: true, removeOnFail: true })
    await drained()
    expect(fleet.effects(run).map(({ phase }) => phase)).toEqual(['begun', 'done'])
    expect((await fleet.check(run)).violations).toEqual([])
  })

  it('that holds the event loop of its worker for 3.5 s is not taken for lost', async () => {
    const run = newRunId('spinning')
    const others = Array.from({ length: 10 }, () => newRunId('beside'))
    const startedAtMs = Date.now()
    await fleet.api.accepted(one('spin', { ms: 3_500 }), { id: run })
    await fleet.effect(run, 'begun')
    await Promise.all(others.map((id) => fleet.api.accepted(one('note'), { id })))
    await fleet.api.ended(run)
    tell('event loop held for 3.5 s: run ended after', Date.now() - startedAtMs)

    for (const id of [run, ...others]) {
      expect(await fleet.api.ended(id)).toMatchObject({ status: 'completed' })
      const { events, violations } = await fleet.check(id)
      expect(violations).toEqual([])
      expect(events.map(({ type }) => type)).not.toContain('step.lost')
    }
    expect(checkEffects(fleet.effects())).toEqual([])
    expect(fleet.effects(run).map(({ phase }) => phase)).toEqual(['begun', 'done'])
  })
})
