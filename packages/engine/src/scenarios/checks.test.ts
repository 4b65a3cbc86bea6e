// Checks: what a wake makes of a task that is out. Time runs from the claim, so a backlog times nothing out.
import { describe, expect, it } from 'vitest'
import { dueChecks, wakeAt } from '../state/timers.ts'
import { moduleTool, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const world = (timeout = '60s') => {
  const w = new World(workflow({ a: { tool: 'find', timeout } }), TOOLS)
  w.start()
  return w
}

describe('a check', () => {
  it('comes 15 s after the dispatch, or after the timeout if that is shorter', () => {
    expect(wakeAt(world().state)).toBe(16_000)
    expect(wakeAt(world('3s').state)).toBe(4_000)
  })

  it('names the tasks it will look at', () => {
    const w = world()
    expect(dueChecks(w.state, 15_999)).toEqual([])
    expect(dueChecks(w.state, 16_000)).toEqual(['a'])
  })

  it('of a task that waits in its queue looks again later', () => {
    const w = world()
    expect(w.wake({ a: {} })).toEqual([])
    expect(wakeAt(w.state)).toBe(31_000)
    expect(w.wake({ a: {} }, 10_000_000)).toEqual([])
  })

  it('of a task whose job is gone sends it again', () => {
    const w = world()
    expect(w.wake({ a: { jobMissing: true } })).toEqual(['step.lost a 1.1 queue', 'step.dispatched a 1.2'])
    expect(w.step('a').attempts[0]?.losses).toBe(0)
  })

  it('of a claimed task looks again when its time is over, with 5 s of grace for the report', () => {
    const w = world()
    expect(w.wake({ a: { claimedAtMs: 10_000 } })).toEqual([])
    expect(wakeAt(w.state)).toBe(75_000)
  })

  it('of a task whose worker never answered fails the attempt', () => {
    const w = world()
    expect(w.wake({ a: { claimedAtMs: 10_000 } }, 74_999)).toEqual([])
    expect(w.wake({ a: { claimedAtMs: 10_000 } }, 75_000)).toEqual(['step.attempt_failed a 1 timeout, again'])
  })

  it('of a task that has reported waits for the report', () => {
    const w = world()
    expect(w.wake({ a: { claimedAtMs: 1_000, reported: true } }, 10_000_000)).toEqual([])
    expect(wakeAt(w.state)).toBe(10_005_000)
    expect(w.done('a')).toEqual(['step.completed a', 'run.completed'])
  })

  it('of a task that nothing was seen of looks again', () => {
    const w = world()
    expect(w.wake()).toEqual([])
    expect(wakeAt(w.state)).toBe(31_000)
  })

  it('does not outlive its task', () => {
    const w = world()
    w.fails('a')
    expect(dueChecks(w.state, 10_000_000)).toEqual([])
  })

  it('of a run that was loaded comes at the latest when it would have', () => {
    const w = world()
    w.wake({ a: {} })
    w.reload()
    expect(wakeAt(w.state)).toBe(16_000)
  })
})
