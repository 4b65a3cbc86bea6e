// A model call: what it is asked, what it costs, and what an operator may change of it.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: expressions are written so
import { describe, expect, it } from 'vitest'
import { MODEL, PERMANENT, USAGE, workflow } from './things.fixture.ts'
import { World } from './world.fixture.ts'

describe('llm', () => {
  it('goes to the queue of its model with prompt, system, settings and schema', () => {
    const w = new World(
      workflow({
        a: {
          llm: {
            model: MODEL,
            system: 'You are ${{ input.who }}.',
            prompt: 'Say ${{ input.list }}',
            max_tokens: 100,
            output: { type: 'object' },
          },
        },
      }),
    )
    w.start({ who: 'brief', list: [1, 2] })
    expect(w.step('a').queue).toBe('llm.anthropic.claude-haiku-5-5')
    expect(w.task('a')).toMatchObject({ kind: 'llm', effect: 'read', timeoutMs: 600_000 })
    expect(w.inputOf('a')).toMatchObject({
      model: MODEL,
      system: 'You are brief.',
      messages: [{ role: 'user', content: 'Say [1,2]' }],
      settings: { max_tokens: 100 },
      output: { type: 'object' },
    })
  })

  it('takes a conversation instead of a prompt', () => {
    const messages = [
      { role: 'user' as const, content: 'one' },
      { role: 'assistant' as const, content: '${{ input }}' },
      { role: 'user' as const, content: 'three' },
    ]
    const w = new World(workflow({ a: { llm: { model: MODEL, messages } } }))
    w.start('two')
    expect(w.inputOf('a')).toMatchObject({ messages: [{ content: 'one' }, { content: 'two' }, { content: 'three' }] })
  })

  it('counts what every attempt cost, those that failed too', () => {
    const w = new World(workflow({ a: { llm: { model: MODEL, prompt: 'p' } } }))
    w.start()
    w.fails('a')
    w.wake()
    w.done('a', 'text')
    expect(w.state.cost).toEqual({
      microUsd: 70,
      inputTokens: 20,
      outputTokens: 10,
      calls: 2,
      unpricedCalls: 0,
      scripted: false,
    })
  })

  it('counts a call without a price apart, and shows that a script answered', () => {
    const w = new World(workflow({ a: { llm: { model: MODEL, prompt: 'p' } } }))
    w.start()
    w.done('a', 'text', { usage: { ...USAGE, microUsd: null, scripted: true } })
    expect(w.state.cost).toMatchObject({ microUsd: 0, calls: 1, unpricedCalls: 1, scripted: true })
  })

  it('is asked again with another prompt and by another model when an operator says so', () => {
    const w = new World(workflow({ a: { llm: { model: MODEL, prompt: 'p' } } }))
    w.start()
    expect(w.fails('a', PERMANENT)).toEqual([
      'step.attempt_failed a 1 bad_request',
      'step.escalated a permanent_failure',
    ])
    const news = w.retry('a', { edit: { prompt: 'q', model: 'openai/gpt-5-mini' } })
    expect(news).toEqual(['escalation.resolved a retry', 'step.retried a', 'step.dispatched a 2.1'])
    expect(w.step('a').queue).toBe('llm.openai.gpt-5-mini')
    expect(w.inputOf('a')).toMatchObject({ model: 'openai/gpt-5-mini', messages: [{ role: 'user', content: 'q' }] })
    expect(w.task('a').effectKey).toBe('default/r1/a~2')
  })
})
