// Callbacks with real processes: somebody outside is told, and answers; whatever dies between, nothing is lost.
import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Definition } from './api.ts'
import { Fleet, newRunId, urlOf } from './fleet.ts'
import { Outside, type Told } from './outside.ts'
import { eventually, START_MS, TEST_MS } from './patience.ts'
import type { Process } from './processes.ts'

describe('callbacks', { timeout: TEST_MS }, () => {
  let fleet: Fleet
  let outside: Outside
  let orchestrator: Process
  const workers = new Set<Process>()

  beforeAll(async () => {
    outside = await Outside.open()
    fleet = await Fleet.open()
    orchestrator = await fleet.orchestrator('all')
  }, START_MS)
  afterAll(async () => {
    await fleet.close()
    await outside.close()
  })
  beforeEach(async () => {
    await Promise.all([...workers].map((worker) => worker.kill()))
    workers.clear()
    outside.told.length = 0
    outside.take = async () => 202
  })

  const startWorker = async (redisUrl?: string): Promise<Process> => {
    const env = { STEPFLEET_EGRESS_ALLOW: outside.host }
    const worker = await fleet.toolWorker({ env, ...(redisUrl ? { redisUrl } : {}) })
    workers.add(worker)
    return worker
  }
  const print = (more: Record<string, unknown> = {}): Definition => ({
    name: 'print',
    steps: {
      print: {
        tool: 'callback',
        with: { url: `http://${outside.host}/jobs`, body: { pages: '${{ input }}' } },
        ...more,
      },
    },
    output: '${{ steps.print.output.job }}',
  })
  const toldOf = (run: string): Told[] => outside.told.filter(({ key }) => key === `default/${run}/print`)
  const firstTold = (run: string): Promise<Told> =>
    eventually(() => toldOf(run)[0] ?? null, { what: `the outside to be told of ${run}` })

  /** In no journal and in no log: whoever reads them must not be able to answer. */
  const expectUnseen = async (run: string, token: string): Promise<void> => {
    expect(JSON.stringify(await fleet.api.journal(run))).not.toContain(token)
    const folder = fleet.path('logs')
    for (const file of readdirSync(folder)) expect(readFileSync(`${folder}/${file}`, 'utf8'), file).not.toContain(token)
  }

  it('tells the outside, waits without a worker, and completes with its answer, once', async () => {
    const run = newRunId('told')
    const worker = await startWorker()
    await fleet.api.accepted(print(), { id: run, input: 3 })
    const step = await fleet.api.stepIs(run, 'print', 'waiting')
    const { token, complete, rest } = await firstTold(run)
    expect(rest).toEqual({ pages: 3 })
    expect(complete).toBe(`${fleet.api.url}/v1/tasks/${token}/complete`)
    expect(step.why).toMatch(/^waits for a callback since \S+Z, until \S+Z$/)
    expect(step.callback?.token).toBe(token)
    expect(await fleet.api.run(run)).toMatchObject({ status: 'waiting' })
    // nobody has to be there while it waits
    await worker.kill()
    const tampered = complete.replace(token, `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`)
    expect(await outside.answer(tampered, 1)).toMatchObject({ status: 404, body: { code: 'unknown_token' } })

    expect(await outside.answer(complete, { job: 'j-1' })).toMatchObject({ status: 200, body: { applied: true } })
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed', output: 'j-1' })
    const again = await outside.answer(complete, { job: 'j-2' })
    expect(again).toMatchObject({ status: 409, body: { code: 'run_ended' } })
    expect((await fleet.check(run)).violations).toEqual([])
    await expectUnseen(run, token)
  })

  it('hands a token over without telling anybody; a failed attempt gets a new one', async () => {
    const run = newRunId('handed')
    const sign = { tool: 'callback', retry: { attempts: 2, initial: '1ms' } }
    await fleet.api.accepted({ name: 'sign', steps: { sign, next: { signal: 'go', needs: ['sign'] } } }, { id: run })
    const tokenOf = async (): Promise<string> => (await fleet.api.stepIs(run, 'sign', 'waiting')).callback?.token ?? ''
    const first = await tokenOf()
    const post = (token: string, verb: string, body?: unknown) => fleet.api.post(`/tasks/${token}/${verb}`, body)
    expect((await post(first, 'heartbeat')).status).toBe(200)
    expect((await post(first, 'fail', { message: 'no pen', retryable: true })).status).toBe(200)
    const second = await eventually(async () => {
      const token = await tokenOf()
      return token === first ? null : token
    })
    expect(await post(first, 'complete', 'late')).toMatchObject({ status: 409, body: { code: 'step_not_waiting' } })
    expect((await post(second, 'complete', 'signed')).status).toBe(200)
    await fleet.api.stepIs(run, 'sign', 'completed')
    expect(await post(second, 'complete', 'again')).toMatchObject({ status: 409, body: { code: 'step_ended' } })
    await fleet.api.post(`/runs/${run}/signals/go`, null)
    expect((await fleet.api.ended(run)).status).toBe('completed')
    expect((await fleet.api.step(run, 'sign'))?.output).toBe('signed')
    await expectUnseen(run, second)
  })

  it('takes an answer that comes before the worker has heard that it was taken', async () => {
    const run = newRunId('fast')
    await startWorker()
    outside.take = async ({ complete }) => (await outside.answer(complete, { job: 'j-3' })).status
    await fleet.api.accepted(print(), { id: run, input: 1 })
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed', output: 'j-3' })
    expect((await fleet.check(run)).violations).toEqual([])
  })

  it('survives a worker that dies between telling and reporting: told again, the same, or not at all', async () => {
    const unreported = async (name: string): Promise<string> => {
      const run = newRunId(name)
      // of its own, and never opened again: what the dead worker had sent must not arrive after all
      const link = await fleet.link()
      const victim = await startWorker(urlOf(link))
      outside.take = async () => {
        // what the worker says of it goes nowhere
        link.pause()
        return 202
      }
      await fleet.api.accepted(print(), { id: run, input: 1 })
      await firstTold(run)
      await victim.kill()
      outside.take = async () => 202
      return run
    }
    const run = await unreported('told-again')
    await startWorker()
    const [first, second] = await eventually(() => (toldOf(run).length > 1 ? toldOf(run) : null))
    expect(second).toEqual(first)
    await fleet.api.stepIs(run, 'print', 'waiting')
    expect((await outside.answer(first?.complete ?? '', { job: 'j-4' })).status).toBe(200)
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'completed', output: 'j-4' })
    const { events, violations } = await fleet.check(run)
    expect(violations).toEqual([])
    expect(events.filter(({ type }) => type === 'step.lost')).toHaveLength(1)

    // who has the work done does not wait for another worker
    await Promise.all([...workers].map((worker) => worker.kill()))
    const other = await unreported('answered-meanwhile')
    expect((await outside.answer((await firstTold(other)).complete, { job: 'j-5' })).status).toBe(200)
    expect(await fleet.api.ended(other)).toMatchObject({ status: 'completed', output: 'j-5' })
    await startWorker()
    expect(toldOf(other)).toHaveLength(1)
    expect((await fleet.check(other)).violations).toEqual([])
  })

  it('survives an orchestrator that dies while it waits: an answer counts, and so does the time', async () => {
    const [answered, late] = [newRunId('outlived'), newRunId('late')]
    await startWorker()
    await fleet.api.accepted(print(), { id: answered, input: 1 })
    await fleet.api.accepted(print({ timeout: '3s', retry: { attempts: 1 }, on_failure: 'fail' }), {
      id: late,
      input: 1,
    })
    const isWaiting = async (run: string) => (await fleet.api.journal(run)).some(({ type }) => type === 'callback.told')
    await eventually(async () => (await isWaiting(answered)) && (await isWaiting(late)), { what: 'both to wait' })
    await orchestrator.kill()
    orchestrator = await fleet.orchestrator('all')

    expect((await outside.answer((await firstTold(answered)).complete, { job: 'j-6' })).status).toBeLessThan(300)
    expect(await fleet.api.ended(answered)).toMatchObject({ status: 'completed', output: 'j-6' })
    expect(await fleet.api.ended(late)).toMatchObject({ status: 'failed', failure: { code: 'timeout' } })
    const after = await outside.answer((await firstTold(late)).complete, 1)
    expect(after).toMatchObject({ status: 409, body: { code: 'run_ended' } })
    for (const run of [answered, late]) {
      expect((await fleet.check(run)).violations).toEqual([])
      expect(toldOf(run)).toHaveLength(1)
    }
  })

  it('fails by the table of http when the outside does not take it', async () => {
    const run = newRunId('refused')
    await startWorker()
    outside.take = async () => 422
    await fleet.api.accepted(print({ on_failure: 'fail' }), { id: run, input: 1 })
    expect(await fleet.api.ended(run)).toMatchObject({ status: 'failed', failure: { code: 'http_error' } })
    expect(toldOf(run)).toHaveLength(1)
  })
})
