// Tasks of a worker, against a real Redis and real queues.
import { failure, isBlob, runKeys, taskId } from '@stepfleet/contracts'
import { eventually, type TestRedis } from '@stepfleet/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { QUEUE, startWorkerBench, taskOf, type WorkerBench, waitForAbort } from './task-worker.fixture.ts'
import { TaskFailure, type TaskHandler } from './task-worker.ts'

let redis: TestRedis
let bench: WorkerBench

beforeAll(async () => {
  const started = await startWorkerBench()
  redis = started.redis
  bench = started.bench
})
afterAll(async () => {
  await bench.close()
  await redis.stop()
})
beforeEach(async () => {
  await bench.client.flushall()
  await bench.reset()
})
afterEach(() => bench.stopWorkers())

describe('a task', () => {
  it('is claimed, run, reported, and its job is gone', async () => {
    const worker = await bench.start(async ({ effectKey }) => ({ output: { key: effectKey } }))
    const task = taskOf('r1')
    await bench.dispatch(task)
    const { outcome, by } = await bench.outcomeOf('r1')
    expect(by).toEqual({ kind: 'worker', id: worker.id })
    expect(outcome.result).toEqual({ status: 'done', output: { value: { key: 'default/r1/a' } } })
    expect(outcome.claimedAtMs).toBeGreaterThan(Date.now() - 60_000)
    await eventually(async () => (await bench.publisher.findJob(QUEUE, taskId(task))) === null)
    expect((await bench.out('r1')).reported).toBe(true)
  })

  it('runs once when its job is delivered several times, to several workers', async () => {
    let runs = 0
    const run: TaskHandler['run'] = async () => {
      runs += 1
      return { output: 1 }
    }
    await Promise.all([bench.start(run), bench.start(run)])
    const task = taskOf('r1')
    await bench.setOut(task)
    await Promise.all(Array.from({ length: 10 }, (_, i) => bench.publish(task, `copy-${i}`)))
    await bench.outcomeOf('r1')
    await eventually(async () => {
      const { waiting, active } = await bench.publisher.depth(QUEUE)
      return waiting + active === 0
    })
    expect(runs).toBe(1)
    expect(await bench.outcomes('r1')).toHaveLength(1)
  })

  it('is a no-op when it is not out, and so is a job that is no task', async () => {
    let runs = 0
    await bench.start(async () => {
      runs += 1
      return { output: 1 }
    })
    await bench.publish(taskOf('r1'))
    await bench.publisher.publish([{ queue: QUEUE, id: 'odd', priority: 3, payload: { any: 'thing' } }])
    await bench.publisher.publish([{ queue: QUEUE, id: 'odd-2', priority: 3, payload: null }])
    await bench.dispatch(taskOf('r2'))
    await bench.outcomeOf('r2')
    await eventually(async () => (await bench.publisher.depth(QUEUE)).active === 0)
    expect(runs).toBe(1)
    expect(await bench.outcomes('r1')).toEqual([])
  })

  it('may answer more than fits inline', async () => {
    await bench.start(async () => ({ output: 'x'.repeat(100_000) }))
    await bench.dispatch(taskOf('r1'))
    const { result } = (await bench.outcomeOf('r1')).outcome
    expect(result.status === 'done' && isBlob(result.output)).toBe(true)
  })

  it('times out while its handler ignores that, and frees the slot', async () => {
    await bench.start(() => new Promise(() => {}), { slots: 1 })
    await bench.dispatch(taskOf('r1', { timeoutMs: 50 }))
    await bench.dispatch(taskOf('r2', { timeoutMs: 50, effect: 'once' }))
    expect((await bench.outcomeOf('r1')).outcome.result).toMatchObject({
      status: 'failed',
      failure: { code: 'timeout' },
    })
    expect((await bench.outcomeOf('r2')).outcome.result).toMatchObject({
      status: 'failed',
      failure: { code: 'outcome_unknown', class: 'ambiguous' },
    })
  })

  it('is aborted when it is no longer out', async () => {
    let reason: unknown
    await bench.start(async (context) => {
      await bench.client.del(runKeys('default', 'r1').out)
      try {
        return await waitForAbort(context)
      } finally {
        reason = context.signal.reason
      }
    })
    await bench.dispatch(taskOf('r1'))
    await eventually(() => reason, { timeoutMs: 3_000 })
    expect(reason).toMatchObject({ code: 'cancelled' })
    expect(await bench.outcomes('r1')).toEqual([])
  })

  it('is handed back while the circuit of its dependency is open', async () => {
    await bench.start(
      async () => {
        throw new TaskFailure(failure('connection_failed', 'refused'))
      },
      { slots: 1 },
      { dependency: () => 'http:example.org' },
    )
    for (let i = 0; i < 6; i += 1) await bench.dispatch(taskOf(`r${i}`))
    const results = await Promise.all(
      Array.from({ length: 6 }, async (_, i) => (await bench.outcomeOf(`r${i}`)).outcome.result),
    )
    expect(results.filter(({ status }) => status === 'failed')).toHaveLength(5)
    expect(results.find(({ status }) => status === 'released')).toMatchObject({
      reason: 'circuit_open',
      why: expect.stringContaining('circuit http:example.org is open since'),
    })
  })

  it('is handed back by every worker when the circuit was opened in one, and tried by one later', async () => {
    const dependency = () => 'http:example.org'
    const broken = async () => {
      throw new TaskFailure(failure('overloaded', 'busy', { http: 529 }))
    }
    const tuning = { resetMs: 400, spreadMs: 1 }
    await bench.start(broken, { slots: 1, tuning }, { dependency })
    const other = { queues: ['tool.http'], slots: 4, tuning }
    await bench.start(async () => ({ output: 'up again' }), other, { dependency })
    for (let i = 0; i < 5; i += 1) await bench.dispatch(taskOf(`broken${i}`))
    await Promise.all(Array.from({ length: 5 }, (_, i) => bench.outcomeOf(`broken${i}`)))
    const results = await eventually(async () => {
      const runs = Array.from({ length: 4 }, (_, i) => `other${performance.now()}-${i}`.replace('.', '-'))
      for (const run of runs) await bench.dispatch(taskOf(run), 'tool.http')
      const outcomes = await Promise.all(runs.map((run) => bench.outcomeOf(run)))
      const all = outcomes.map(({ outcome }) => outcome.result)
      return all.some(({ status }) => status === 'released') ? all : null
    })
    expect(results.filter(({ status }) => status === 'done').length).toBeLessThan(4)
    expect(results.find(({ status }) => status === 'released')).toMatchObject({
      ...{ reason: 'circuit_open', dependency: 'http:example.org' },
      why: expect.stringContaining('(529 ×5)'),
    })
    const run = 'after-all'
    await eventually(async () => {
      const id = `${run}-${Math.round(performance.now())}`
      await bench.dispatch(taskOf(id), 'tool.http')
      return (await bench.outcomeOf(id)).outcome.result.status === 'done'
    })
  })
})
