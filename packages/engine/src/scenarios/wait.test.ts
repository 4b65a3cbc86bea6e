// A wait holds no worker: a time is fixed in the journal, and a wake ends it.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { describe, expect, it } from 'vitest'
import { wakeAt } from '../state/timers.ts'
import { workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

describe('wait', () => {
  it('for a duration ends at its time', () => {
    const w = new World(workflow({ a: { wait: '10m' } }))
    expect(w.start()).toEqual(['run.started', 'step.opened a wait'])
    expect(w.state.status).toBe('waiting')
    expect(wakeAt(w.state)).toBe(601_000)
    expect(w.wake({}, 600_999)).toEqual([])
    expect(w.wake()).toEqual(['step.completed a', 'run.completed'])
    expect(w.output('a')).toEqual({ at: '1970-01-01T00:10:01.000Z' })
    expect(wakeAt(w.state)).toBeNull()
  })

  it('for a computed duration', () => {
    const w = new World(workflow({ a: { wait: { for: '${{ input }}s' } } }))
    w.start(30)
    expect(wakeAt(w.state)).toBe(31_000)
  })

  it.each([
    ['an RFC 3339 time', '1970-01-01T01:00:00+00:30', 1_800_000],
    ['epoch milliseconds', 5_000, 5_000],
  ])('until %s', (_, until, atMs) => {
    const w = new World(workflow({ a: { wait: { until: '${{ input }}' } } }))
    w.start(until)
    expect(wakeAt(w.state)).toBe(atMs)
    w.wake()
    expect(w.state.status).toBe('completed')
  })

  it('until a time that is over ends at the next wake', () => {
    const w = new World(workflow({ a: { wait: { until: '1970-01-01T00:00:00Z' } } }))
    w.start()
    expect(w.wake({}, w.nowMs)).toEqual(['step.completed a', 'run.completed'])
  })

  it.each([
    ['for', 'soon', 'a duration such as 10m'],
    ['for', 30, 'a duration such as 10m'],
    ['until', 'tomorrow', 'an RFC 3339 time'],
    ['until', null, 'an RFC 3339 time'],
  ])('%s %j opens a case that says what is wrong', (mode, value, hint) => {
    const w = new World(workflow({ a: { wait: mode === 'for' ? { for: '${{ input }}' } : { until: '${{ input }}' } } }))
    expect(w.start(value)).toEqual(['run.started', 'step.escalated a permanent_failure'])
    expect(w.step('a').failure?.message).toContain(hint)
  })

  it('rings though the run was loaded anew', () => {
    const w = new World(workflow({ a: { wait: '10m' } }))
    w.start()
    w.reload('snapshot')
    expect(wakeAt(w.state)).toBe(601_000)
    expect(w.wake()).toEqual(['step.completed a', 'run.completed'])
  })

  it('of several is woken for the earliest, one after the other', () => {
    const w = new World(workflow({ a: { wait: '${{ item }}m', each: { in: [3, 1, 2] } } }))
    w.start()
    expect(w.wake()).toEqual(['step.completed a[1]'])
    expect(w.wake()).toEqual(['step.completed a[2]'])
    expect(w.wake()).toEqual(['step.completed a[0]', 'step.completed a', 'run.completed'])
  })
})
