// One attempt: claim, run, report, failures and time-outs. Against claims in memory.
import { failure, type Json, type Task, taskId } from '@stepfleet/contracts'
import { eventually } from '@stepfleet/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { redactValues } from './logger.ts'
import { type Bench, heedful, MemoryClaims, makeBench, task, usage } from './task-attempt.fixture.ts'
import { type TaskContext, TaskFailure, type TaskHandler } from './task-worker-handler.ts'

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

describe('an attempt', () => {
  it('claims, runs, reports with usage and times', async () => {
    let seen: TaskContext | undefined
    setUp({
      run: async (context) => {
        seen = context
        return { output: { answer: 42 }, usage }
      },
    })
    const given = task()
    claims.dispatch(given)
    await run(given)
    expect(seen).toMatchObject({ input: 1, attempt: 1, effectKey: 'default/r1/a' })
    expect(claims.sent).toHaveLength(1)
    const [sent] = claims.sent
    expect(sent?.answer).toBe('reported')
    expect(sent?.command).toMatchObject({
      type: 'outcome',
      by: { kind: 'worker', id: 'w1' },
      outcome: { path: 'a', claimedAtMs: 1_000, usage, result: { status: 'done', output: { value: { answer: 42 } } } },
    })
    expect(sent?.command.id).toContain(taskId(given))
    expect(running().list()).toEqual([])
  })

  it.each(['not_out', 'superseded', 'held', 'reported'] as const)('is a no-op when refused: %s', async (why) => {
    let ran = 0
    setUp({
      run: async () => {
        ran += 1
        return { output: null }
      },
    })
    const given = task()
    if (why !== 'not_out') claims.dispatch(why === 'superseded' ? task({ delivery: 2 }) : given)
    if (why === 'held') await claims.claim(given, 'w2', 'other')
    const held = claims.out.get('a')
    if (held && why === 'reported') held.reported = true
    expect(await run(given)).toEqual({ status: 'no-op', why })
    expect(ran).toBe(0)
    expect(claims.sent).toEqual([])
  })

  it('claims again under the same token when Redis fails', async () => {
    setUp({ run: async () => ({ output: 1 }) })
    claims.dispatch(task())
    claims.failing = 2
    await run(task())
    expect(results()).toEqual([{ status: 'done', output: { value: 1 } }])
  })

  it('reads an input that is a blob, and fails visibly when it is not there', async () => {
    const inputs: Json[] = []
    setUp({
      run: async ({ input }) => {
        inputs.push(input)
        return { output: 1 }
      },
    })
    const blob = 'f'.repeat(64)
    claims.blobs.set(blob, { large: true })
    claims.dispatch(task())
    await run(task({ input: { blob, bytes: 9 } }))
    expect(inputs).toEqual([{ large: true }])
    const other = task({ path: 'b', input: { blob: 'e'.repeat(64), bytes: 9 } })
    claims.dispatch(other)
    await run(other)
    expect(results()[1]).toMatchObject({ status: 'failed', failure: { code: 'connection_failed', class: 'transient' } })
  })
})

describe('failures', () => {
  it('classifies what is thrown, and takes a TaskFailure as it is, with its cost', async () => {
    const thrown: unknown[] = [new Error('odd'), new TaskFailure(failure('bad_request', 'no', { http: 400 }), usage)]
    setUp({
      run: async () => {
        throw thrown.shift()
      },
    })
    for (const path of ['a', 'b']) {
      claims.dispatch(task({ path }))
      await run(task({ path }))
    }
    expect(results()).toMatchObject([
      { status: 'failed', failure: { code: 'tool_failed', message: 'odd' } },
      { status: 'failed', failure: { code: 'bad_request', http: 400 } },
    ])
    expect(claims.sent[1]?.command.outcome.usage).toEqual(usage)
  })

  it('survives a handler that cannot classify, or answers no JSON, or an odd usage', async () => {
    const cyclic: { [key: string]: Json } = {}
    cyclic.self = cyclic
    const runs = [
      async () => {
        throw new Error('first')
      },
      async () => ({ output: cyclic }),
      async () => ({ output: 'x'.repeat(16 * 1024 * 1024) }),
      async () => ({ output: 1, usage: { ...usage, inputTokens: Number.NaN } }),
    ]
    setUp({
      run: async () => (await runs.shift()?.()) ?? { output: null },
      classify: () => {
        throw new Error('a bug')
      },
    })
    for (const path of ['a', 'b', 'c', 'd']) {
      claims.dispatch(task({ path }))
      await run(task({ path }))
    }
    expect(results()).toMatchObject([
      { status: 'failed', failure: { code: 'tool_failed', message: 'first' } },
      { status: 'failed', failure: { code: 'tool_output_invalid' } },
      { status: 'failed', failure: { code: 'payload_too_large' } },
      { status: 'done', output: { value: 1 } },
    ])
    expect(claims.sent[3]?.command.outcome.usage).toBeUndefined()
  })

  it('reports no secret, neither in the message nor in the details', async () => {
    redactValues(['hunter2-hunter2'])
    setUp({
      run: async () => {
        throw new TaskFailure(
          failure('http_error', 'sent hunter2-hunter2', { details: { header: 'Bearer hunter2-hunter2' } }),
        )
      },
    })
    claims.dispatch(task())
    await run(task())
    expect(JSON.stringify(claims.sent)).not.toContain('hunter2')
    expect(results()).toMatchObject([{ failure: { code: 'http_error', message: 'sent [redacted]' } }])
  })
})

describe('time-out', () => {
  it('aborts the handler with a Failure and reports it', async () => {
    let reason: unknown
    setUp({
      run: ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reason = signal.reason
            reject(new Error('stopped'))
          })
        }),
    })
    const given = task({ timeoutMs: 20 })
    claims.dispatch(given)
    await run(given)
    expect(reason).toMatchObject({ code: 'timeout', class: 'transient' })
    expect(results()).toMatchObject([{ status: 'failed', failure: { code: 'timeout' } }])
  })

  it('hears a handler that answers within the grace time', async () => {
    setUp({
      run: ({ signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve({ output: 'just so', usage }))
        }),
    })
    claims.dispatch(task())
    await run(task({ timeoutMs: 20 }))
    expect(results()).toEqual([{ status: 'done', output: { value: 'just so' } }])
  })

  it('frees the slot of a handler that ignores its abort, and sends its late answer on its own', async () => {
    let answer = (_output: Json): void => {}
    setUp({
      run: () =>
        new Promise((resolve) => {
          answer = (output) => resolve({ output, usage })
        }),
    })
    claims.dispatch(task())
    await run(task({ timeoutMs: 20 }))
    expect(results()).toMatchObject([{ status: 'failed', failure: { code: 'timeout' } }])
    expect(running().list()).toEqual([])
    answer('paid for')
    await eventually(() => claims.sent.length === 2)
    expect(claims.sent[1]).toMatchObject({
      answer: 'late',
      command: { outcome: { usage, result: { status: 'done', output: { value: 'paid for' } } } },
    })
    expect(claims.sent[1]?.command.id).not.toBe(claims.sent[0]?.command.id)
  })

  it('swallows the late error of a handler that was left behind', async () => {
    let fail = (): void => {}
    setUp({
      run: () =>
        new Promise((_, reject) => {
          fail = () => reject(new Error('much later'))
        }),
    })
    claims.dispatch(task())
    await run(task({ timeoutMs: 20 }))
    fail()
    await new Promise((resolve) => setImmediate(resolve))
    expect(claims.sent).toHaveLength(1)
  })
})
