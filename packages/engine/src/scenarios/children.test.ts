// Scenarios: child workflows.
import { failure } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { calls, MODEL, moduleTool, says, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const make = (steps: Parameters<typeof workflow>[0], more = {}) => new World(workflow(steps, more), TOOLS)
const child = (w: World, path: string): string => {
  const { opening } = w.step(path)
  return opening?.kind === 'run' ? opening.run : ''
}

describe('a child run', () => {
  const parent = () =>
    make({
      sub: { run: { workflow: 'other@2', input: { n: '${{ input }}' } } },
      after: { value: '${{ steps.sub.output }}' },
    })

  it('is started with its input, and gives its output', () => {
    const w = parent()
    expect(w.start(4)).toEqual(['run.started', 'step.opened sub run'])
    expect(w.others).toMatchObject([
      {
        kind: 'start',
        child: {
          run: child(w, 'sub'),
          workflow: 'other@2',
          input: { value: { n: 4 } },
          parent: { run: 'r1', path: 'sub', depth: 1 },
        },
      },
    ])
    expect(w.state.status).toBe('waiting')
    w.reload()
    w.child('sub', { status: 'completed', output: { value: 'theirs' } })
    expect(w.output('after')).toBe('theirs')
  })

  it('that fails opens a case, and a retry starts another', () => {
    const w = parent()
    w.start()
    const first = child(w, 'sub')
    expect(w.child('sub', { status: 'failed', failure: failure('timeout', 'too slow') })).toEqual([
      'step.escalated sub permanent_failure',
    ])
    expect(w.step('sub').failure).toMatchObject({
      code: 'child_failed',
      details: { run: first, failure: { code: 'timeout' } },
    })
    expect(w.retry('sub')).toContain('step.opened sub run')
    expect(child(w, 'sub')).not.toBe(first)
    expect(w.others.map((other) => other.kind)).toEqual(['start', 'start'])
  })

  it.each([
    [{ status: 'cancelled' as const, by: 'ann' }, 'child_cancelled'],
    [{ status: 'refused' as const, failure: failure('child_refused', 'no such workflow') }, 'child_refused'],
  ])('that ends as %o fails the step', (result, code) => {
    const w = parent()
    w.start()
    w.child('sub', result)
    expect(w.step('sub').failure?.code).toBe(code)
  })

  it('is cancelled with its parent, and with its step', () => {
    const w = parent()
    w.start()
    w.cancel()
    expect(w.others.at(-1)).toMatchObject({ kind: 'command', command: { type: 'cancel', run: child(w, 'sub') } })
    const other = parent()
    other.start()
    other.override('sub', 1)
    expect(other.others.at(-1)).toMatchObject({
      kind: 'command',
      command: { type: 'cancel', run: child(other, 'sub') },
    })
  })

  it('that is detached is not waited for, and not cancelled', () => {
    const w = make({ sub: { run: { workflow: 'other', detach: true } }, nap: { wait: '1h' } })
    expect(w.start()).toEqual(['run.started', 'step.opened sub run', 'step.completed sub', 'step.opened nap wait'])
    expect(w.output('sub')).toEqual({ run: child(w, 'sub') })
    w.cancel()
    expect(w.others.map((other) => other.kind)).toEqual(['start'])
  })

  it('tells its parent how it ended', () => {
    const w = make({ a: { value: 7 } }, { output: '${{ steps.a.output }}' })
    w.start(null, { parent: { run: 'p1', path: 'sub', depth: 1, detached: false } })
    expect(w.others).toMatchObject([
      {
        kind: 'command',
        command: {
          type: 'child',
          run: 'p1',
          path: 'sub',
          child: 'r1',
          result: { status: 'completed', output: { value: 7 } },
        },
      },
    ])
  })

  it('is refused too deep down', () => {
    const w = parent()
    w.start(null, { parent: { run: 'p1', path: 'sub', depth: 16, detached: false } })
    expect(w.step('sub').failure?.code).toBe('limit_exceeded')
  })
})

describe('an agent', () => {
  it('calls a workflow and an approval as tools', () => {
    const input = { type: 'object' }
    const w = make({
      work: {
        agent: {
          model: MODEL,
          prompt: 'go',
          tools: [
            { name: 'ask_team', description: 'asks', input, run: { workflow: 'team', input: { q: '${{ args.q }}' } } },
            { name: 'sure', description: 'asks a person', input, approval: { assignee: 'ann' } },
          ],
        },
      },
    })
    w.start()
    expect(w.done('work/turn-1/llm', calls(['ask_team', { q: 1 }], ['sure', { what: 'x' }]))).toEqual([
      'step.completed work/turn-1/llm',
      'step.opened work/turn-1/tool-0 run',
      'approval.asked work/turn-1/tool-1',
    ])
    expect(w.others).toMatchObject([{ kind: 'start', child: { input: { value: { q: 1 } } } }])
    w.approve('work/turn-1/tool-1')
    // what a child fails with is an answer to the model
    expect(w.child('work/turn-1/tool-0', { status: 'cancelled', by: 'ann' })).toEqual([
      'step.failed work/turn-1/tool-0 child_cancelled',
      'step.dispatched work/turn-2/llm 1.1',
    ])
    expect(w.done('work/turn-2/llm', says('done'))).toContain('run.completed')
  })
})
