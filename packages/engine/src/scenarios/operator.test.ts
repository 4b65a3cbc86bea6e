// What a person may do to a step, and what is refused with the reason.
import { describe, expect, it } from 'vitest'
import { MODEL, moduleTool, PERMANENT, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const find = { tool: 'find', with: { x: 1 } }
const world = () => {
  const w = new World(workflow({ a: find, b: { llm: { model: MODEL, prompt: 'p' } }, c: { wait: '1h' } }), TOOLS)
  w.start()
  return w
}
const refusal = (w: World) => (w.verdict.status === 'refused' ? w.verdict.code : w.verdict.status)

describe('retry', () => {
  it('with another input goes out under a new effect key, again and again', () => {
    const w = world()
    w.fails('a', PERMANENT)
    w.retry('a', { edit: { with: { x: 2 } } })
    expect([w.inputOf('a'), w.task('a').effectKey]).toEqual([{ tool: 'find', with: { x: 2 } }, 'default/r1/a~2'])
    w.fails('a', PERMANENT)
    w.retry('a')
    expect([w.inputOf('a'), w.task('a').effectKey]).toEqual([{ tool: 'find', with: { x: 2 } }, 'default/r1/a~2'])
    w.fails('a', PERMANENT)
    w.retry('a', { edit: { with: { x: 3 } } })
    expect([w.inputOf('a'), w.task('a').effectKey]).toEqual([{ tool: 'find', with: { x: 3 } }, 'default/r1/a~3'])
  })

  it('keeps the edit over a load', () => {
    const w = world()
    w.fails('a', PERMANENT)
    w.retry('a', { edit: { with: { x: 2 } } })
    w.reload('snapshot')
    expect(w.loses('a')).toContain('step.dispatched a 2.2')
    expect([w.inputOf('a'), w.task('a').effectKey]).toEqual([{ tool: 'find', with: { x: 2 } }, 'default/r1/a~2'])
  })

  it.each([
    ['a', { prompt: 'q' }],
    ['a', { model: 'openai/gpt-5-mini' }],
    ['b', { with: { x: 2 } }],
    ['a', { with: { x: { $secret: 'KEY' } } }],
  ])('of %s refuses the edit %j', (path, edit) => {
    const w = world()
    w.fails(path, PERMANENT)
    expect(w.retry(path, { edit })).toEqual([])
    expect(refusal(w)).toBe('bad_request')
    expect(w.step(path).phase).toBe('escalated')
  })

  it('is refused while the step runs, waits, or has not begun', () => {
    const w = new World(workflow({ a: find, c: { wait: '1h' }, d: { ...find, needs: ['c'] } }), TOOLS)
    w.start()
    const codes = ['a', 'c', 'd', 'e'].map((path) => {
      w.retry(path)
      return refusal(w)
    })
    expect(codes).toEqual(['step_in_flight', 'step_not_waiting', 'step_not_waiting', 'unknown_step'])
  })
})

describe('skip and override', () => {
  it('take a step out of the hands of its worker', () => {
    const w = world()
    expect(w.skip('a')).toEqual(['step.skipped a operator'])
    expect(w.override('b', 'text')).toEqual(['step.overridden b'])
    expect(w.state.counts.scheduled).toBe(0)
    expect(w.fails('a')).toEqual([])
    expect(w.done('b', 'other')).toEqual(['cost.noted b 1.1'])
    expect(w.output('b')).toBe('text')
  })

  it('do not wait for a backoff', () => {
    const w = world()
    w.fails('a')
    expect(w.skip('a')).toEqual(['step.skipped a operator'])
    expect(w.wake({}, 100_000)).toEqual([])
  })

  it('are refused for a step that has ended', () => {
    const w = world()
    w.done('a')
    w.skip('a')
    expect(refusal(w)).toBe('step_ended')
    w.override('a', 1)
    expect(refusal(w)).toBe('step_ended')
  })

  it('of an item end that item alone', () => {
    const w = new World(workflow({ a: { ...find, each: { in: [1, 2, 3] } } }), TOOLS)
    w.start()
    expect(w.skip('a[0]')).toEqual(['step.skipped a[0] operator'])
    expect(w.override('a[1]', 'two')).toEqual(['step.overridden a[1]'])
    expect(w.done('a[2]', 'three')).toEqual(['step.completed a[2]', 'step.completed a', 'run.completed'])
    expect(w.output('a')).toEqual([null, 'two', 'three'])
  })
})

describe('a case', () => {
  it('is decided once: who comes later with its id is refused', () => {
    const w = world()
    w.fails('a', PERMANENT)
    const id = w.step('a').case?.id ?? ''
    w.retry('a', { case: id })
    w.fails('a', PERMANENT)
    for (const late of [
      () => w.retry('a', { case: id }),
      () => w.skip('a', { case: id }),
      () => w.fail('a', { case: id }),
    ]) {
      expect(late()).toEqual([])
      expect(refusal(w)).toBe('case_closed')
    }
    expect(w.step('a').case?.id).not.toBe(id)
    expect(w.fail('a', { case: w.step('a').case?.id })).toContain('run.failed')
  })

  it('is needed to give a step up', () => {
    const w = world()
    expect(w.fail('a')).toEqual([])
    expect(refusal(w)).toBe('step_not_waiting')
  })

  it('is needed to approve', () => {
    const w = world()
    expect(w.approve('a')).toEqual([])
    expect(refusal(w)).toBe('step_not_waiting')
  })
})

describe('a run that never started', () => {
  it('refuses everything but its start', () => {
    const w = new World(workflow({ a: find }), TOOLS)
    expect(w.run('cancel')).toEqual([])
    expect(refusal(w)).toBe('unknown_run')
    expect(w.start()).toHaveLength(2)
    expect(w.start()).toEqual([])
  })
})
