// A gate: a person approves a step before it runs, and may change what it is given.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { describe, expect, it } from 'vitest'
import { moduleTool, PERMANENT, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('pay', 'once')] }
const pay = { tool: 'pay', with: { amount: '${{ input }}' }, gate: true }

describe('gate', () => {
  it('asks before anything goes out, and shows what would', () => {
    const w = new World(workflow({ a: pay }), TOOLS)
    expect(w.start(5)).toEqual(['run.started', 'approval.asked a gate'])
    expect(w.tasks).toEqual([])
    expect(w.notices).toMatchObject([
      { type: 'opened', reason: 'irreversible_action', kind: 'tool', input: { tool: 'pay', with: { amount: 5 } } },
    ])
  })

  it('approved, lets the step run', () => {
    const w = new World(workflow({ a: pay }), TOOLS)
    w.start(5)
    expect(w.approve('a')).toEqual(['approval.given a yes', 'step.dispatched a 1.1'])
    expect(w.done('a', 'paid')).toEqual(['step.completed a', 'run.completed'])
    expect(w.openCases).toEqual([])
  })

  it('approved with edits, runs with those in place of its input, under its first effect key', () => {
    const w = new World(workflow({ a: pay }), TOOLS)
    w.start(5)
    w.approve('a', { edits: { amount: 4 } })
    expect(w.inputOf('a')).toEqual({ tool: 'pay', with: { amount: 4 } })
    expect(w.task('a').effectKey).toBe('default/r1/a')
  })

  it('rejected, fails the step and the run: a person has decided, no case asks again', () => {
    const w = new World(workflow({ a: pay, b: { wait: '1h' } }), TOOLS)
    w.start(5)
    expect(w.approve('a', { approved: false, reason: 'too much' })).toEqual([
      'approval.given a no',
      'step.failed a gate_rejected',
      'run.failed',
    ])
    expect(w.state.failure).toMatchObject({ code: 'gate_rejected', message: 'too much' })
    expect(w.state.failedStep).toBe('a')
    expect(w.step('b').phase).toBe('cancelled')
    expect(w.openCases).toEqual([])
  })

  it('rejected, is a result where failures are', () => {
    const w = new World(workflow({ a: { ...pay, on_failure: 'continue' } }), TOOLS)
    w.start(5)
    expect(w.approve('a', { approved: false })).toEqual([
      'approval.given a no',
      'step.failed a gate_rejected',
      'run.completed',
    ])
  })

  it('is asked once: a retry after a failure runs under the same approval', () => {
    const w = new World(workflow({ a: pay }), TOOLS)
    w.start(5)
    w.approve('a')
    w.fails('a', PERMANENT)
    expect(w.retry('a')).toEqual(['escalation.resolved a retry', 'step.retried a', 'step.dispatched a 2.1'])
  })

  it('stands before each item of its own', () => {
    const w = new World(workflow({ a: { ...pay, with: { amount: '${{ item }}' }, each: { in: [1, 2] } } }), TOOLS)
    expect(w.start()).toEqual([
      'run.started',
      'step.opened a each',
      'approval.asked a[0] gate',
      'approval.asked a[1] gate',
    ])
    expect(w.approve('a[1]')).toEqual(['approval.given a[1] yes', 'step.dispatched a[1] 1.1'])
  })

  it.each(['skip', 'override'] as const)('is closed when the step is %s', (action) => {
    const w = new World(workflow({ a: pay }), TOOLS)
    w.start(5)
    const news = action === 'skip' ? w.skip('a') : w.override('a', 'by hand')
    expect(news[0]).toBe(`escalation.resolved a ${action}`)
    expect(w.state.status).toBe('completed')
    expect(w.openCases).toEqual([])
  })
})
