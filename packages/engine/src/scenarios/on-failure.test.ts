// on_failure: what becomes of a step that failed for good.
import { describe, expect, it } from 'vitest'
import { moduleTool, PERMANENT, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const find = { tool: 'find', retry: { attempts: 1 } }

describe('on_failure', () => {
  it('escalate, the default: a case opens with all that is known, and the rest goes on', () => {
    const w = new World(workflow({ a: { ...find, with: { x: 1 } }, b: find }), TOOLS)
    w.start()
    expect(w.fails('a')).toEqual(['step.attempt_failed a 1 provider_error', 'step.escalated a max_retries_exceeded'])
    expect(w.notices).toMatchObject([
      {
        type: 'opened',
        case: 'esc_r1_5',
        path: 'a',
        reason: 'max_retries_exceeded',
        workflow: 'scenario',
        kind: 'tool',
        failure: { code: 'provider_error' },
        attempts: [{ attempt: 1, status: 'failed', worker: 'w_1' }],
        input: { tool: 'find', with: { x: 1 } },
      },
    ])
    expect(w.done('b')).toEqual(['step.completed b'])
    expect(w.state.status).toBe('escalated')
  })

  it('fail: the siblings are cancelled and the run fails', () => {
    const w = new World(workflow({ a: { ...find, on_failure: 'fail' }, b: find, c: { approval: {} } }), TOOLS)
    w.start()
    expect(w.openCases).toEqual(['c'])
    expect(w.fails('a')).toEqual([
      'step.attempt_failed a 1 provider_error',
      'step.failed a provider_error',
      'run.failed',
    ])
    expect(w.state).toMatchObject({ status: 'failed', failedStep: 'a', failure: { code: 'provider_error' } })
    expect([w.step('b').phase, w.step('c').phase]).toEqual(['cancelled', 'cancelled'])
    expect(w.openCases).toEqual([])
  })

  it('continue: the failure is a result', () => {
    const w = new World(workflow({ a: { ...find, on_failure: 'continue' } }), TOOLS)
    w.start()
    expect(w.fails('a', PERMANENT)).toEqual([
      'step.attempt_failed a 1 bad_request',
      'step.failed a bad_request',
      'run.completed',
    ])
    expect(w.state.status).toBe('completed')
  })

  it('given up at the desk: the run fails', () => {
    const w = new World(workflow({ a: find }), TOOLS)
    w.start()
    w.fails('a')
    expect(w.fail('a', { reason: 'no use' })).toEqual([
      'escalation.resolved a fail',
      'step.failed a failed_by_operator',
      'run.failed',
    ])
    expect(w.state.failure).toMatchObject({ code: 'failed_by_operator', message: 'no use' })
    expect(w.openCases).toEqual([])
  })

  it('skipped at the desk: the run goes on without it', () => {
    const w = new World(workflow({ a: find, b: { value: 1, needs: ['a'] } }), TOOLS)
    w.start()
    w.fails('a')
    expect(w.skip('a')).toEqual([
      'escalation.resolved a skip',
      'step.skipped a operator',
      'step.skipped b needs',
      'run.completed',
    ])
  })
})
