// Confidence: an answer that is not sure enough waits for a person.
import { describe, expect, it } from 'vitest'
import { MODEL, moduleTool, says, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const confidence = { min: 0.7, from: '${{ output.sure }}' }
const output = { type: 'object' }
const llm = { model: MODEL, prompt: 'p', output }
const make = (steps: Parameters<typeof workflow>[0], more = {}) => new World(workflow(steps), { ...TOOLS, ...more })

describe('confidence', () => {
  it('lets a sure answer through', () => {
    const w = make({ a: { llm, confidence } })
    w.start()
    expect(w.done('a', { sure: 0.7 })).toEqual(['step.answered a', 'step.completed a', 'run.completed'])
    expect(w.state.cost.calls).toBe(1)
  })

  it('opens a case for any other, which shows the answer; nothing is asked for again by itself', () => {
    const w = make({ a: { llm: { ...llm, fallback: ['anthropic/claude-opus-5-5'] }, confidence } }, { inlineChars: 20 })
    w.start()
    expect(w.done('a', { sure: 0.2, text: 'a long answer' })).toEqual([
      'step.answered a',
      'step.escalated a low_confidence',
    ])
    expect(w.notices.at(-1)).toMatchObject({
      reason: 'low_confidence',
      show: { sure: 0.2, text: 'a long answer' },
      failure: { details: { confidence: 0.2, min: 0.7 } },
    })
    w.reload('snapshot')
    expect(w.override('a', { sure: 1 })).toContain('run.completed')
  })

  it('asks whether the answer is good all the same', () => {
    const w = make({ a: { llm, confidence } })
    w.start()
    w.done('a', { sure: 0.2 })
    w.approve('a', { approved: false })
    expect(w.verdict).toMatchObject({ status: 'refused', code: 'bad_request' })
    w.approve('a', { edits: { sure: 1 } })
    expect(w.verdict).toMatchObject({ status: 'refused', code: 'bad_request' })
    w.reload('snapshot')
    expect(w.approve('a')).toEqual(['escalation.resolved a approve', 'step.completed a', 'run.completed'])
    expect(w.output('a')).toEqual({ sure: 0.2 })
    expect(w.openCases).toEqual([])
  })

  it('is judged once: a repeat of the answer that was doubted does not end the retry', () => {
    const w = make({ a: { llm, confidence } })
    w.start()
    w.done('a', { sure: 0 })
    w.retry('a')
    expect(w.done('a', { sure: 0 }, { attempt: 1, delivery: 1 })).toEqual([])
    expect(w.done('a', { sure: 1 })).toContain('run.completed')
  })

  it('is judged after a reload too, and again when the step is retried', () => {
    const w = make({ a: { llm, confidence } })
    w.start()
    w.done('a', { sure: 0 })
    w.reload()
    // it was counted already
    expect(w.done('a', { sure: 1 })).toEqual([])
    expect(w.retry('a')).toContain('step.dispatched a 2.1')
    expect(w.done('a', { sure: 0.9 })).toContain('step.completed a')
    expect(w.state.cost.calls).toBe(2)
  })

  it('follows the policy of the step, and its fallback', () => {
    const goesOn = make({ a: { llm, confidence, on_failure: { use: null } } })
    goesOn.start()
    expect(goesOn.done('a', { sure: 0 })).toEqual(['step.answered a', 'step.failed a low_confidence', 'run.completed'])
    const other = make({ a: { llm, confidence, fallback: { approval: { show: '${{ error }}' } } } })
    other.start()
    expect(other.done('a', { sure: 0 })).toContain('approval.asked a/fallback-1')
    expect(other.approve('a/fallback-1')).toContain('step.completed a')
  })

  it('says so when it gives no number', () => {
    const w = make({ a: { tool: 'find', confidence } })
    w.start()
    w.done('a', { sure: 'very' })
    expect(w.step('a').failure).toMatchObject({
      code: 'expression_failed',
      message: 'steps.a.confidence.from: gives "very", not a number',
    })
  })

  it('judges agents, children, and each item', () => {
    const agent = make({ a: { agent: { model: MODEL, prompt: 'p', output }, confidence } })
    agent.start()
    expect(agent.done('a/turn-1/llm', says('{"sure":0}'))).toContain('step.escalated a low_confidence')
    agent.reload('snapshot')
    expect(agent.retry('a')).toContain('step.dispatched a/turn-1/llm 2.1')
    agent.reload()
    expect(agent.done('a/turn-1/llm', says('{"sure":1}'))).toContain('step.completed a')
    const child = make({ a: { run: 'other', confidence } })
    child.start()
    expect(child.child('a', { status: 'completed', output: { value: { sure: 0.1 } } })).toEqual([
      'step.answered a',
      'step.escalated a low_confidence',
    ])
    const items = make({ a: { tool: 'find', each: { in: [1, 2], join: 'settled' }, confidence } })
    items.start()
    items.done('a[0]', { sure: 0.1 })
    expect(items.done('a[1]', { sure: 1 })).toContain('step.completed a')
    expect(items.output('a')).toMatchObject([{ status: 'failed' }, { status: 'completed' }])
  })
})
