// The output of a run: its template, or a map of what every step gave.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { describe, expect, it } from 'vitest'
import { moduleTool, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

describe('the output of a run', () => {
  it('is its template, rendered when the last step has ended', () => {
    const w = new World(workflow({ a: { value: 20 } }, { output: { sum: '${{ steps.a.output + input }}' } }))
    w.start(1)
    expect(w.values.value(w.state.output)).toEqual({ sum: 21 })
  })

  it('is a map of the outputs of its steps when it has none; null where there is none', () => {
    const w = new World(workflow({ a: { value: 1 }, b: { value: 2, if: false }, c: { value: null } }))
    w.start()
    expect(w.values.value(w.state.output)).toEqual({ a: 1, b: null, c: null })
  })

  it('that cannot be rendered fails the run', () => {
    const w = new World(workflow({ a: { value: 1 } }, { output: '${{ input.n / 0 }}' }))
    expect(w.start({ n: 1 })).toEqual(['run.started', 'step.completed a', 'run.failed'])
    expect(w.state).toMatchObject({ status: 'failed', failedStep: null, failure: { code: 'expression_failed' } })
  })

  it('waits for steps that it does not mention', () => {
    const w = new World(workflow({ a: { value: 1 }, b: { tool: 'find' } }, { output: '${{ steps.a.output }}' }), {
      tools: [moduleTool('find', 'read')],
    })
    w.start()
    expect(w.state.status).toBe('running')
    expect(w.done('b')).toEqual(['step.completed b', 'run.completed'])
  })
})
