// needs, if and skips: what waits for what, and what is not run at all.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { describe, expect, it } from 'vitest'
import { moduleTool, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const find = { tool: 'find' }

describe('the order of steps', () => {
  it('is a diamond: both sides at once, the join after both', () => {
    const w = new World(
      workflow({
        top: find,
        left: { ...find, needs: ['top'] },
        right: { tool: 'find', with: { x: '${{ steps.top.output }}' } },
        join: { value: ['${{ steps.left.output }}', '${{ steps.right.output }}'] },
      }),
      TOOLS,
    )
    expect(w.start()).toEqual(['run.started', 'step.dispatched top 1.1'])
    expect(w.done('top')).toEqual(['step.completed top', 'step.dispatched left 1.1', 'step.dispatched right 1.1'])
    expect(w.done('right', 'R')).toEqual(['step.completed right'])
    expect(w.done('left', 'L')).toEqual(['step.completed left', 'step.completed join', 'run.completed'])
    expect(w.output('join')).toEqual(['L', 'R'])
  })

  it('does not hold what needs nothing', () => {
    const w = new World(workflow({ a: find, b: find }), TOOLS)
    expect(w.start()).toEqual(['run.started', 'step.dispatched a 1.1', 'step.dispatched b 1.1'])
  })

  it('skips what needs a skipped step, all the way down', () => {
    const w = new World(
      workflow({
        a: { ...find, if: '${{ input.yes }}' },
        b: { ...find, needs: ['a'] },
        c: { value: '${{ steps.b.output }}' },
        d: { value: 'apart' },
      }),
      TOOLS,
    )
    expect(w.start({ yes: false })).toEqual([
      'run.started',
      'step.skipped a if',
      'step.skipped b needs',
      'step.skipped c needs',
      'step.completed d',
      'run.completed',
    ])
    expect(w.values.value(w.state.output)).toEqual({ a: null, b: null, c: null, d: 'apart' })
  })

  it('skips a join when one side was skipped, but only when the other has ended', () => {
    const w = new World(workflow({ a: { ...find, if: false }, b: find, join: { value: 1, needs: ['a', 'b'] } }), TOOLS)
    expect(w.start()).toEqual(['run.started', 'step.skipped a if', 'step.dispatched b 1.1'])
    expect(w.done('b')).toEqual(['step.completed b', 'step.skipped join needs', 'run.completed'])
  })

  it('runs what needs a step that failed and was let go on', () => {
    const w = new World(
      workflow({
        a: { ...find, retry: { attempts: 1 }, on_failure: 'continue' },
        b: { value: '${{ steps.a.status }}', needs: ['a'] },
      }),
      TOOLS,
    )
    w.start()
    expect(w.fails('a')).toEqual([
      'step.attempt_failed a 1 provider_error',
      'step.failed a provider_error',
      'step.completed b',
      'run.completed',
    ])
  })

  it.each([
    ['is no true or false', { yes: 'yes' }, 'gives "yes", not true or false'],
    ['cannot be evaluated', {}, 'steps.a.if'],
  ])('opens a case when a condition %s', (_, input, message) => {
    const w = new World(workflow({ a: { ...find, if: '${{ input.yes }}' } }), TOOLS)
    expect(w.start(input)).toEqual(['run.started', 'step.escalated a permanent_failure'])
    expect(w.step('a').failure?.message).toContain(message)
  })

  it('lets a person skip a step before its time, and what needs it with it', () => {
    const w = new World(workflow({ a: find, b: { ...find, needs: ['a'] }, c: { ...find, needs: ['b'] } }), TOOLS)
    w.start()
    expect(w.skip('b')).toEqual(['step.skipped b operator', 'step.skipped c needs'])
    expect(w.done('a')).toEqual(['step.completed a', 'run.completed'])
  })

  it('lets a person give the output of a step before its time', () => {
    const w = new World(
      workflow({ a: find, b: { ...find, needs: ['a'] }, c: { value: '${{ steps.b.output }}' } }),
      TOOLS,
    )
    w.start()
    expect(w.override('b', 7)).toEqual(['step.overridden b', 'step.completed c'])
    expect(w.done('a')).toEqual(['step.completed a', 'run.completed'])
    expect(w.output('c')).toBe(7)
  })
})
