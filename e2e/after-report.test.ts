// A worker dies after its report and before it has finished the queue's job: the job comes again, and is refused.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Definition } from './api.ts'
import { checkEffects } from './checker.ts'
import { freezeBehind } from './faults.ts'
import { Fleet, newRunId, urlOf } from './fleet.ts'
import { eventually, START_MS, TEST_MS } from './patience.ts'

const payment: Definition = { name: 'payment', steps: { pay: { tool: 'pay', with: { amount: 5 } } } }
const QUEUE = 'tool.module'
/** A lock of a job lasts 30 s, and lapsed ones are looked for every 10 s, twice. */
const REDELIVERED_MS = 70_000

describe('a worker that dies between its report and the end of its job', { timeout: TEST_MS }, () => {
  let fleet: Fleet

  beforeAll(async () => {
    fleet = await Fleet.open()
    await fleet.orchestrator('all')
  }, START_MS)
  afterAll(() => fleet.close())

  it('does not make its task run again', async () => {
    const link = await fleet.link()
    const victim = await fleet.toolWorker({ redisUrl: urlOf(link) })
    // the scripts are known to Redis after it, so that the report below is one request
    await fleet.api.ended(await fleet.api.accepted(payment, { id: newRunId('warm-up') }))

    const run = newRunId('reported')
    const frozen = freezeBehind(link, '"type":"outcome"')
    await fleet.api.accepted(payment, { id: run })
    await frozen
    // the report has arrived, the job is still taken: the moment that this test is about
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed' })
    expect((await fleet.api.depth(QUEUE)).active).toBe(1)
    await victim.kill()

    await fleet.toolWorker()
    await eventually(
      async () => {
        const { depth, active } = await fleet.api.depth(QUEUE)
        return depth + active === 0
      },
      { timeoutMs: REDELIVERED_MS, everyMs: 250, what: 'the job to be taken again and finished' },
    )
    const { events, violations } = await fleet.check(run)
    expect(violations).toEqual([])
    expect(events.map(({ type }) => type)).toEqual([
      'run.started',
      'step.dispatched',
      'step.completed',
      'run.completed',
    ])
    expect(checkEffects(fleet.effects())).toEqual([])
    expect(fleet.effects(run).map(({ phase }) => phase)).toEqual(['begun', 'done'])
  })
})
