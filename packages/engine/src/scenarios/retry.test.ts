// Retries: only what may work when tried again is, not before its backoff, and not more often than said.
import { failure } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { wakeAt } from '../state/timers.ts'
import { AMBIGUOUS, moduleTool, PERMANENT, TRANSIENT, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read'), moduleTool('put', 'idempotent')] }
const world = (step: Parameters<typeof workflow>[0][string]) => new World(workflow({ a: step }), TOOLS)

describe('retry', () => {
  it('is another attempt under the same effect key, after its backoff', () => {
    const w = world({ tool: 'find' })
    w.start()
    expect(w.fails('a')).toEqual(['step.attempt_failed a 1 provider_error, again'])
    expect(w.state.status).toBe('waiting')
    const atMs = wakeAt(w.state) ?? 0
    expect(atMs).toBeLessThanOrEqual(2_000)
    expect(w.wake({}, atMs - 1)).toEqual([])
    expect(w.wake()).toEqual(['step.dispatched a 2.1'])
    expect(new Set(w.tasks.map((task) => task.effectKey))).toEqual(new Set(['default/r1/a']))
  })

  it('waits within initial × factor^n, and never longer than max', () => {
    const w = world({ tool: 'find', retry: { attempts: 8, initial: '1s', factor: 2, max: '10s' } })
    w.start()
    const waits: number[] = []
    for (let attempt = 1; attempt < 8; attempt += 1) {
      w.fails('a')
      waits.push((wakeAt(w.state) ?? 0) - w.nowMs)
      w.wake()
    }
    const ceilings = [1, 2, 4, 8, 10, 10, 10].map((seconds) => seconds * 1_000)
    expect(waits.every((wait, index) => wait >= 0 && wait <= (ceilings[index] ?? 0))).toBe(true)
    // full jitter: they differ
    expect(new Set(waits).size).toBe(7)
  })

  it('waits the same in every replay', () => {
    const waitOf = () => {
      const w = world({ tool: 'find' })
      w.start()
      w.fails('a')
      return wakeAt(w.state)
    }
    expect(waitOf()).toBe(waitOf())
  })

  it('waits at least as long as the other side asked', () => {
    const w = world({ tool: 'find' })
    w.start()
    w.fails('a', failure('rate_limited', 'slow down', { retryAfterMs: 171_000 }))
    expect(w.step('a').notBeforeMs).toBe(172_000)
  })

  it('ends when the attempts are used up, by default after five', () => {
    const w = world({ tool: 'find' })
    w.start()
    for (let attempt = 1; attempt < 5; attempt += 1) {
      expect(w.fails('a')).toEqual([`step.attempt_failed a ${attempt} provider_error, again`])
      w.wake()
    }
    expect(w.fails('a')).toEqual(['step.attempt_failed a 5 provider_error', 'step.escalated a max_retries_exceeded'])
  })

  it('has attempts anew when an operator asks', () => {
    const w = world({ tool: 'find', retry: { attempts: 2 } })
    w.start()
    w.fails('a')
    w.wake()
    w.fails('a')
    expect(w.retry('a')).toContain('step.dispatched a 3.1')
    expect(w.fails('a')).toEqual(['step.attempt_failed a 3 provider_error, again'])
    w.wake()
    expect(w.fails('a')).toEqual(['step.attempt_failed a 4 provider_error', 'step.escalated a max_retries_exceeded'])
  })

  it('may be asked for at once, before the backoff is over', () => {
    const w = world({ tool: 'find' })
    w.start()
    w.fails('a')
    expect(w.retry('a')).toEqual(['step.retried a', 'step.dispatched a 2.1'])
  })

  it('does not follow a failure that no repeat cures', () => {
    const w = world({ tool: 'find' })
    w.start()
    expect(w.fails('a', PERMANENT)).toEqual([
      'step.attempt_failed a 1 bad_request',
      'step.escalated a permanent_failure',
    ])
  })

  it('does not follow a code the definition names', () => {
    const w = world({ tool: 'find', retry: { never: ['provider_error'] } })
    w.start()
    expect(w.fails('a', TRANSIENT)).toEqual([
      'step.attempt_failed a 1 provider_error',
      'step.escalated a max_retries_exceeded',
    ])
  })

  it.each(['find', 'put'])('follows an ambiguous end where the effect allows it: %s', (tool) => {
    const w = world({ tool })
    w.start()
    expect(w.fails('a', AMBIGUOUS)).toEqual(['step.attempt_failed a 1 outcome_unknown, again'])
  })

  it('takes what is said for all steps where the step says nothing', () => {
    const w = new World(workflow({ a: { tool: 'find' } }, { defaults: { retry: { attempts: 1 } } }), TOOLS)
    w.start()
    expect(w.fails('a')).toEqual(['step.attempt_failed a 1 provider_error', 'step.escalated a max_retries_exceeded'])
  })

  it('comes after a load as it would have without', () => {
    const w = world({ tool: 'find' })
    w.start()
    w.fails('a')
    const atMs = wakeAt(w.state)
    w.reload('snapshot')
    expect(wakeAt(w.state)).toBe(atMs)
    expect(w.wake()).toEqual(['step.dispatched a 2.1'])
  })
})
