// What a machine must not decide: an effect that may have happened, and a step that kills whoever takes it.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { CaseView, Definition } from './api.ts'
import { checkEffects } from './checker.ts'
import { Fleet, newRunId } from './fleet.ts'
import { eventually, START_MS, TEST_MS } from './patience.ts'
import type { Process } from './processes.ts'
import { tell } from './tell.ts'

const one = (tool: string, given: Record<string, unknown> = {}, more: Record<string, unknown> = {}): Definition => ({
  name: 'one-tool',
  steps: { act: { tool, with: given, ...more } },
  output: '${{ steps.act.output }}',
})

/** Said by the steps themselves: an engine takes a tool that it has not heard of yet for one of effect `once`. */
const repeatable = { effect: 'idempotent' }

describe('a step that escalates', { timeout: TEST_MS }, () => {
  let fleet: Fleet

  beforeAll(async () => {
    fleet = await Fleet.open()
    await Promise.all([fleet.orchestrator('all'), fleet.desk()])
  }, START_MS)
  afterAll(() => fleet.close())

  const openCase = (run: string): Promise<CaseView> =>
    eventually(async () => (await fleet.api.cases(run)).find(({ status }) => status === 'open') ?? null, {
      what: `a case of ${run} at the desk`,
    })

  it('is the payment whose worker died in the middle: never repeated, decided by a person', async () => {
    const run = newRunId('payment')
    const victim = await fleet.toolWorker()
    await fleet.api.accepted(one('pay', { amount: 7, gate: fleet.path('never') }), { id: run })
    await fleet.effect(run, 'begun')
    const killedAtMs = Date.now()
    await victim.kill()
    const healthy = await fleet.toolWorker()

    const found = await openCase(run)
    expect(found).toMatchObject({ run, path: 'act', reason: 'ambiguous_state' })
    expect(await fleet.api.run(run)).toMatchObject({ status: 'escalated' })
    const events = await fleet.api.journal(run)
    const escalated = events.find(({ type }) => type === 'step.escalated')
    tell('worker killed in a payment → escalated', (escalated?.atMs ?? 0) - killedAtMs)
    expect((await fleet.check(run, false)).violations).toEqual([])

    // the worker that is there takes tasks, and does not take this one
    await fleet.api.ended(await fleet.api.accepted(one('note'), { id: newRunId('beside') }))
    expect(fleet.effects(run).map(({ phase }) => phase)).toEqual(['begun'])

    const decision = { action: 'override', by: 'ada', reason: 'the bank says it was paid', output: { paid: 7 } }
    const headers = { 'idempotency-key': `decide-${run}` }
    const first = await fleet.api.post(`/escalations/${found.id}/resolve`, decision, headers)
    expect(first.status).toBe(200)
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed', output: { paid: 7 } })
    const again = await fleet.api.post(`/escalations/${found.id}/resolve`, decision, headers)
    expect(again.status).toBe(200)
    const other = await fleet.api.post<{ code: string }>(`/escalations/${found.id}/resolve`, decision)
    expect(other).toMatchObject({ status: 409, body: { code: 'case_closed' } })

    const after = await fleet.check(run)
    expect(after.violations).toEqual([])
    expect(after.events.filter(({ type }) => type === 'step.overridden')).toMatchObject([{ path: 'act', by: 'ada' }])
    expect(fleet.effects(run).map(({ phase }) => phase)).toEqual(['begun'])
    await healthy.kill()
  })

  /** Starts dead workers again, as whoever runs the fleet does, until the test is over; answers the deaths. */
  const keepUp = (count: number): number[] => {
    const deaths: number[] = []
    const alive = new Set<Process>()
    let over = false
    onTestFinished(async () => {
      over = true
      await Promise.all([...alive].map((worker) => worker.kill()))
    })
    const one = async (): Promise<void> => {
      while (!over) {
        // it may take the poison before it is asked whether it is ready
        const worker = await fleet.toolWorker().catch(() => null)
        if (worker) alive.add(worker)
        await worker?.gone
        deaths.push(Date.now())
        if (worker) alive.delete(worker)
      }
    }
    for (let n = 0; n < count; n += 1) void one()
    return deaths
  }

  it('is poison after three dead workers, and other runs are unharmed', async () => {
    const deaths = keepUp(2)
    const run = newRunId('poison')
    const others = Array.from({ length: 20 }, () => newRunId('beside'))
    const startedAtMs = Date.now()
    await fleet.api.accepted(one('poison', {}, repeatable), { id: run })
    await Promise.all(others.map((id) => fleet.api.accepted(one('note', {}, repeatable), { id })))
    const found = await openCase(run)
    tell('poison submitted → quarantined after three deaths', Date.now() - startedAtMs)
    expect(found).toMatchObject({ path: 'act', reason: 'poison_step' })
    expect(await fleet.api.run(run)).toMatchObject({ status: 'escalated' })
    expect(fleet.effects(run).map(({ phase }) => phase)).toEqual(['begun', 'begun', 'begun'])
    const { events, violations } = await fleet.check(run, false)
    expect(violations).toEqual([])
    expect(events.filter(({ type }) => type === 'step.dispatched').map(({ delivery }) => delivery)).toEqual([1, 2, 3])

    for (const id of others) {
      expect(await fleet.api.ended(id)).toMatchObject({ status: 'completed' })
      expect((await fleet.check(id)).violations).toEqual([])
    }
    tell('poison submitted → the 20 runs beside it have ended', Date.now() - startedAtMs)
    // one that was running in a process that died beside the poison ran once more for each such death
    const hit = new Map(others.map((id) => [`default/${id}/act`, 3]))
    expect(
      checkEffects(
        others.flatMap((id) => fleet.effects(id)),
        hit,
      ),
    ).toEqual([])

    const failed = await fleet.api.post(`/escalations/${found.id}/resolve`, { action: 'fail', by: 'ada' })
    expect(failed.status).toBe(200)
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'failed', failure: { code: 'failed_by_operator' } })
    expect((await fleet.check(run)).violations).toEqual([])
    expect(fleet.effects(run)).toHaveLength(3)
    expect(deaths).toHaveLength(3)
  })

  it('is not the step that happens to run beside a poison', async () => {
    const gate = fleet.path('beside-gate')
    const run = newRunId('poison')
    const others = Array.from({ length: 3 }, () => newRunId('long'))
    // one worker: whenever the poison kills it, these die with it
    keepUp(1)
    await Promise.all(others.map((id) => fleet.api.accepted(one('wait', { gate }, repeatable), { id })))
    for (const id of others) await fleet.effect(id, 'begun')
    await fleet.api.accepted(one('poison', {}, repeatable), { id: run })
    // twice they die together; from then on suspects run one at a time
    await eventually(
      async () => (await fleet.api.journal(run)).filter(({ type }) => type === 'step.lost').length >= 2,
      { what: 'the poison to have killed two workers' },
    )
    fleet.unlock(gate)
    expect(await openCase(run)).toMatchObject({ path: 'act', reason: 'poison_step' })
    for (const id of others) {
      const settled = await eventually(
        async () => {
          const { status } = await fleet.api.run(id)
          return status === 'completed' || status === 'escalated' ? status : null
        },
        { what: `${id} to end or to be escalated` },
      )
      expect(settled).toBe('completed')
    }
  })
})
