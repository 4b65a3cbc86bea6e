// Scenarios: nested blocks, alone and inside items and iterations.
import { describe, expect, it } from 'vitest'
import { calls, MODEL, moduleTool, PERMANENT, says, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read'), moduleTool('mail', 'once')] }
const make = (steps: Parameters<typeof workflow>[0], more = {}) => new World(workflow(steps, more), TOOLS)

describe('a block', () => {
  it('runs its steps, and gives a map of their outputs', () => {
    const w = make({ block: { steps: { a: { tool: 'find' }, b: { value: '${{ steps.a.output }}!' } } } })
    expect(w.start()).toEqual(['run.started', 'step.opened block block', 'step.dispatched block/a 1.1'])
    expect(w.done('block/a', 'x')).toEqual([
      'step.completed block/a',
      'step.completed block/b',
      'step.completed block',
      'run.completed',
    ])
    expect(w.output('block')).toEqual({ a: 'x', b: 'x!' })
  })

  it('gives what its `output` says, which sees the steps inside', () => {
    const w = make({
      first: { value: 2 },
      block: {
        steps: { a: { value: '${{ steps.first.output + 1 }}' } },
        output: '${{ steps.a.output + steps.first.output }}',
      },
      after: { value: '${{ steps.block.output * 10 }}' },
    })
    w.start()
    expect(w.state.status).toBe('completed')
    expect(w.output('after')).toBe(50)
  })

  it('waits for what a step in it mentions outside', () => {
    const w = make({
      out: { tool: 'find' },
      block: { steps: { a: { value: 1 }, b: { value: '${{ steps.out.output }}' } } },
    })
    expect(w.start()).toEqual(['run.started', 'step.dispatched out 1.1'])
    w.done('out', 7)
    expect(w.output('block')).toEqual({ a: 1, b: 7 })
  })

  it('whose steps are all skipped has completed', () => {
    const w = make({
      block: { steps: { a: { value: 1, if: false }, b: { value: '${{ steps.a.output }}' } } },
      c: { value: '${{ steps.block.output }}' },
    })
    w.start()
    expect(w.output('c')).toEqual({ a: null, b: null })
  })

  it('that is skipped skips what needs it', () => {
    const w = make({ block: { if: false, steps: { a: { tool: 'find' } } }, c: { value: 1, needs: ['block'] } })
    expect(w.start()).toEqual(['run.started', 'step.skipped block if', 'step.skipped c needs', 'run.completed'])
  })

  it('in an each sees the item, and an each in it sees both', () => {
    const w = make({
      outer: {
        each: { in: ['a', 'b'], as: 'letter' },
        steps: { inner: { each: { in: [1, 2], as: 'number' }, value: '${{ letter }}${{ number }}${{ index }}' } },
        output: '${{ steps.inner.output }}',
      },
    })
    w.start()
    expect(w.output('outer')).toEqual([
      ['a10', 'a21'],
      ['b10', 'b21'],
    ])
  })

  it('holds an agent in an each in a repeat', () => {
    const w = make({
      again: {
        repeat: { max: 3, until: '${{ output[0] == "good" }}' },
        steps: {
          work: {
            each: { in: ['x'] },
            agent: { model: MODEL, prompt: '${{ item }} after ${{ previous }}', tools: ['find'] },
          },
        },
        output: '${{ steps.work.output }}',
      },
    })
    w.start()
    w.done('again/iter-1/work[0]/turn-1/llm', calls(['find']))
    w.done('again/iter-1/work[0]/turn-1/tool-0', 1)
    w.done('again/iter-1/work[0]/turn-2/llm', says('bad'))
    expect(w.inputOf('again/iter-2/work[0]/turn-1/llm')).toMatchObject({ messages: [{ content: 'x after ["bad"]' }] })
    w.reload('snapshot')
    w.done('again/iter-2/work[0]/turn-1/llm', says('good'))
    expect(w.output('again')).toEqual(['good'])
    expect(w.state.status).toBe('completed')
  })

  it('is loaded anew at any moment and goes on', () => {
    const w = make({
      block: { steps: { a: { tool: 'find' }, b: { tool: 'find', needs: ['a'] }, c: { tool: 'find' } } },
    })
    w.start()
    w.reload()
    w.done('block/a')
    w.reload('snapshot')
    w.done('block/b')
    w.reload()
    expect(w.done('block/c')).toContain('run.completed')
  })

  it('may have a step skipped before its time', () => {
    const w = make({ block: { steps: { a: { tool: 'find' }, b: { tool: 'find', needs: ['a'] } } } })
    w.start()
    expect(w.skip('block/b')).toEqual(['step.skipped block/b operator'])
    expect(w.done('block/a')).toContain('run.completed')
  })
})

describe('a failure inside', () => {
  const inner = (on_failure: 'fail' | 'continue' | undefined, block: object = {}) =>
    make({
      block: { ...block, steps: { a: { tool: 'find', ...(on_failure ? { on_failure } : {}) }, b: { tool: 'find' } } },
      after: { value: '${{ steps.block.status }}' },
    })

  it('opens a case at the step when nothing is said', () => {
    const w = inner(undefined)
    w.start()
    expect(w.fails('block/a', PERMANENT)).toContain('step.escalated block/a permanent_failure')
    w.retry('block/a')
    w.done('block/a')
    expect(w.done('block/b')).toContain('run.completed')
  })

  it('that says fail ends the run', () => {
    const w = inner('fail')
    w.start()
    expect(w.fails('block/a', PERMANENT).slice(1)).toEqual([
      'step.failed block/a bad_request',
      'step.failed block bad_request',
      'run.failed',
    ])
  })

  it('is the failure of the block when the block has a policy', () => {
    const w = inner('fail', { on_failure: 'continue' })
    w.start()
    expect(w.fails('block/a', PERMANENT).slice(1)).toEqual([
      'step.failed block/a bad_request',
      'step.failed block bad_request',
      'step.completed after',
      'run.completed',
    ])
    expect(w.step('block/b').phase).toBe('cancelled')
    expect(w.output('after')).toBe('failed')
  })

  it('opens a case at the block, and a retry tries what failed and what was cancelled anew', () => {
    const w = inner('fail', { on_failure: 'escalate' })
    w.start()
    expect(w.fails('block/a', PERMANENT).slice(1)).toEqual([
      'step.failed block/a bad_request',
      'step.escalated block permanent_failure',
    ])
    expect(w.retry('block')).toEqual(
      expect.arrayContaining(['step.dispatched block/a 2.1', 'step.dispatched block/b 1.2']),
    )
    w.done('block/a')
    expect(w.done('block/b')).toContain('run.completed')
  })

  it('gives what `use` says', () => {
    const w = inner('fail', { on_failure: { use: { rows: [] } } })
    w.start()
    w.fails('block/a', PERMANENT)
    expect(w.output('block')).toEqual({ rows: [] })
    expect(w.step('block').phase).toBe('failed')
    expect(w.state.status).toBe('completed')
  })

  it('of an item of a settled join is a result, from however deep', () => {
    const w = make({
      all: { each: { in: [1, 2], join: 'settled' }, steps: { a: { tool: 'find' }, b: { tool: 'find' } } },
    })
    w.start()
    expect(w.fails('all[0]/a', PERMANENT).slice(1)).toEqual([
      'step.failed all[0]/a bad_request',
      'step.failed all[0] bad_request',
    ])
    expect(w.step('all[0]/b').phase).toBe('cancelled')
    w.done('all[1]/a')
    w.done('all[1]/b')
    expect(w.output('all')).toMatchObject([
      { status: 'failed', error: { code: 'bad_request' } },
      { status: 'completed' },
    ])
  })
})
