// A command that killed its engine three times is buried; its run shows it, and a person looks.
import type { Command } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { moduleTool, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const base = { id: 'bad', ns: 'default', run: 'r1', by: { kind: 'engine' as const, id: 'e_1' } }
const outcome = (path: string): Command => ({
  ...base,
  type: 'outcome',
  outcome: {
    path,
    attempt: 1,
    delivery: 1,
    worker: 'w_1',
    claimedAtMs: 1_000,
    durationMs: 1,
    result: { status: 'done', output: { value: 'bad' } },
  },
})

describe('a condemned command', () => {
  it('about a step opens a case on it; the rest of the run goes on', () => {
    const w = new World(workflow({ a: { tool: 'find' }, b: { tool: 'find' } }), TOOLS)
    w.start()
    expect(w.condemns(outcome('a'))).toEqual(['step.escalated a engine_failure'])
    expect(w.step('a').failure?.code).toBe('engine_failure')
    expect(w.openCases).toEqual(['a'])
    expect(w.done('b')).toEqual(['step.completed b'])
    expect(w.retry('a')).toContain('step.dispatched a 1.2')
  })

  it('about no step pauses the run with the reason', () => {
    const w = new World(workflow({ a: { tool: 'find' } }), TOOLS)
    w.start()
    expect(w.condemns({ ...base, type: 'wake' })).toEqual(['run.paused'])
    expect(w.state.paused?.reason).toContain('stopped its engine three times')
    expect(w.condemns({ ...base, type: 'wake' })).toEqual([])
    w.run('resume')
    expect(w.done('a')).toEqual(['step.completed a', 'run.completed'])
  })

  it('that would have started the run fails it', () => {
    const w = new World(workflow({ a: { tool: 'find' } }), TOOLS)
    const start: Command = {
      ...base,
      type: 'start',
      workflow: { name: 'scenario', version: 1, hash: 'hash' },
      input: { value: 1 },
      labels: { team: 'x' },
      priority: 2,
      env: {},
    }
    expect(w.condemns(start)).toEqual(['run.started', 'run.failed'])
    expect(w.state).toMatchObject({ status: 'failed', labels: { team: 'x' }, failure: { code: 'engine_failure' } })
  })

  it('of an ended run, or of one that never began, leaves no trace', () => {
    const w = new World(workflow({ a: { tool: 'find' } }), TOOLS)
    expect(w.condemns({ ...base, type: 'wake' })).toEqual([])
    w.start()
    w.done('a')
    expect(w.condemns(outcome('a'))).toEqual([])
  })
})
