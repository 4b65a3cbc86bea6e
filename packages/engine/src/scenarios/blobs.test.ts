// Large values lie outside the state: what is decided on them waits until they are loaded, and then goes on by itself.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { describe, expect, it } from 'vitest'
import { calls, MODEL, moduleTool, says, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const OPTIONS = { tools: [moduleTool('find', 'read')], inlineChars: 40 }
const LONG = 'x'.repeat(100)

describe('blobs', () => {
  it('are loaded for the step that mentions them', () => {
    const w = new World(workflow({ a: { tool: 'find', with: { x: '${{ input }}' } } }), OPTIONS)
    expect(w.start(LONG)).toEqual(['run.started', 'step.dispatched a 1.1'])
    expect(w.values.loads.length).toBeGreaterThan(0)
    expect(w.inputOf('a')).toEqual({ tool: 'find', with: { x: LONG } })
  })

  it('are not loaded for a step that mentions none', () => {
    const w = new World(workflow({ a: { tool: 'find', with: { x: 1 } } }), OPTIONS)
    w.start(LONG)
    expect(w.values.loads).toEqual([])
  })

  it('make conditions, lists and joins wait for them', () => {
    const w = new World(
      workflow({
        a: { tool: 'find' },
        b: { value: '${{ item }}', each: '${{ steps.a.output }}', if: '${{ steps.a.output.size() == 2 }}' },
      }),
      OPTIONS,
    )
    w.start()
    expect(w.done('a', [LONG, LONG + LONG])).toEqual([
      'step.completed a',
      'step.opened b each',
      'step.completed b[0]',
      'step.completed b[1]',
      'step.completed b',
      'run.completed',
    ])
    expect(w.output('b')).toEqual([LONG, LONG + LONG])
  })

  it('are loaded again after a load of the run', () => {
    const w = new World(
      workflow({
        a: { value: '${{ input }}' },
        b: { wait: '1m' },
        c: { value: '${{ steps.a.output }}', needs: ['b'] },
      }),
      OPTIONS,
    )
    w.start(LONG)
    w.reload()
    expect(w.wake()).toEqual(['step.completed b', 'step.completed c', 'run.completed'])
    expect(w.output('c')).toBe(LONG)
  })

  it('hold the turns of an agent: its tools are read from the answer', () => {
    const w = new World(workflow({ a: { agent: { model: MODEL, prompt: 'p', tools: ['find'] } } }), OPTIONS)
    w.start()
    w.reload()
    expect(w.done('a/turn-1/llm', calls(['find', { q: LONG }]))).toContain('step.dispatched a/turn-1/tool-0 1.1')
    expect(w.inputOf('a/turn-1/tool-0')).toEqual({ tool: 'find', with: { q: LONG } })
    w.reload()
    w.done('a/turn-1/tool-0', LONG)
    w.reload()
    w.done('a/turn-2/llm', says(LONG))
    expect(w.output('a')).toBe(LONG)
  })

  it('are shown at the desk', () => {
    const w = new World(workflow({ a: { approval: { show: '${{ input }}' } } }), OPTIONS)
    w.start(LONG)
    expect(w.notices).toMatchObject([{ type: 'opened', show: LONG }])
  })

  it('named by two steps are one', () => {
    const w = new World(workflow({ a: { value: '${{ input }}' }, b: { value: '${{ input }}' } }), OPTIONS)
    w.start(LONG)
    expect(w.step('a').output).toEqual(w.step('b').output)
    expect(w.step('a').output).toHaveProperty('blob')
  })
})
