// The limit of tasks out: a wide run has 500 at a time, and the next goes out as soon as one comes back.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { LIMITS } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { MODEL, moduleTool, says, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const ITEMS = Array.from({ length: 1_200 }, (_, index) => index)
const TOOLS = { tools: [moduleTool('find', 'read')], checked: false }

describe('the limit of tasks out', () => {
  it('holds a wide group back and refills one for one', () => {
    const w = new World(workflow({ a: { tool: 'find', each: { in: ITEMS } } }), TOOLS)
    w.start()
    expect(w.state.counts.scheduled).toBe(LIMITS.tasksOut)
    expect(w.done('a[7]')).toEqual(['step.completed a[7]', 'step.dispatched a[500] 1.1'])
    for (let from = 0; from < w.tasks.length; from += 1) w.done(w.tasks[from]?.path ?? '')
    expect(w.state.status).toBe('completed')
    expect(w.tasks.length).toBe(1_200)
  })

  it('is of the run, not of a group', () => {
    const items = ITEMS.slice(0, 300)
    const w = new World(
      workflow({ a: { tool: 'find', each: { in: items } }, b: { tool: 'find', each: { in: items } } }),
      TOOLS,
    )
    w.start()
    expect(w.state.counts.scheduled).toBe(500)
    expect(w.done('a[0]')).toContain('step.dispatched b[200] 1.1')
    for (let from = 0; from < w.tasks.length; from += 1) w.done(w.tasks[from]?.path ?? '')
    expect(w.state.status).toBe('completed')
  })

  it('refills after a load', () => {
    const w = new World(workflow({ a: { tool: 'find', each: { in: ITEMS } } }), TOOLS)
    w.start()
    w.reload('snapshot')
    w.done('a[0]')
    expect(w.state.counts.scheduled).toBe(500)
    for (let from = 0; from < w.tasks.length; from += 1) w.done(w.tasks[from]?.path ?? '')
    expect(w.state.status).toBe('completed')
    expect(new Set(w.tasks.map((task) => task.path)).size).toBe(1_200)
  })

  it('asks nothing of the fleet for tasks that it cannot send yet', () => {
    const llm = { model: MODEL, prompt: 'p' }
    for (const step of [{ llm }, { llm, concurrency: { key: 'k${{ item }}', limit: 1 } }]) {
      const w = new World(workflow({ a: { ...step, each: { in: ITEMS } } }, { budget: { usd: 1_000 } }), TOOLS)
      let asks = 0
      const { answer } = w
      w.answer = (ask) => {
        asks += 1
        return answer(ask)
      }
      w.start()
      for (let from = 0; from < w.tasks.length; from += 1) w.done(w.tasks[from]?.path ?? '')
      expect(w.state.status).toBe('completed')
      // each of them once, for each of what it needs
      expect(asks).toBe(ITEMS.length * ('concurrency' in step ? 2 : 1))
    }
  })

  it('holds the turns of many agents back, and lets every one of them end', () => {
    const w = new World(workflow({ a: { agent: { model: MODEL, prompt: 'p' }, each: { in: ITEMS } } }), TOOLS)
    w.start()
    expect(w.state.counts.scheduled).toBe(500)
    for (let from = 0; from < w.tasks.length; from += 1) w.done(w.tasks[from]?.path ?? '', says('ok'))
    expect(w.state.status).toBe('completed')
  })

  it('holds a retry back whose time has come, and sends it when a place is free', () => {
    const w = new World(workflow({ a: { tool: 'find', each: { in: ITEMS } } }), TOOLS)
    w.start()
    w.fails('a[0]')
    expect(w.state.counts.scheduled).toBe(500)
    expect(w.wake({}, 10_000)).toEqual([])
    for (let from = 0; from < w.tasks.length; from += 1) {
      const path = w.tasks[from]?.path ?? ''
      if (w.step(path).phase === 'scheduled') w.done(path)
    }
    expect(w.state.status).toBe('completed')
    expect(w.step('a[0]').attempts.length).toBe(2)
  })
})
