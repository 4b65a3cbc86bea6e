// each: a step over a list, its items side by side, their outputs gathered in the order of the list.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { LIMITS } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { moduleTool, PERMANENT, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const find = { tool: 'find', with: { q: '${{ item }}', n: '${{ index }}' }, retry: { attempts: 1 } }

describe('each', () => {
  it('runs its items side by side and gives their outputs in input order', () => {
    const w = new World(workflow({ a: { ...find, each: '${{ input }}' } }), TOOLS)
    expect(w.start(['x', 'y'])).toEqual([
      'run.started',
      'step.opened a each',
      'step.dispatched a[0] 1.1',
      'step.dispatched a[1] 1.1',
    ])
    expect(w.inputOf('a[1]')).toEqual({ tool: 'find', with: { q: 'y', n: 1 } })
    expect(w.done('a[1]', 'Y')).toEqual(['step.completed a[1]'])
    expect(w.done('a[0]', 'X')).toEqual(['step.completed a[0]', 'step.completed a', 'run.completed'])
    expect(w.output('a')).toEqual(['X', 'Y'])
  })

  it('keeps to its concurrency, after a load too', () => {
    const w = new World(workflow({ a: { ...find, each: { in: [1, 2, 3, 4], concurrency: 2 } } }), TOOLS)
    expect(w.start().slice(2)).toEqual(['step.dispatched a[0] 1.1', 'step.dispatched a[1] 1.1'])
    expect(w.done('a[1]')).toEqual(['step.completed a[1]', 'step.dispatched a[2] 1.1'])
    w.reload()
    expect(w.done('a[0]')).toEqual(['step.completed a[0]', 'step.dispatched a[3] 1.1'])
    expect(w.state.counts.scheduled).toBe(2)
  })

  it('names its item as it is told', () => {
    const w = new World(workflow({ a: { value: '${{ q }}${{ index }}', each: { in: ['x', 'y'], as: 'q' } } }))
    w.start()
    expect(w.output('a')).toEqual(['x0', 'y1'])
  })

  it('over nothing gives nothing', () => {
    const w = new World(workflow({ a: { ...find, each: { in: [] } } }), TOOLS)
    expect(w.start()).toEqual(['run.started', 'step.opened a each', 'step.completed a', 'run.completed'])
    expect(w.output('a')).toEqual([])
  })

  it('over what is no list opens a case', () => {
    const w = new World(workflow({ a: { ...find, each: '${{ input }}' } }), TOOLS)
    expect(w.start('no list')).toEqual(['run.started', 'step.escalated a permanent_failure'])
    expect(w.step('a').failure).toMatchObject({ code: 'each_failed', message: expect.stringContaining('"no list"') })
  })

  it('over too many says the limit', () => {
    const list = Array.from({ length: LIMITS.eachItems + 1 }, () => 0)
    const w = new World(workflow({ a: { value: 1, each: '${{ input }}', on_failure: 'continue' } }))
    expect(w.start(list)).toEqual(['run.started', 'step.failed a limit_exceeded', 'run.completed'])
    expect(w.step('a').failure?.message).toContain('10001')
  })

  it('all: an item that fails opens a case of its own, and its siblings go on', () => {
    const w = new World(workflow({ a: { ...find, each: { in: [1, 2] } } }), TOOLS)
    w.start()
    expect(w.fails('a[0]')).toEqual([
      'step.attempt_failed a[0] 1 provider_error',
      'step.escalated a[0] max_retries_exceeded',
    ])
    expect(w.state.status).toBe('running')
    w.done('a[1]', 'two')
    expect(w.state.status).toBe('escalated')
    expect(w.override('a[0]', 'one')).toEqual([
      'escalation.resolved a[0] override',
      'step.overridden a[0]',
      'step.completed a',
      'run.completed',
    ])
    expect(w.output('a')).toEqual(['one', 'two'])
  })

  it('settled: failures are results', () => {
    const w = new World(workflow({ a: { ...find, each: { in: [1, 2], join: 'settled' } } }), TOOLS)
    w.start()
    expect(w.fails('a[0]', PERMANENT)).toEqual([
      'step.attempt_failed a[0] 1 bad_request',
      'step.failed a[0] bad_request',
    ])
    w.done('a[1]', 'two')
    expect(w.output('a')).toEqual([
      { status: 'failed', output: null, error: { code: 'bad_request', class: 'permanent', message: 'it cannot work' } },
      { status: 'completed', output: 'two', error: null },
    ])
  })

  it('on_failure fail: the first item that fails ends the run', () => {
    const w = new World(workflow({ a: { ...find, each: { in: [1, 2] }, on_failure: 'fail' } }), TOOLS)
    w.start()
    expect(w.fails('a[0]')).toEqual([
      'step.attempt_failed a[0] 1 provider_error',
      'step.failed a[0] provider_error',
      'step.failed a provider_error',
      'run.failed',
    ])
    expect(w.step('a[1]').phase).toBe('cancelled')
  })

  it('on_failure continue: an item that fails leaves a null', () => {
    const w = new World(workflow({ a: { ...find, each: { in: [1, 2] }, on_failure: 'continue' } }), TOOLS)
    w.start()
    w.fails('a[0]')
    w.done('a[1]', 'two')
    expect(w.output('a')).toEqual([null, 'two'])
  })

  it('skipped as a whole cancels what is out and closes the cases inside', () => {
    const w = new World(workflow({ a: { ...find, each: { in: [1, 2, 3], concurrency: 2 } } }), TOOLS)
    w.start()
    w.fails('a[0]')
    expect(w.openCases).toEqual(['a[0]'])
    expect(w.skip('a')).toEqual(['step.skipped a operator', 'run.completed'])
    expect([w.step('a[0]').phase, w.step('a[1]').phase, w.state.steps.has('a[2]')]).toEqual([
      'cancelled',
      'cancelled',
      false,
    ])
    expect(w.openCases).toEqual([])
  })

  it('looks at its condition once, before its items', () => {
    const w = new World(workflow({ a: { ...find, each: '${{ input.list }}', if: '${{ input.yes }}' } }), TOOLS)
    expect(w.start({ list: [1], yes: false })).toEqual(['run.started', 'step.skipped a if', 'run.completed'])
  })
})
