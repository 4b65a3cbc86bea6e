// Deliveries: a lost worker costs one, an attempt it does not; a step that kills its workers is poison.
import { describe, expect, it } from 'vitest'
import { moduleTool, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const world = () => new World(workflow({ a: { tool: 'find' } }), TOOLS)

describe('deliveries', () => {
  it('go out again at once when the worker died', () => {
    const w = world()
    w.start()
    expect(w.loses('a')).toEqual(['step.lost a 1.1 worker', 'step.dispatched a 1.2'])
    expect(w.step('a').attempts).toMatchObject([{ attempt: 1, delivery: 2, losses: 1 }])
  })

  it('the third loss is poison: the step is taken from the workers', () => {
    const w = world()
    w.start()
    w.loses('a')
    w.loses('a')
    expect(w.loses('a')).toEqual(['step.attempt_failed a 1 poison_step', 'step.escalated a poison_step'])
    expect(w.state.counts.scheduled).toBe(0)
  })

  it('a loss of what is not out any more changes nothing', () => {
    const w = world()
    w.start()
    w.loses('a')
    expect(w.loses('a', { delivery: 1 })).toEqual([])
    w.done('a')
    expect(w.loses('a')).toEqual([])
  })

  it('given back unbegun wait as long as they were told, and cost no attempt', () => {
    const w = world()
    w.start()
    expect(w.releases('a', 20_000)).toEqual(['step.lost a 1.1 released'])
    expect(w.step('a')).toMatchObject({ phase: 'retrying', heldWhy: 'circuit open', notBeforeMs: 21_000 })
    expect(w.wake({}, 20_999)).toEqual([])
    expect(w.wake()).toEqual(['step.dispatched a 1.2'])
  })

  it('given back by a worker that drains go out at once', () => {
    const w = world()
    w.start()
    expect(w.releases('a', 0)).toEqual(['step.lost a 1.1 released', 'step.dispatched a 1.2'])
  })

  it('given back are no losses: they never make poison', () => {
    const w = world()
    w.start()
    for (let count = 0; count < 10; count += 1) w.releases('a', 0)
    expect(w.step('a').attempts).toMatchObject([{ attempt: 1, delivery: 11, losses: 0 }])
  })

  it('a failure of an older delivery does not count against the newer one', () => {
    const w = world()
    w.start()
    w.loses('a')
    expect(w.fails('a', undefined, { delivery: 1 })).toEqual([])
    expect(w.step('a').phase).toBe('scheduled')
  })
})
