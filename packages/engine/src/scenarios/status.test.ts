// The status of a run, by precedence: paused by a person, running, waiting, escalated.
import { describe, expect, it } from 'vitest'
import { moduleTool, PERMANENT, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }

describe('the status of a run', () => {
  it('falls from running over waiting to escalated as its steps come to rest', () => {
    const w = new World(workflow({ a: { tool: 'find' }, b: { wait: '1m' }, c: { tool: 'find' } }), TOOLS)
    expect(w.state.status).toBe('queued')
    w.start()
    expect(w.state.status).toBe('running')
    w.fails('a', PERMANENT)
    expect(w.state.status).toBe('running')
    w.done('c')
    expect(w.state.status).toBe('waiting')
    w.wake({}, 61_000)
    expect(w.state.status).toBe('escalated')
    w.run('pause')
    expect(w.state.status).toBe('paused')
    w.run('resume')
    expect(w.state.status).toBe('escalated')
    w.skip('a')
    expect(w.state.status).toBe('completed')
  })

  it('is waiting while a retry is to come', () => {
    const w = new World(workflow({ a: { tool: 'find' } }), TOOLS)
    w.start()
    w.fails('a')
    expect(w.state.status).toBe('waiting')
    w.wake()
    expect(w.state.status).toBe('running')
  })

  it('counts no group as waiting: its items tell', () => {
    const w = new World(workflow({ a: { tool: 'find', each: { in: [1] }, retry: { attempts: 1 } } }), TOOLS)
    w.start()
    expect(w.state.counts).toEqual({ scheduled: 1, waiting: 0, escalated: 0 })
    w.fails('a[0]')
    expect(w.state.counts).toEqual({ scheduled: 0, waiting: 0, escalated: 1 })
  })
})
