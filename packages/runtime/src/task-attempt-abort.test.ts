// One attempt: effect once, cancel, drain and the circuit. Against claims in memory.
import { EventEmitter } from 'node:events'
import { failure, type Task } from '@stepfleet/contracts'
import { eventually } from '@stepfleet/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLogger } from './logger.ts'
import { type Bench, heedful, MemoryClaims, makeBench, task, usage } from './task-attempt.fixture.ts'
import { TaskFailure, type TaskHandler } from './task-worker-handler.ts'
import { watchCancelled } from './task-worker-running.ts'

let claims = new MemoryClaims()
let bench: Bench | undefined
const setUp = (handler: Partial<TaskHandler> & Pick<TaskHandler, 'run'>): Bench => {
  bench?.breakers.stop()
  bench = makeBench(handler, claims)
  return bench
}
const run = (given: Task) => (bench ?? setUp(heedful())).run(given)
const results = () => (bench ?? setUp(heedful())).results()
const running = () => (bench ?? setUp(heedful())).ports.running

beforeEach(() => {
  claims = new MemoryClaims()
})
afterEach(() => {
  bench?.breakers.stop()
  bench = undefined
})

describe('effect once', () => {
  it('begins durably before the handler is called', async () => {
    let begun: boolean | undefined
    setUp({
      run: async () => {
        begun = claims.out.get('a')?.begun
        return { output: 1 }
      },
    })
    claims.dispatch(task())
    await run(task({ effect: 'once' }))
    expect(begun).toBe(true)
    claims.dispatch(task({ path: 'b' }))
    await run(task({ path: 'b', effect: 'idempotent' }))
    expect(claims.out.get('b')?.begun).toBe(false)
  })

  it('neither runs nor reports when begin is refused', async () => {
    let ran = 0
    setUp({
      run: async () => {
        ran += 1
        return { output: 1 }
      },
    })
    claims.dispatch(task())
    claims.begin = async () => false
    expect(await run(task({ effect: 'once' }))).toMatchObject({ status: 'no-op' })
    expect(ran).toBe(0)
    expect(claims.sent).toEqual([])
  })

  it('is ambiguous after a time-out', async () => {
    setUp(heedful())
    claims.dispatch(task())
    await run(task({ effect: 'once', timeoutMs: 20 }))
    expect(results()).toMatchObject([
      { status: 'failed', failure: { code: 'outcome_unknown', class: 'ambiguous', details: { cause: 'timeout' } } },
    ])
  })

  it('is not ambiguous when the time ran out before the handler was called', async () => {
    setUp({ run: async () => ({ output: 1 }) })
    claims.dispatch(task())
    claims.begin = () => new Promise(() => {})
    await run(task({ effect: 'once', timeoutMs: 20 }))
    expect(results()).toMatchObject([{ status: 'failed', failure: { code: 'timeout', class: 'transient' } }])
  })
})

describe('cancel', () => {
  it('reaches the handler, and is not reported', async () => {
    const started = new EventEmitter()
    setUp(heedful(started))
    const watch = watchCancelled(running(), claims, createLogger('test', 'silent'))
    claims.dispatch(task())
    started.once('started', () => claims.out.delete('a'))
    expect(await run(task())).toEqual({ status: 'no-op', why: 'ended cancelled' })
    expect(claims.sent).toEqual([])
    watch.stop()
  })

  it('leaves alone what is still out, also under a newer delivery, and skips a round when Redis fails', async () => {
    let rounds = 0
    const answers = claims.stillOut.bind(claims)
    claims.stillOut = async (tasks) => {
      rounds += 1
      if (rounds === 1) throw new Error('away')
      return answers(tasks)
    }
    let finish = (): void => {}
    setUp({
      run: () =>
        new Promise((resolve) => {
          finish = () => resolve({ output: 'kept' })
        }),
    })
    const watch = watchCancelled(running(), claims, createLogger('test', 'silent'))
    claims.dispatch(task())
    const ended = run(task())
    await eventually(() => rounds >= 1)
    claims.dispatch(task({ delivery: 2 }))
    await eventually(() => rounds >= 3)
    finish()
    await ended
    expect(results()).toEqual([{ status: 'done', output: { value: 'kept' } }])
    watch.stop()
  })

  it('reports a handler that finished all the same: it was paid for', async () => {
    setUp({
      run: ({ signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve({ output: 1, usage }))
          claims.out.delete('a')
          running().list()[0]?.abort('cancelled')
        }),
    })
    claims.dispatch(task())
    await run(task())
    expect(claims.sent).toMatchObject([{ answer: 'late', command: { outcome: { usage } } }])
  })
})

