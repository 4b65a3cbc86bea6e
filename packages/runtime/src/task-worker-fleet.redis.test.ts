// A worker in its fleet: what it shows, its end, and the spool while Redis is away. Against a real Redis.
import { FLEET, isBlob, taskId, workerInfoSchema } from '@stepfleet/contracts'
import { eventually, startRedisCluster, type TestRedis } from '@stepfleet/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { QUEUE, startWorkerBench, taskOf, WorkerBench, waitForAbort } from './task-worker.fixture.ts'

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

describe('the spool', () => {
  it('keeps a result that Redis died under, and sends it when Redis is back', async () => {
    await bench.start(async () => {
      redis.kill('SIGKILL')
      return { output: 'paid for' }
    })
    await bench.dispatch(taskOf('r1'))
    await eventually(async () => (await bench.spooled()).length === 1)
    await redis.restart()
    expect((await bench.outcomeOf('r1')).outcome.result).toEqual({ status: 'done', output: { value: 'paid for' } })
    await eventually(async () => (await bench.spooled()).length === 0)
    expect(await bench.outcomes('r1')).toHaveLength(1)
  })

  it('keeps a large result too, whose blob could not be written', async () => {
    await bench.start(async () => {
      redis.kill('SIGKILL')
      return { output: 'y'.repeat(100_000) }
    })
    await bench.dispatch(taskOf('r1'))
    await eventually(async () => (await bench.spooled()).length === 1)
    await redis.restart()
    const { result } = (await bench.outcomeOf('r1')).outcome
    expect(result.status === 'done' && isBlob(result.output)).toBe(true)
  })

  it('sends it after a restart of the worker, under the old claim', async () => {
    const first = await bench.start(async () => {
      redis.kill('SIGKILL')
      return { output: 'paid for' }
    })
    await bench.dispatch(taskOf('r1'))
    await eventually(async () => (await bench.spooled()).length === 1)
    await first.stop()
    expect(await bench.spooled()).toHaveLength(1)
    await redis.restart()
    await bench.start(async () => ({ output: 'again' }))
    const sent = await bench.outcomeOf('r1')
    expect(sent.by.id).toBe(first.id)
    expect(sent.outcome.result).toEqual({ status: 'done', output: { value: 'paid for' } })
    await eventually(async () => (await bench.spooled()).length === 0)
  })
})

describe('a worker in the fleet', () => {
  it('is there with its tasks and its tools, and leaves nothing behind', async () => {
    const spec = { name: 'lookup', description: 'looks up', input: {} }
    const worker = await bench.start(waitForAbort, { tools: [{ spec, effect: 'read', secrets: [] }] })
    expect(Object.keys(await bench.client.hgetall(FLEET.tools))).toEqual(['lookup'])
    const task = taskOf('r1')
    await bench.dispatch(task)
    const info = await eventually(async () => {
      const read = workerInfoSchema.parse(JSON.parse((await bench.client.hget(FLEET.workers, worker.id)) ?? '{}'))
      return read.tasks.length > 0 ? read : null
    })
    expect(info).toMatchObject({ id: worker.id, queues: [QUEUE], slots: 4, tasks: [taskId(task)], draining: false })
    expect(await worker.ready()).toEqual({ ready: true })
    expect(await bench.client.hexists(FLEET.beats, worker.id)).toBe(1)
    await worker.stop()
    expect(await worker.ready()).toEqual({ ready: false, why: 'draining' })
    expect(await bench.client.hexists(FLEET.workers, worker.id)).toBe(0)
    expect(await bench.client.hexists(FLEET.beats, worker.id)).toBe(0)
  })

  it('hands back at stop what does not end in time; a begun once task is ambiguous', async () => {
    let running = 0
    const worker = await bench.start((context) => {
      running += 1
      return waitForAbort(context)
    })
    await bench.dispatch(taskOf('r1'))
    await bench.dispatch(taskOf('r2', { effect: 'once' }))
    await eventually(() => running === 2)
    await worker.stop()
    expect((await bench.outcomeOf('r1')).outcome.result).toEqual({
      status: 'released',
      reason: 'draining',
      why: 'worker draining',
      retryAfterMs: 0,
    })
    expect((await bench.outcomeOf('r2')).outcome.result).toMatchObject({ failure: { code: 'outcome_unknown' } })
  })

  it('lets tasks end that do so within the grace time', async () => {
    let finish = (): void => {}
    const worker = await bench.start(
      () =>
        new Promise((resolve) => {
          finish = () => resolve({ output: 'in time' })
        }),
      { drainMs: 10_000 },
    )
    await bench.dispatch(taskOf('r1'))
    await eventually(async () => (await bench.out('r1')).worker)
    const stopped = worker.stop()
    finish()
    await stopped
    expect((await bench.outcomeOf('r1')).outcome.result).toMatchObject({ status: 'done' })
  })

  it('serves queues of its prefixes as they appear', async () => {
    const worker = await bench.start(async () => ({ output: 1 }), { queues: { prefixes: ['tool.'] } })
    expect(await worker.ready()).toEqual({ ready: true })
    const task = taskOf('r1')
    await bench.setOut(task)
    await bench.publish(task, taskId(task), 'tool.http')
    await bench.outcomeOf('r1')
  })
})

describe('a worker on a Redis Cluster', () => {
  it('beats, claims, runs and reports', async () => {
    const cluster = await startRedisCluster()
    const other = new WorkerBench(cluster.url, true)
    try {
      await other.reset()
      const worker = await other.start(async () => ({ output: 'x'.repeat(100_000) }))
      // runs of several shards, which lie on several nodes
      const runs = ['r1', 'r2', 'r3', 'r4', 'r5']
      for (const run of runs) await other.dispatch(taskOf(run))
      for (const run of runs) expect((await other.outcomeOf(run)).outcome.result.status).toBe('done')
      await worker.stop()
      expect(await other.client.hlen(FLEET.beats)).toBe(0)
      expect(await other.client.hlen(FLEET.workers)).toBe(0)
    } finally {
      await other.stopWorkers()
      await other.close()
      await cluster.stop()
    }
  })
})

describe('a worker that cannot start', () => {
  it('says so and leaves nothing running', async () => {
    await expect(bench.start(waitForAbort, { spoolDir: '/dev/null/nowhere' })).rejects.toThrow(/ENOTDIR/)
    expect(await bench.client.hlen(FLEET.workers)).toBe(0)
  })
})
