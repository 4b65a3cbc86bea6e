// A tool is a task: it goes out with its input rendered and its effect named, and its answer is the output.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { describe, expect, it } from 'vitest'
import { moduleTool, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

describe('tool', () => {
  it('goes out, answers, completes', () => {
    const w = new World(workflow({ a: { tool: 'http', with: { url: 'https://x/${{ input.id }}' } } }))
    expect(w.start({ id: 7 })).toEqual(['run.started', 'step.dispatched a 1.1'])
    expect(w.state.status).toBe('running')
    expect(w.task('a')).toMatchObject({
      kind: 'tool',
      path: 'a',
      attempt: 1,
      delivery: 1,
      effect: 'read',
      effectKey: 'default/r1/a',
      timeoutMs: 60_000,
      workflow: 'scenario',
    })
    expect(w.inputOf('a')).toEqual({ tool: 'http', with: { url: 'https://x/7' } })
    expect(w.done('a', { status: 200 })).toEqual(['step.completed a', 'run.completed'])
    expect(w.output('a')).toEqual({ status: 200 })
  })

  it('leaves by the queue of its kind, with the priority of its run', () => {
    const w = new World(workflow({ a: { tool: 'http', with: { url: 'u' } }, b: { tool: 'mail', effect: 'once' } }))
    w.start(null, { priority: 1 })
    expect([w.step('a').queue, w.step('b').queue]).toEqual(['tool.http', 'tool.module'])
    expect(w.state.priority).toBe(1)
  })

  it.each([
    ['the manifest of its workers', { tool: 'mail' }, 'idempotent'],
    ['the definition, before the manifest', { tool: 'mail', effect: 'read' as const }, 'read'],
    ['the method of an HTTP call', { tool: 'http', with: { url: 'u', method: 'POST' } }, 'once'],
  ])('has its effect from %s', (_, step, effect) => {
    const w = new World(workflow({ a: step }), { tools: [moduleTool('mail', 'idempotent')] })
    w.start()
    expect(w.task('a').effect).toBe(effect)
  })

  it('waits for a worker that serves it when only that can tell its effect', () => {
    const w = new World(workflow({ a: { tool: 'other' } }))
    w.start()
    expect(w.step('a')).toMatchObject({ phase: 'retrying', heldWhy: 'no worker serves tool other' })
    w.tools.set('other', moduleTool('other', 'idempotent'))
    w.wake()
    expect(w.task('a').effect).toBe('idempotent')
  })

  it('keeps a secret a marker: the value is for the worker alone', () => {
    const with_ = { url: 'u', headers: { authorization: 'Bearer ${{ secrets.KEY }}' } }
    const w = new World(workflow({ a: { tool: 'http', with: with_ } }))
    w.start()
    expect(w.inputOf('a')).toEqual({
      tool: 'http',
      with: { url: 'u', headers: { authorization: { $concat: ['Bearer ', { $secret: 'KEY' }] } } },
    })
  })

  it('does not go out with data that names a secret: a caller could read any of them', () => {
    const w = new World(workflow({ a: { tool: 'http', with: { url: 'u', body: '${{ input }}' } } }))
    expect(w.start({ $secret: 'KEY' })).toEqual(['run.started', 'step.escalated a permanent_failure'])
    expect(w.step('a').failure?.code).toBe('expression_failed')
    expect(w.tasks).toEqual([])
  })
})
