// Late answers: the first done of a step counts, from whatever attempt; what comes after it was paid all the same.
import { describe, expect, it } from 'vitest'
import { MODEL, TRANSIENT, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const llm = { llm: { model: MODEL, prompt: 'p' }, timeout: '10s' as const }

describe('late answers', () => {
  it('of a timed-out attempt are taken while the step is unfinished', () => {
    const w = new World(workflow({ a: llm }))
    w.start()
    expect(w.wake({ a: { claimedAtMs: 1_000 } }, 16_000)).toEqual(['step.attempt_failed a 1 timeout, again'])
    w.wake()
    expect(w.step('a').phase).toBe('scheduled')
    expect(w.done('a', 'late', { attempt: 1, delivery: 1 })).toEqual(['step.completed a', 'run.completed'])
    expect(w.output('a')).toBe('late')
  })

  it('of a worker taken for dead are taken before those of the next delivery', () => {
    const w = new World(workflow({ a: llm }))
    w.start()
    w.loses('a')
    expect(w.done('a', 'first', { delivery: 1 })).toEqual(['step.completed a', 'run.completed'])
  })

  it('close an open case', () => {
    const w = new World(workflow({ a: { ...llm, retry: { attempts: 1 } } }))
    w.start()
    expect(w.wake({ a: { claimedAtMs: 1_000 } }, 16_000)).toEqual([
      'step.attempt_failed a 1 timeout',
      'step.escalated a max_retries_exceeded',
    ])
    expect(w.done('a', 'late')).toEqual(['escalation.resolved a late_result', 'step.completed a', 'run.completed'])
    expect(w.openCases).toEqual([])
  })

  it('of the attempt before are noted with their cost when the step has ended', () => {
    const w = new World(workflow({ a: llm, b: { wait: '1h' } }))
    w.start()
    w.loses('a')
    w.done('a', 'second')
    expect(w.done('a', 'first', { delivery: 1 })).toEqual(['cost.noted a 1.1'])
    expect(w.output('a')).toBe('second')
    expect(w.state.cost.calls).toBe(2)
  })

  it('are noted once, however often they come', () => {
    const w = new World(workflow({ a: llm, b: { wait: '1h' } }))
    w.start()
    w.loses('a')
    w.done('a', 'second')
    w.done('a', 'first', { delivery: 1 })
    expect(w.done('a', 'first', { delivery: 1 })).toEqual([])
    expect(w.done('a', 'second')).toEqual([])
    expect(w.state.cost.calls).toBe(2)
  })

  it('that failed are noted too: they were paid', () => {
    const w = new World(workflow({ a: llm }))
    w.start()
    w.loses('a')
    expect(w.fails('a', TRANSIENT, { delivery: 1 })).toEqual(['cost.noted a 1.1'])
    expect(w.step('a').phase).toBe('scheduled')
  })

  it('after the end of the run are noted and change nothing', () => {
    const w = new World(workflow({ a: llm }))
    w.start()
    w.run('cancel')
    expect(w.done('a', 'late')).toEqual(['cost.noted a 1.1'])
    expect(w.state).toMatchObject({ status: 'cancelled', cost: { calls: 1 } })
    expect(w.step('a').output).toBeNull()
  })

  it('that cost nothing leave no trace', () => {
    const w = new World(workflow({ a: { tool: 'http', with: { url: 'u' } } }))
    w.start()
    w.run('cancel')
    expect(w.done('a', 'late')).toEqual([])
  })

  it('of steps that nobody knows are dropped', () => {
    const w = new World(workflow({ a: llm }))
    w.start()
    expect(w.done('other', 'x')).toEqual([])
    expect(w.done('a', 'x', { attempt: 7 })).toEqual([])
  })
})
