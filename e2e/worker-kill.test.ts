// Workers that die in the middle of a model call, and answers that are in hand while Redis is away.
import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Definition } from './api.ts'
import { checkPaidOnce } from './checker.ts'
import { Fleet, newRunId, urlOf } from './fleet.ts'
import { eventually, RECOVERY_MS, START_MS, TEST_MS } from './patience.ts'
import type { Process } from './processes.ts'
import { tell } from './tell.ts'

const MODEL = 'anthropic/claude-haiku-5-5'

/** One model call that takes `latencyMs`. */
const oneCall = (latencyMs: number): Definition => ({
  name: 'one-call',
  steps: { ask: { llm: { model: MODEL, prompt: `[[scripted: latency=${latencyMs} say=the answer]] Well?` } } },
  output: '${{ steps.ask.output }}',
})

/** 46 turns with a tool, then the answer: 47 model calls, the 17th slow. */
const longAgent: Definition = {
  name: 'long-agent',
  steps: {
    work: {
      agent: {
        model: MODEL,
        max_identical: 100,
        prompt: '[[scripted: turns=46 tool=noop]] [[scripted: latency=1500 turn=17]] Work.',
        tools: ['noop'],
        max_turns: 60,
      },
    },
  },
}

const spooled = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'))

describe('a worker that dies around a model call', { timeout: TEST_MS }, () => {
  let fleet: Fleet

  beforeAll(async () => {
    fleet = await Fleet.open()
    await Promise.all([fleet.orchestrator('all'), fleet.toolWorker()])
  }, START_MS)
  afterAll(() => fleet.close())

  const keyOf = (run: string, step = 'ask'): string => `default/${run}/${step}`

  const stopAll = (workers: readonly Process[]): Promise<unknown> => Promise.all(workers.map((worker) => worker.kill()))

  it('resumes an agent of 47 turns in the turn it was in', async () => {
    const run = newRunId('agent')
    const workers = await Promise.all([fleet.llmWorker(), fleet.llmWorker()])
    await fleet.api.accepted(longAgent, { id: run })
    await fleet.modelCall(run, 'work/turn-17/llm', 'begun', 60_000)
    const victim = await fleet.holder(run, 'work/turn-17/llm', workers)
    const killedAtMs = Date.now()
    await victim.kill()

    const again = await eventually(
      () => fleet.modelCalls(run).find((line) => line.step === 'work/turn-17/llm' && line.delivery === 2),
      { what: 'turn 17 to be called again' },
    )
    tell('worker killed in a model call → call begun elsewhere', again.atMs - killedAtMs)
    const view = await fleet.api.ended(run)
    expect(view.status).toBe('completed')

    const calls = fleet.modelCalls(run)
    expect(calls.filter((line) => line.outcome === 'answered')).toHaveLength(47)
    expect(calls.filter((line) => line.outcome === 'begun')).toHaveLength(48)
    expect(checkPaidOnce(calls)).toEqual([])
    const { events, violations } = await fleet.check(run)
    expect(violations).toEqual([])
    expect(events.filter(({ type }) => type === 'step.lost')).toMatchObject([
      { path: 'work/turn-17/llm', attempt: 1, delivery: 1, cause: 'worker' },
    ])
    expect(again.atMs - killedAtMs).toBeLessThan(RECOVERY_MS)
    await stopAll(workers)
  })

  it('pays a second time at most when the worker dies between the answer and its report', async () => {
    const run = newRunId('unreported')
    const link = await fleet.link()
    const victim = await fleet.llmWorker({ redisUrl: urlOf(link) })
    await fleet.api.accepted(oneCall(700), { id: run })
    await fleet.modelCall(run, 'ask', 'begun')
    link.pause()
    await fleet.modelCall(run, 'ask', 'answered')
    await victim.kill()

    const healthy = await fleet.llmWorker()
    const view = await fleet.api.ended(run)
    expect(view).toMatchObject({ status: 'completed', output: 'the answer' })
    const answered = fleet.modelCalls(run).filter((line) => line.outcome === 'answered')
    expect(answered).toHaveLength(2)
    expect(checkPaidOnce(fleet.modelCalls(run), new Map([[keyOf(run), 1]]))).toEqual([])
    const { events, violations } = await fleet.check(run)
    expect(violations).toEqual([])
    expect(events.filter(({ type }) => type === 'step.lost')).toHaveLength(1)
    await healthy.kill()
  })

  it('uses an answer that came while Redis was away, and does not pay again', async () => {
    const run = newRunId('spooled')
    const spool = fleet.path(`spool-${run}`)
    const worker = await fleet.llmWorker({ spool })
    await fleet.api.accepted(oneCall(700), { id: run })
    await fleet.modelCall(run, 'ask', 'begun')
    await fleet.restartRedis(async () => {
      await fleet.modelCall(run, 'ask', 'answered')
      await eventually(() => spooled(spool).length === 1, { what: 'the outcome to be in the spool' })
    })
    const backAtMs = Date.now()

    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed', output: 'the answer' })
    tell('Redis back → spooled answer used', Date.now() - backAtMs)
    expect(fleet.modelCalls(run).filter((line) => line.outcome === 'begun')).toHaveLength(1)
    await eventually(() => spooled(spool).length === 0, { what: 'the spool to be empty' })
    const { events, violations } = await fleet.check(run)
    expect(violations).toEqual([])
    expect(events.map(({ type }) => type)).not.toContain('step.lost')
    await worker.kill()
  })

  it.each(['SIGKILL', 'SIGTERM'] as const)('hands an answer over to the next worker after %s', async (signal) => {
    const run = newRunId(`handed-over-${signal}`)
    const spool = fleet.path(`spool-${run}`)
    const first = await fleet.llmWorker({ spool })
    await fleet.api.accepted(oneCall(700), { id: run })
    await fleet.modelCall(run, 'ask', 'begun')
    await fleet.restartRedis(async () => {
      await fleet.modelCall(run, 'ask', 'answered')
      await eventually(() => spooled(spool).length === 1, { what: 'the outcome to be in the spool' })
      first.signal(signal)
      await first.gone
    })
    expect(spooled(spool)).toHaveLength(1)

    const second = await fleet.llmWorker({ spool })
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed', output: 'the answer' })
    expect(checkPaidOnce(fleet.modelCalls(run))).toEqual([])
    expect(fleet.modelCalls(run).filter((line) => line.outcome === 'answered')).toHaveLength(1)
    expect((await fleet.check(run)).violations).toEqual([])
    await eventually(() => spooled(spool).length === 0, { what: 'the spool to be empty' })
    await second.kill()
  })
})
