// Scenarios: a step again and again.
import { describe, expect, it } from 'vitest'
import { moduleTool, PERMANENT, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const make = (steps: Parameters<typeof workflow>[0]) => new World(workflow(steps), TOOLS)

describe('repeat', () => {
  const loop = (more: object = {}) =>
    make({
      s: {
        repeat: { until: '${{ output >= 2 && previous != null }}', max: 3 },
        tool: 'find',
        with: { last: '${{ previous }}' },
        ...more,
      },
    })

  it('ends when `until` is true, with the last output', () => {
    const w = loop()
    expect(w.start()).toEqual(['run.started', 'step.opened s repeat', 'step.dispatched s/iter-1 1.1'])
    expect(w.inputOf('s/iter-1')).toEqual({ tool: 'find', with: { last: null } })
    expect(w.done('s/iter-1', 5)).toEqual(['step.completed s/iter-1', 'step.dispatched s/iter-2 1.1'])
    expect(w.inputOf('s/iter-2')).toEqual({ tool: 'find', with: { last: 5 } })
    w.done('s/iter-2', 2)
    expect(w.output('s')).toBe(2)
  })

  it('completes after `max`, or fails when it is told to', () => {
    const w = loop()
    w.start()
    for (const n of [1, 2, 3]) w.done(`s/iter-${n}`, 0)
    expect(w.output('s')).toBe(0)
    const strict = make({ s: { repeat: { until: '${{ output }}', max: 1, on_max: 'fail' }, value: false } })
    expect(strict.start()).toContain('step.escalated s permanent_failure')
    expect(strict.step('s').failure?.code).toBe('max_iterations_exceeded')
  })

  it('repeats each item by itself', () => {
    const w = make({ s: { each: { in: [1, 2] }, repeat: { max: 2 }, value: '${{ item }}${{ previous }}' } })
    w.start()
    expect(w.output('s')).toEqual(['11', '22'])
  })

  it('opens a case at the iteration that failed, and goes on from there', () => {
    const w = loop()
    w.start()
    w.done('s/iter-1', 1)
    expect(w.fails('s/iter-2', PERMANENT)).toContain('step.escalated s/iter-2 permanent_failure')
    w.reload()
    w.override('s/iter-2', 9)
    expect(w.output('s')).toBe(9)
  })

  it('fails as a whole by its policy', () => {
    const w = loop({ on_failure: 'continue' })
    w.start()
    expect(w.fails('s/iter-1', PERMANENT).slice(1)).toEqual([
      'step.failed s/iter-1 bad_request',
      'step.failed s bad_request',
      'run.completed',
    ])
  })

  it('says what is wrong with an `until` that gives no yes or no', () => {
    const w = make({ s: { repeat: { until: '${{ output }}', max: 3 }, value: 'text' } })
    expect(w.start()).toContain('step.escalated s permanent_failure')
    expect(w.step('s').failure?.message).toContain('steps.s.repeat.until')
  })
})
