// Scenarios: joins that do not wait for all, needs that may be skipped, and values in the place of a failure.
import { describe, expect, it } from 'vitest'
import { moduleTool, PERMANENT, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const make = (steps: Parameters<typeof workflow>[0]) => new World(workflow(steps), TOOLS)

describe('join any', () => {
  const any = (list: number[]) =>
    make({ s: { each: { in: list, join: 'any' }, tool: 'find', with: { n: '${{ item }}' } } })

  it('takes the first that completes and cancels the others', () => {
    const w = any([1, 2, 3])
    w.start()
    w.fails('s[0]', PERMANENT)
    expect(w.done('s[2]', 'third')).toEqual(['step.completed s[2]', 'step.completed s', 'run.completed'])
    expect(w.output('s')).toEqual({ index: 2, output: 'third' })
    expect(w.step('s[1]').phase).toBe('cancelled')
  })

  it('fails when none can complete any more, and a retry tries all again', () => {
    const w = any([1, 2])
    w.start()
    w.fails('s[0]', PERMANENT)
    expect(w.fails('s[1]', PERMANENT)).toContain('step.escalated s permanent_failure')
    expect(w.step('s').failure?.code).toBe('each_failed')
    expect(w.retry('s')).toEqual([
      'escalation.resolved s retry',
      'step.retried s',
      'step.dispatched s[0] 2.1',
      'step.dispatched s[1] 2.1',
    ])
    w.done('s[1]', 'at last')
    expect(w.output('s')).toEqual({ index: 1, output: 'at last' })
  })

  it('of an empty list fails', () => {
    const w = make({ s: { each: { in: '${{ input }}', join: 'any' }, tool: 'find' } })
    expect(w.start([])).toContain('step.escalated s permanent_failure')
  })
})

describe('join atLeast', () => {
  it('ends with enough, and says what became of each', () => {
    const w = make({ s: { each: { in: [1, 2, 3, 4], join: { atLeast: 2 }, concurrency: 3 }, tool: 'find' } })
    w.start()
    w.done('s[1]', 'b')
    w.fails('s[0]', PERMANENT)
    expect(w.done('s[2]', 'c')).toContain('run.completed')
    expect(w.output('s')).toMatchObject([
      { status: 'failed' },
      { status: 'completed', output: 'b' },
      { status: 'completed', output: 'c' },
      { status: 'cancelled', output: null },
    ])
  })
})

describe('needs_any', () => {
  const diamond = (b: boolean, c: boolean) =>
    make({
      b: { if: b, value: 'b' },
      c: { if: c, value: 'c' },
      d: { needs_any: ['b', 'c'], value: ['${{ steps.b.output }}', '${{ steps.c.output }}'] },
    })

  it.each([
    [true, true, ['b', 'c']],
    [true, false, ['b', null]],
    [false, true, [null, 'c']],
  ])('runs with b %s and c %s', (b, c, output) => {
    const w = diamond(b, c)
    w.start()
    expect(w.output('d')).toEqual(output)
  })

  it('is skipped when none has completed', () => {
    const w = diamond(false, false)
    w.start()
    expect(w.step('d').phase).toBe('skipped')
  })
})

describe('on_failure use', () => {
  it('is the output of the failed step, and of a failed item', () => {
    const w = make({
      one: { tool: 'find', on_failure: { use: 'nothing' } },
      many: { each: { in: [1, 2] }, tool: 'find', on_failure: { use: 0 } },
      all: { value: ['${{ steps.one.output }}', '${{ steps.many.output }}', '${{ steps.one.status }}'] },
    })
    w.start()
    w.fails('one', PERMANENT)
    w.fails('many[0]', PERMANENT)
    w.done('many[1]', 5)
    expect(w.output('all')).toEqual(['nothing', [0, 5], 'failed'])
  })
})
