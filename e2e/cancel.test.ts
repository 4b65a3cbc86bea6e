// Cancel: a task that waits never starts, a call that runs is ended.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Definition } from './api.ts'
import { Fleet, newRunId } from './fleet.ts'
import { eventually, RECOVERY_MS, START_MS, TEST_MS } from './patience.ts'
import { tell } from './tell.ts'

const MODEL = 'anthropic/claude-haiku-5-5'
const note: Definition = { name: 'note', steps: { act: { tool: 'note' } } }
const agent = (prompt: string): Definition => ({
  name: 'agent',
  steps: { work: { agent: { model: MODEL, prompt, tools: ['noop'] } } },
})

describe('cancel', { timeout: TEST_MS }, () => {
  let fleet: Fleet

  beforeAll(async () => {
    fleet = await Fleet.open()
    await fleet.orchestrator('all')
  }, START_MS)
  afterAll(() => fleet.close())

  it('keeps a queued task from ever starting', async () => {
    const worker = await fleet.toolWorker()
    await fleet.api.ended(await fleet.api.accepted(note, { id: newRunId('warm-up') }))
    await worker.kill()

    const run = newRunId('queued')
    await fleet.api.accepted(note, { id: run })
    await eventually(async () => (await fleet.api.depth('tool.module')).depth === 1, { what: 'the task to be queued' })
    const cancelled = await fleet.api.post(`/runs/${run}/cancel`, { by: 'ada' })
    expect(cancelled).toMatchObject({ status: 200, body: { applied: true } })
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'cancelled' })

    await fleet.toolWorker()
    const next = newRunId('next')
    await fleet.api.accepted(note, { id: next })
    expect(await fleet.api.ended(next)).toMatchObject({ status: 'completed' })
    await eventually(
      async () => {
        const { depth, active } = await fleet.api.depth('tool.module')
        return depth + active === 0
      },
      { what: 'the queue to be empty' },
    )
    expect(fleet.effects(next)).toHaveLength(2)
    expect(fleet.effects(run)).toEqual([])
    expect((await fleet.check(run)).violations).toEqual([])
    const again = await fleet.api.post<{ code: string }>(`/runs/${run}/cancel`)
    expect(again).toMatchObject({ status: 409, body: { code: 'run_ended' } })
  })

  it('reaches a model call that hangs, and its slot is free again', async () => {
    await fleet.llmWorker({ env: { STEPFLEET_SLOTS: '1' } })
    const run = newRunId('hanging')
    await fleet.api.accepted(agent('[[scripted: hang]]'), { id: run })
    const call = await fleet.modelCall(run, 'work/turn-1/llm', 'begun')
    const queued = newRunId('behind')
    await fleet.api.accepted(agent('[[scripted: turns=1 tool=noop]]'), { id: queued })

    const askedAtMs = Date.now()
    expect(await fleet.api.post(`/runs/${run}/cancel`, { by: 'ada' })).toMatchObject({ status: 200 })
    const closed = await fleet.modelCall(run, 'work/turn-1/llm', 'aborted')
    tell('cancel → the provider sees the call end', closed.atMs - askedAtMs)
    expect(closed.n).toBe(call.n)
    expect(closed.atMs - askedAtMs).toBeLessThan(RECOVERY_MS)
    // the only slot of the only worker
    expect(await fleet.api.ended(queued)).toMatchObject({ status: 'completed' })
    expect(await fleet.api.run(run)).toMatchObject({ status: 'cancelled' })
    for (const id of [run, queued]) expect((await fleet.check(id)).violations).toEqual([])
    const idle = async (): Promise<boolean> => {
      const alive = (await fleet.api.fleet()).workers.filter((worker) => worker.alive)
      return alive.length === 2 && alive.every(({ tasks }) => tasks.length === 0)
    }
    await eventually(idle, { what: 'no worker to hold a task' })
  })
})
