// A paused run begins nothing new; what was out is recorded; resuming looks at everything.
import { describe, expect, it } from 'vitest'
import { moduleTool, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const find = { tool: 'find' }

describe('pause', () => {
  it('records what was out, begins nothing, and goes on when resumed', () => {
    const w = new World(workflow({ a: find, b: { ...find, needs: ['a'] } }), TOOLS)
    w.start()
    expect(w.run('pause', 'lunch')).toEqual(['run.paused'])
    expect(w.state).toMatchObject({ status: 'paused', paused: { by: 'ann', reason: 'lunch', atMs: 1_000 } })
    expect(w.done('a')).toEqual(['step.completed a'])
    expect(w.run('resume')).toEqual(['run.resumed', 'step.dispatched b 1.1'])
    expect(w.state.status).toBe('running')
  })

  it('keeps a failure undecided, and settles it when resumed', () => {
    const w = new World(workflow({ a: { ...find, retry: { attempts: 1 } } }), TOOLS)
    w.start()
    w.run('pause')
    expect(w.fails('a')).toEqual(['step.attempt_failed a 1 provider_error'])
    expect(w.run('resume')).toEqual(['run.resumed', 'step.escalated a max_retries_exceeded'])
  })

  it('sends no retry and no lost delivery until it is resumed', () => {
    const w = new World(workflow({ a: find, b: find }), TOOLS)
    w.start()
    w.fails('a')
    w.run('pause')
    expect(w.loses('b')).toEqual(['step.lost b 1.1 worker'])
    expect(w.wake({}, 100_000)).toEqual([])
    expect(w.run('resume').sort()).toEqual(['run.resumed', 'step.dispatched a 2.1', 'step.dispatched b 1.2'])
  })

  it('fills no place in a group, and all that are free when resumed', () => {
    const w = new World(workflow({ a: { ...find, each: { in: [1, 2, 3], concurrency: 1 } } }), TOOLS)
    w.start()
    w.run('pause')
    expect(w.done('a[0]')).toEqual(['step.completed a[0]'])
    expect(w.run('resume')).toEqual(['run.resumed', 'step.dispatched a[1] 1.1'])
  })

  it('lets a wait end, and what follows it wait', () => {
    const w = new World(workflow({ a: { wait: '1m' }, b: { ...find, needs: ['a'] } }), TOOLS)
    w.start()
    w.run('pause')
    expect(w.wake()).toEqual(['step.completed a'])
    expect(w.run('resume')).toEqual(['run.resumed', 'step.dispatched b 1.1'])
  })

  it('keeps a signal for the step that waits', () => {
    const w = new World(workflow({ a: { signal: 'go' } }))
    w.start()
    w.run('pause')
    expect(w.signal('go', 1)).toEqual(['signal.received go'])
    expect(w.run('resume')).toEqual(['run.resumed', 'step.completed a', 'run.completed'])
  })

  it('holds though the run was loaded anew', () => {
    const w = new World(workflow({ a: find, b: { ...find, needs: ['a'] } }), TOOLS)
    w.start()
    w.run('pause')
    w.reload('snapshot')
    expect(w.done('a')).toEqual(['step.completed a'])
    w.reload()
    expect(w.run('resume')).toEqual(['run.resumed', 'step.dispatched b 1.1'])
  })

  it('is asked for once, and resumed only when paused', () => {
    const w = new World(workflow({ a: find }), TOOLS)
    w.start()
    expect(w.run('resume')).toEqual([])
    expect(w.verdict).toMatchObject({ status: 'refused', code: 'run_not_paused' })
    w.run('pause')
    expect(w.run('pause')).toEqual([])
    expect(w.verdict).toMatchObject({ status: 'refused', code: 'run_paused' })
  })
})