describe('drain', () => {
  it('hands back what is claimed while draining, without running it', async () => {
    let ran = 0
    setUp({
      run: async () => {
        ran += 1
        return { output: 1 }
      },
    })
    if (bench) bench.draining = true
    claims.dispatch(task())
    await run(task())
    expect(ran).toBe(0)
    expect(results()).toEqual([{ status: 'released', reason: 'draining', why: 'worker draining', retryAfterMs: 0 }])
  })

  it.each([
    ['read', 'released'],
    ['once', 'failed'],
  ] as const)('a running %s task is %s when the grace time is over', async (effect, status) => {
    const started = new EventEmitter()
    setUp(heedful(started))
    started.once('started', () => running().list()[0]?.abort('drain'))
    claims.dispatch(task())
    await run(task({ effect }))
    expect(results()).toMatchObject([{ status }])
    if (effect === 'once') expect(results()[0]).toMatchObject({ failure: { code: 'outcome_unknown' } })
  })

  it('gives up a claim that Redis does not answer', async () => {
    setUp({ run: async () => ({ output: 1 }) })
    claims.claim = () => new Promise(() => {})
    const ended = run(task())
    running().list()[0]?.abort('drain')
    expect(await ended).toMatchObject({ status: 'no-op' })
  })
})

describe('the circuit', () => {
  const runMany = async (count: number, prefix: string, more: Partial<Extract<Task, { kind: 'tool' }>> = {}) => {
    for (let i = 0; i < count; i += 1) {
      const given = task({ ...more, path: `${prefix}[${i}]` })
      claims.dispatch(given)
      await run(given)
    }
  }

  it('opens after failures of the dependency and hands tasks back, unbegun', async () => {
    let calls = 0
    setUp({
      dependency: () => 'http:example.org',
      run: async () => {
        calls += 1
        throw new TaskFailure(failure('connection_failed', 'refused'))
      },
    })
    await runMany(5, 'a')
    expect(calls).toBe(5)
    await runMany(1, 'b', { effect: 'once' })
    expect(calls).toBe(5)
    expect(results()[5]).toMatchObject({
      status: 'released',
      reason: 'circuit_open',
      dependency: 'http:example.org',
      why: expect.stringMatching(/^circuit http:example.org is open since .* \(connection_failed ×5\); next probe at /),
    })
    const released = results()[5]
    expect(released?.status === 'released' && released.retryAfterMs).toBeGreaterThan(14_000)
    expect(claims.out.get('b[0]')?.begun).toBe(false)
  })

  it('stays closed for mistakes of the caller, and for what we broke off ourselves', async () => {
    setUp({
      dependency: () => 'x',
      run: async () => {
        throw new TaskFailure(failure('bad_request', 'no'))
      },
    })
    await runMany(20, 'a')
    expect(bench?.breakers.states()).toEqual({ x: 'closed' })
    const started = new EventEmitter()
    setUp({ dependency: () => 'x', ...heedful(started) })
    started.on('started', () => running().list()[0]?.abort('cancelled'))
    await runMany(20, 'b')
    expect(bench?.breakers.states()).toEqual({ x: 'closed' })
  })

  it('counts time-outs', async () => {
    setUp({ dependency: () => 'x', ...heedful() })
    await runMany(5, 'a', { timeoutMs: 5 })
    expect(bench?.breakers.states()).toEqual({ x: 'open' })
  })
})
