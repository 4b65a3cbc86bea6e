// A deadline: all of a step, from when it was first ready, with retries and everything inside.
import { failure } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { dueChecks, wakeAt } from '../state/timers.ts'
import { MODEL, moduleTool, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read'), moduleTool('mail', 'once')] }

describe('deadline', () => {
  it('opens a case and takes the task back', () => {
    const w = new World(workflow({ a: { tool: 'find', deadline: '1m' } }), TOOLS)
    w.start()
    expect(w.wake({ a: {} }, 61_000)).toEqual(['step.escalated a deadline_exceeded'])
    expect(w.state.counts).toEqual({ scheduled: 0, waiting: 0, escalated: 1 })
    expect(w.state.timers.size).toBe(0)
    expect(w.done('a', 'late')).toEqual(['escalation.resolved a late_result', 'step.completed a', 'run.completed'])
  })

  it('of a step of effect once that a worker has begun does not say that nothing happened', () => {
    const step = { tool: 'mail', deadline: '1m', timeout: '5m', on_failure: 'fail' } as const
    const w = new World(workflow({ a: step }), TOOLS)
    w.start()
    expect(dueChecks(w.state, 61_000)).toEqual(['a'])
    // a person looks before the run fails for it
    expect(w.wake({ a: { claimedAtMs: 1_000, begun: true } }, 61_000)).toEqual([
      'step.attempt_failed a 1 outcome_unknown',
      'step.escalated a ambiguous_state',
    ])
    expect(w.retry('a')).toContain('step.dispatched a 2.1')
    const waiting = new World(workflow({ a: step }), TOOLS)
    waiting.start()
    expect(waiting.wake({ a: { claimedAtMs: null } }, 61_000)).toContain('step.failed a deadline_exceeded')
  })

  it('of what is around such a step does not say so either', () => {
    const w = new World(workflow({ a: { deadline: '1m', on_failure: 'fail', steps: { b: { tool: 'mail' } } } }), TOOLS)
    w.start()
    expect(dueChecks(w.state, 61_000)).toEqual(['a/b'])
    expect(w.wake({ 'a/b': { claimedAtMs: 60_000, begun: true } }, 61_000)).toEqual([
      'step.escalated a ambiguous_state',
    ])
    expect(w.step('a').failure?.message).toContain('a/b had begun')
    // asked for again, the part itself is for a person
    expect(w.retry('a')).toContain('step.escalated a/b ambiguous_state')
  })

  it('that rings with the time-out of such a step does not hide that either', () => {
    const w = new World(workflow({ a: { tool: 'mail', deadline: '1m', timeout: '50s' } }), TOOLS)
    w.start()
    expect(w.wake({ a: { claimedAtMs: 1_000, begun: true } }, 90_000)).toEqual([
      'step.attempt_failed a 1 outcome_unknown',
      'step.escalated a ambiguous_state',
    ])
  })

  it('is not waited for when the next attempt would come after it', () => {
    const asked = failure('rate_limited', 'too many requests', { retryAfterMs: 171_000 })
    const w = new World(workflow({ a: { tool: 'find', deadline: '1m' } }), TOOLS)
    w.start()
    expect(w.fails('a', asked)).toEqual([
      'step.attempt_failed a 1 rate_limited',
      'step.escalated a max_retries_exceeded',
    ])
    expect(w.step('a').failure?.message).toBe(
      'too many requests; the next attempt, in 171 s, would come after the deadline',
    )
  })

  it('of the run, or of what is around a step, ends its retries too', () => {
    const asked = failure('rate_limited', 'too many requests', { retryAfterMs: 171_000 })
    const inside = new World(workflow({ a: { deadline: '1m', steps: { b: { tool: 'find' } } } }), TOOLS)
    inside.start()
    expect(inside.fails('a/b', asked)[0]).toBe('step.attempt_failed a/b 1 rate_limited')
    const run = new World(workflow({ a: { tool: 'find' } }, { deadline: '2m' }), TOOLS)
    run.start()
    expect(run.fails('a', asked)[0]).toBe('step.attempt_failed a 1 rate_limited')
    const free = new World(workflow({ a: { tool: 'find' } }), TOOLS)
    free.start()
    expect(free.fails('a', asked)[0]).toBe('step.attempt_failed a 1 rate_limited, again')
  })

  it('is a result where failures are', () => {
    const w = new World(workflow({ a: { signal: 'go', deadline: '1m', on_failure: 'continue' } }))
    w.start()
    expect(w.wake()).toEqual(['step.failed a deadline_exceeded', 'run.completed'])
  })

  it('of a group cancels what is open inside, and closes the cases there', () => {
    const step = { tool: 'find', each: { in: [1, 2] }, deadline: '1m', retry: { attempts: 1 } }
    const w = new World(workflow({ a: step }), TOOLS)
    w.start()
    w.fails('a[0]')
    expect(w.wake({}, 61_000)).toEqual(['step.escalated a deadline_exceeded'])
    expect([w.step('a[0]').phase, w.step('a[1]').phase]).toEqual(['cancelled', 'cancelled'])
    expect(w.openCases).toEqual(['a'])
    expect(w.skip('a')).toEqual(['escalation.resolved a skip', 'step.skipped a operator', 'run.completed'])
  })

  it('of an agent cancels its turn', () => {
    const w = new World(workflow({ a: { agent: { model: MODEL, prompt: 'p' }, deadline: '1m' } }))
    w.start()
    w.wake({}, 61_000)
    expect(w.step('a/turn-1/llm').phase).toBe('cancelled')
    expect(w.done('a/turn-1/llm', 'late')).toEqual(['cost.noted a/turn-1/llm 1.1'])
  })

  it('begins anew when an operator asks for the step again', () => {
    const w = new World(workflow({ a: { signal: 'go', deadline: '1m' } }))
    w.start()
    w.wake()
    w.nowMs = 500_000
    expect(w.retry('a')).toEqual(['escalation.resolved a retry', 'step.retried a', 'step.opened a signal'])
    expect(wakeAt(w.state)).toBe(560_000)
  })

  it('rings for nobody when the step has ended', () => {
    const w = new World(workflow({ a: { tool: 'find', deadline: '1m' }, b: { wait: '1h' } }), TOOLS)
    w.start()
    w.done('a')
    expect(w.wake({}, 61_000)).toEqual([])
    expect(w.wake({}, 3_601_000)).toEqual(['step.completed b', 'run.completed'])
  })
})
