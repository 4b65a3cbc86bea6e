// Workers that die while a job of the queue is theirs and the task is not: before the claim, and after the report.
// Both wait for the queue to hand the job out again, so they wait side by side.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Definition } from './api.ts'
import { checkEffects, checkPaidOnce } from './checker.ts'
import { freezeBehind } from './faults.ts'
import { Fleet, newRunId, urlOf } from './fleet.ts'
import { eventually, START_MS, TEST_MS } from './patience.ts'
import { tell } from './tell.ts'

const payment: Definition = { name: 'payment', steps: { pay: { tool: 'pay', with: { amount: 5 } } } }
const question: Definition = {
  name: 'question',
  steps: { ask: { llm: { model: 'anthropic/claude-haiku-5-5', prompt: '[[scripted: say=fine]]' } } },
}
const TOOLS = 'tool.module'
const MODEL = 'llm.anthropic.claude-haiku-5-5'
/** A lock of a job lasts 30 s, and lapsed ones are looked for every 10 s, twice. */
const REDELIVERED_MS = 90_000

describe.concurrent('a worker that dies with a job of the queue', { timeout: TEST_MS }, () => {
  let fleet: Fleet

  beforeAll(async () => {
    fleet = await Fleet.open()
    await fleet.orchestrator('all')
  }, START_MS)
  afterAll(() => fleet.close())

  const emptied = (queue: string): Promise<boolean> =>
    eventually(
      async () => {
        const { depth, active } = await fleet.api.depth(queue)
        return depth + active === 0
      },
      { timeoutMs: REDELIVERED_MS, everyMs: 250, what: `${queue} to be empty` },
    )

  it('after its report does not make its task run again', async () => {
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
    expect((await fleet.api.depth(TOOLS)).active).toBe(1)
    await victim.kill()

    await fleet.toolWorker()
    await emptied(TOOLS)
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

  it('before its claim leaves the task to another', async () => {
    const link = await fleet.link()
    const victim = await fleet.llmWorker({ redisUrl: urlOf(link) })
    await fleet.api.ended(await fleet.api.accepted(question, { id: newRunId('warm-up') }))

    // it stands still until the task is in its queue, so that its next fetch is the one that takes it
    victim.signal('SIGSTOP')
    const run = newRunId('unclaimed')
    await fleet.api.accepted(question, { id: run })
    await eventually(async () => (await fleet.api.depth(MODEL)).depth === 1, { what: 'the task to be queued' })
    const frozen = freezeBehind(link, ':prioritized')
    victim.signal('SIGCONT')
    await frozen
    await eventually(async () => (await fleet.api.depth(MODEL)).active === 1, { what: 'the job to be taken' })
    await victim.kill()
    const killedAtMs = Date.now()

    await fleet.llmWorker()
    expect(await fleet.api.ended(run, REDELIVERED_MS)).toMatchObject({ status: 'completed' })
    tell('worker killed between taking a job and its claim → run ended', Date.now() - killedAtMs)
    await emptied(MODEL)
    expect((await fleet.check(run)).violations).toEqual([])
    expect(fleet.modelCalls(run).map(({ outcome }) => outcome)).toEqual(['begun', 'answered'])
    expect(checkPaidOnce(fleet.modelCalls())).toEqual([])
  })
})
