// Effect once: what cannot be undone is never sent a second time unless a person says so.
import { describe, expect, it } from 'vitest'
import { AMBIGUOUS, moduleTool, TRANSIENT, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('mail', 'once')] }
const world = (more = {}) => new World(workflow({ a: { tool: 'mail', ...more } }), TOOLS)

describe('once', () => {
  it('is tried once, whatever the failure', () => {
    const w = world()
    w.start()
    expect(w.fails('a', TRANSIENT)).toEqual([
      'step.attempt_failed a 1 provider_error',
      'step.escalated a max_retries_exceeded',
    ])
  })

  it('is not tried again by a general default', () => {
    const w = new World(workflow({ a: { tool: 'mail' } }, { defaults: { retry: { attempts: 5 } } }), TOOLS)
    w.start()
    expect(w.fails('a', TRANSIENT)).toContain('step.escalated a max_retries_exceeded')
  })

  it('is tried again where its step says so, but never when the end is ambiguous', () => {
    const w = world({ retry: { attempts: 3 } })
    w.start()
    expect(w.fails('a', TRANSIENT)).toEqual(['step.attempt_failed a 1 provider_error, again'])
    w.wake()
    expect(w.fails('a', AMBIGUOUS)).toEqual([
      'step.attempt_failed a 2 outcome_unknown',
      'step.escalated a ambiguous_state',
    ])
  })

  it('lost before it had begun goes out again', () => {
    const w = world()
    w.start()
    expect(w.loses('a', { begun: false })).toEqual(['step.lost a 1.1 worker', 'step.dispatched a 1.2'])
  })

  it('lost after it had begun is a case: nobody knows whether it happened', () => {
    const w = world()
    w.start()
    expect(w.loses('a', { begun: true })).toEqual([
      'step.attempt_failed a 1 outcome_unknown',
      'step.escalated a ambiguous_state',
    ])
    expect(w.state.status).toBe('escalated')
  })

  it('without an answer in time is a case when it had begun', () => {
    const w = world({ timeout: '10s' })
    w.start()
    expect(w.wake({ a: { claimedAtMs: 1_000, begun: true } }, 16_000)).toEqual([
      'step.attempt_failed a 1 outcome_unknown',
      'step.escalated a ambiguous_state',
    ])
  })

  it('that answers after all closes its case with the result', () => {
    const w = world()
    w.start()
    w.loses('a', { begun: true })
    expect(w.done('a', 'sent')).toEqual(['escalation.resolved a late_result', 'step.completed a', 'run.completed'])
    expect(w.openCases).toEqual([])
    expect(w.notices.at(-1)).toMatchObject({ type: 'closed', action: 'late_result', by: 'w_1' })
  })

  it('goes out again when a person says it did not happen', () => {
    const w = world()
    w.start()
    w.loses('a', { begun: true })
    expect(w.retry('a')).toEqual(['escalation.resolved a retry', 'step.retried a', 'step.dispatched a 2.1'])
    expect(w.task('a').effectKey).toBe('default/r1/a')
  })
})
