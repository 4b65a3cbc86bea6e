// An agent: turns one after another, each a step, until the model answers without calling a tool.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { describe, expect, it } from 'vitest'
import { calls, MODEL, moduleTool, PERMANENT, says, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

const TOOLS = { tools: [moduleTool('find', 'read')] }
const agent = { model: MODEL, prompt: 'do ${{ input }}', tools: ['find'] }

describe('agent', () => {
  it('turns, calls its tool, turns again, answers', () => {
    const w = new World(workflow({ a: { agent } }), TOOLS)
    expect(w.start('it')).toEqual(['run.started', 'step.opened a agent', 'step.dispatched a/turn-1/llm 1.1'])
    expect(w.done('a/turn-1/llm', calls(['find', { q: 'x' }]))).toEqual([
      'step.completed a/turn-1/llm',
      'step.dispatched a/turn-1/tool-0 1.1',
    ])
    expect(w.inputOf('a/turn-1/tool-0')).toEqual({ tool: 'find', with: { q: 'x' } })
    expect(w.done('a/turn-1/tool-0', 'found')).toEqual([
      'step.completed a/turn-1/tool-0',
      'step.dispatched a/turn-2/llm 1.1',
    ])
    expect(w.done('a/turn-2/llm', says('the answer'))).toEqual([
      'step.completed a/turn-2/llm',
      'step.completed a',
      'run.completed',
    ])
    expect(w.output('a')).toBe('the answer')
  })

  it('refers to the turns before by their journal entries, in the order of the conversation', () => {
    const w = new World(workflow({ a: { agent } }), TOOLS)
    w.start('it')
    w.done('a/turn-1/llm', calls(['find'], ['find']))
    w.done('a/turn-1/tool-1', 'second, but first to end')
    w.done('a/turn-1/tool-0', 'first')
    const seqs = ['a/turn-1/llm', 'a/turn-1/tool-0', 'a/turn-1/tool-1'].map((path) => w.step(path).endSeq)
    expect(w.inputOf('a/turn-2/llm')).toMatchObject({
      messages: [{ role: 'user', content: 'do it' }],
      agent: { path: 'a', turn: 2, tools: [{ name: 'find' }], history: seqs },
    })
  })

  it('gives the parsed value when it has an output schema', () => {
    const w = new World(workflow({ a: { agent: { ...agent, output: { type: 'object' } } } }), TOOLS)
    w.start()
    expect(w.inputOf('a/turn-1/llm')).toMatchObject({ output: { type: 'object' } })
    w.done('a/turn-1/llm', says('{"ok": true}'))
    expect(w.output('a')).toEqual({ ok: true })
  })

  it('fails as malformed when an operator overrides its last turn with no JSON', () => {
    const w = new World(workflow({ a: { agent: { ...agent, output: { type: 'object' } } } }), TOOLS)
    w.start()
    expect(w.override('a/turn-1/llm', 'no JSON')).toEqual([
      'step.overridden a/turn-1/llm',
      'step.escalated a permanent_failure',
    ])
    expect(w.step('a').failure).toMatchObject({ code: 'malformed_output', class: 'permanent' })
  })

  it('gives up at max_turns, which no retry cures', () => {
    const w = new World(workflow({ a: { agent: { ...agent, max_turns: 1 }, on_failure: 'continue' } }), TOOLS)
    w.start()
    w.done('a/turn-1/llm', calls(['find']))
    expect(w.done('a/turn-1/tool-0')).toEqual([
      'step.completed a/turn-1/tool-0',
      'step.failed a max_turns_exceeded',
      'run.completed',
    ])
  })

  it('answers in its last turn without being cut off', () => {
    const w = new World(workflow({ a: { agent: { ...agent, max_turns: 1 } } }), TOOLS)
    w.start()
    w.done('a/turn-1/llm', says('in time'))
    expect(w.output('a')).toBe('in time')
  })

  it('opens the case on the turn that failed, and goes on from there', () => {
    const w = new World(workflow({ a: { agent } }), TOOLS)
    w.start()
    expect(w.fails('a/turn-1/llm', PERMANENT)).toEqual([
      'step.attempt_failed a/turn-1/llm 1 bad_request',
      'step.escalated a/turn-1/llm permanent_failure',
    ])
    expect(w.skip('a/turn-1/llm')).toEqual([])
    expect(w.verdict).toMatchObject({ status: 'refused', code: 'bad_request' })
    expect(w.retry('a/turn-1/llm')).toContain('step.dispatched a/turn-1/llm 2.1')
    w.done('a/turn-1/llm', says('after all'))
    expect(w.output('a')).toBe('after all')
  })

  it('ends with the text that an operator puts in place of a turn', () => {
    const w = new World(workflow({ a: { agent } }), TOOLS)
    w.start()
    expect(w.override('a/turn-1/llm', 'by hand')).toEqual([
      'step.overridden a/turn-1/llm',
      'step.completed a',
      'run.completed',
    ])
    expect(w.output('a')).toBe('by hand')
  })

  it('runs inside each, every item with turns of its own', () => {
    const w = new World(
      workflow({
        a: { each: { in: [1, 2], as: 'n' }, agent: { model: MODEL, prompt: 'about ${{ n }}', tools: ['find'] } },
      }),
      TOOLS,
    )
    w.start()
    expect(w.inputOf('a[1]/turn-1/llm')).toMatchObject({ messages: [{ content: 'about 2' }], agent: { path: 'a[1]' } })
    w.done('a[0]/turn-1/llm', calls(['find']))
    w.done('a[1]/turn-1/llm', says('two'))
    w.done('a[0]/turn-1/tool-0')
    expect(w.done('a[0]/turn-2/llm', says('one'))).toEqual([
      'step.completed a[0]/turn-2/llm',
      'step.completed a[0]',
      'step.completed a',
      'run.completed',
    ])
    expect(w.output('a')).toEqual(['one', 'two'])
  })

  it('waits until a worker serves its tools, and begins then', () => {
    const w = new World(workflow({ a: { agent } }))
    expect(w.start()).toEqual(['run.started', 'step.held a'])
    expect(w.step('a').heldWhy).toBe('no worker serves tool find')
    // held is said once, however often it is looked for
    expect(w.wake({}, w.nowMs + 1_000)).toEqual([])
    w.tools.set('find', moduleTool('find', 'read'))
    expect(w.wake({}, w.nowMs + 1_000)).toEqual(['step.opened a agent', 'step.dispatched a/turn-1/llm 1.1'])
  })

  it('keeps the list of tools that it began with', () => {
    const w = new World(workflow({ a: { agent } }), TOOLS)
    w.start()
    w.tools.set('find', moduleTool('find', 'once'))
    w.done('a/turn-1/llm', calls(['find']))
    expect(w.task('a/turn-1/tool-0').effect).toBe('read')
  })
})
