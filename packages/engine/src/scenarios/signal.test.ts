// A signal comes from outside, before or after somebody waits for it; each is consumed once, first in first out.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { describe, expect, it } from 'vitest'
import { workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

describe('signal', () => {
  it('ends the step that waits for it, with its payload', () => {
    const w = new World(workflow({ a: { signal: 'go' } }))
    expect(w.start()).toEqual(['run.started', 'step.opened a signal'])
    expect(w.state.status).toBe('waiting')
    expect(w.signal('go', { n: 1 })).toEqual(['signal.received go', 'step.completed a', 'run.completed'])
    expect(w.output('a')).toEqual({ n: 1 })
  })

  it('that came before is kept until it is waited for', () => {
    const w = new World(workflow({ a: { wait: '1m' }, b: { signal: 'go', needs: ['a'] } }))
    w.start()
    expect(w.signal('go', 1)).toEqual(['signal.received go'])
    expect(w.wake()).toEqual(['step.completed a', 'step.opened b signal', 'step.completed b', 'run.completed'])
  })

  it('of another name is not taken', () => {
    const w = new World(workflow({ a: { signal: '${{ input }}' } }))
    w.start('go')
    expect(w.signal('stop', 1)).toEqual(['signal.received stop'])
    expect(w.signal('go', 2)).toContain('step.completed a')
  })

  it('is consumed once, in the order they came and the steps began to wait', () => {
    const w = new World(workflow({ a: { signal: 'go' }, b: { signal: 'go' }, c: { wait: '1m' } }))
    w.start()
    expect(w.signal('go', 'first')).toEqual(['signal.received go', 'step.completed a'])
    expect(w.signal('go', 'second')).toEqual(['signal.received go', 'step.completed b'])
    expect([w.output('a'), w.output('b')]).toEqual(['first', 'second'])
    w.signal('go', 'nobody waits')
    expect(w.state.signals.get('go')?.length).toBe(1)
  })

  it('buffered twice serves two steps, first in first out', () => {
    const w = new World(
      workflow({ s: { wait: '1m' }, a: { signal: 'go', needs: ['s'] }, b: { signal: 'go', needs: ['a'] } }),
    )
    w.start()
    w.signal('go', 1)
    w.signal('go', 2)
    w.reload()
    w.wake()
    expect([w.output('a'), w.output('b')]).toEqual([1, 2])
  })

  it('that does not come in time fails the step', () => {
    const w = new World(workflow({ a: { signal: { name: 'go', timeout: '5m' }, on_failure: 'continue' } }))
    w.start()
    expect(w.wake()).toEqual(['step.failed a signal_timeout', 'run.completed'])
    expect(w.nowMs).toBe(301_000)
  })

  it('that came too late serves the retry', () => {
    const w = new World(workflow({ a: { signal: { name: 'go', timeout: '5m' } } }))
    w.start()
    expect(w.wake()).toEqual(['step.escalated a permanent_failure'])
    expect(w.signal('go', 1)).toEqual(['signal.received go'])
    expect(w.retry('a')).toEqual([
      'escalation.resolved a retry',
      'step.retried a',
      'step.opened a signal',
      'step.completed a',
      'run.completed',
    ])
  })

  it('is waited for after a load as before', () => {
    const w = new World(workflow({ a: { signal: 'go' } }))
    w.start()
    w.reload('snapshot')
    expect(w.signal('go', 1)).toContain('step.completed a')
  })
})
