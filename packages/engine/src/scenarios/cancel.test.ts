// Cancel: the run ends at once, with all that is open in it.
import { describe, expect, it } from 'vitest'
import { wakeAt } from '../state/timers.ts'
import { MODEL, moduleTool, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }

describe('cancel', () => {
  it('ends every step that has not ended, and every timer', () => {
    const w = new World(
      workflow({
        a: { tool: 'find', each: { in: [1, 2] } },
        b: { wait: '1h' },
        c: { agent: { model: MODEL, prompt: 'p', tools: ['find'] } },
      }),
      TOOLS,
    )
    w.start()
    w.done('a[0]')
    expect(w.run('cancel', 'enough')).toEqual(['run.cancelled'])
    expect(w.state.status).toBe('cancelled')
    expect(wakeAt(w.state)).toBeNull()
    const phases = new Map([...w.state.steps.values()].map((step) => [step.path, step.phase]))
    expect(phases.get('a[0]')).toBe('completed')
    phases.delete('a[0]')
    expect(new Set(phases.values())).toEqual(new Set(['cancelled']))
  })

  it('closes every open case at the desk, with who did it and why', () => {
    const w = new World(
      workflow({
        a: { tool: 'find', retry: { attempts: 1 } },
        b: { approval: {} },
        c: { tool: 'find', gate: true },
        d: { tool: 'find', retry: { attempts: 1 }, each: { in: [1] } },
      }),
      TOOLS,
    )
    w.start()
    w.fails('a')
    w.fails('d[0]')
    expect(w.openCases.sort()).toEqual(['a', 'b', 'c', 'd[0]'])
    w.run('cancel', 'enough')
    expect(w.openCases).toEqual([])
    expect(w.notices.at(-1)).toMatchObject({ type: 'closed', action: 'run.cancelled', by: 'ann', why: 'enough' })
  })

  it('ends a paused run too', () => {
    const w = new World(workflow({ a: { tool: 'find' } }), TOOLS)
    w.start()
    w.run('pause')
    expect(w.run('cancel')).toEqual(['run.cancelled'])
    expect(w.state.status).toBe('cancelled')
  })

  it('leaves nothing to do: whatever comes after is refused, or changes nothing', () => {
    const w = new World(workflow({ a: { tool: 'find' } }), TOOLS)
    w.start()
    w.run('cancel')
    const refused = [
      () => w.run('cancel'),
      () => w.run('pause'),
      () => w.run('resume'),
      () => w.signal('go', 1),
      () => w.retry('a'),
      () => w.skip('a'),
      () => w.override('a', 1),
      () => w.fail('a'),
      () => w.approve('a'),
    ]
    for (const command of refused) {
      expect(command()).toEqual([])
      expect(w.verdict).toMatchObject({ status: 'refused', code: 'run_ended' })
    }
    for (const command of [() => w.start(), () => w.fails('a'), () => w.loses('a'), () => w.wake({}, 1_000_000)]) {
      expect(command()).toEqual([])
      expect(w.verdict.status).toBe('applied')
    }
  })
})
