// Checks: what a wake makes of a task that is out. Time runs from the claim, so a backlog times nothing out.
import { describe, expect, it } from 'vitest'
import { dueChecks, FIRST_CHECK_MS, NEXT_CHECK_MS, TIMEOUT_GRACE_MS, wakeAt } from '../state/timers.ts'
import { moduleTool, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const world = (timeout = '60s') => {
  const w = new World(workflow({ a: { tool: 'find', timeout } }), TOOLS)
  w.start()
  return w
}

describe('a check', () => {
  it('comes soon after the dispatch, or after the timeout if that is shorter', () => {
    expect(wakeAt(world().state)).toBe(1_000 + FIRST_CHECK_MS)
    expect(wakeAt(world('3s').state)).toBe(4_000)
  })

  it('names the tasks it will look at', () => {
    const w = world()
    expect(dueChecks(w.state, 999 + FIRST_CHECK_MS)).toEqual([])
    expect(dueChecks(w.state, 1_000 + FIRST_CHECK_MS)).toEqual(['a'])
  })

  it('of a task that waits in its queue looks again later', () => {
    const w = world()
    expect(w.wake({ a: {} })).toEqual([])
    expect(wakeAt(w.state)).toBe(w.nowMs + NEXT_CHECK_MS)
    expect(w.wake({ a: {} }, 10_000_000)).toEqual([])
  })

  it('of a task whose job is gone sends it again', () => {
    const w = world()
    expect(w.wake({ a: { jobMissing: true } })).toEqual(['step.lost a 1.1 queue', 'step.dispatched a 1.2'])
    expect(w.step('a').attempts[0]?.losses).toBe(0)
  })

  it('of a claimed task looks again when its time is over, with some grace for the report', () => {
    const w = world()
    expect(w.wake({ a: { claimedAtMs: 10_000 } })).toEqual([])
    expect(wakeAt(w.state)).toBe(70_000 + TIMEOUT_GRACE_MS)
  })

  it('of a task whose worker never answered fails the attempt', () => {
    const w = world()
    expect(w.wake({ a: { claimedAtMs: 10_000 } }, 69_999 + TIMEOUT_GRACE_MS)).toEqual([])
    expect(w.wake({ a: { claimedAtMs: 10_000 } }, 70_000 + TIMEOUT_GRACE_MS)).toEqual([
      'step.attempt_failed a 1 timeout, again',
    ])
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
    expect(wakeAt(w.state)).toBe(w.nowMs + NEXT_CHECK_MS)
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
    expect(wakeAt(w.state)).toBe(1_000 + FIRST_CHECK_MS)
  })
})
