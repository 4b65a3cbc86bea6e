// The handler against the scripted server over HTTP, with the real SDK in between: prompts, and what is refused without a call.
import type { FailureCode, Json, LlmInput } from '@stepfleet/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Bench, startBench } from './handle.fixture.ts'
import { contextOf, llmInput, MODEL } from './task.fixture.ts'

let bench: Bench
beforeEach(async () => {
  bench = await startBench()
})
afterEach(() => bench.stop())

describe('a prompt', () => {
  it('is answered with its text, and with what it cost', async () => {
    const { output, usage } = await bench.handler.run(
      contextOf(llmInput('[[scripted: say=Green tea.]]', { system: 'Be brief.' })),
    )
    expect(output).toBe('Green tea.')
    const { inputTokens, outputTokens } = usage ?? { inputTokens: 0, outputTokens: 0 }
    expect(inputTokens).toBeGreaterThan(0)
    expect(usage).toEqual({
      model: MODEL,
      inputTokens,
      outputTokens,
      cacheReadTokens: 0,
      cacheWriteTokens: 0,
      microUsd: inputTokens * 3 + outputTokens * 15,
      scripted: true,
    })
  })

  it('pays for cached tokens at their price', async () => {
    const tokens = { inputTokens: 10, outputTokens: 20, cacheReadTokens: 1_000, cacheWriteTokens: 2_000 }
    await bench.script(() => ({ type: 'message', text: 'ok', usage: tokens }))
    const { usage } = await bench.handler.run(contextOf(llmInput('x')))
    expect(usage).toMatchObject({ ...tokens, microUsd: 10 * 3 + 20 * 15 + 1_000 * 0.3 + 2_000 * 3.75 })
  })

  it('of a model without a price costs null, not nothing', async () => {
    const { usage } = await bench.handler.run(contextOf(llmInput('tea', { model: 'anthropic/claude-unheard-of' })))
    expect(usage).toMatchObject({ model: 'anthropic/claude-unheard-of', microUsd: null })
  })

  it('tells the other side step and effect key', async () => {
    await bench.handler.run(contextOf(llmInput('tea'), { path: 'search[3]' }))
    expect(bench.calls()).toMatchObject([
      { run: 'r1', step: 'search[3]', attempt: 2, delivery: 1, key: 'default/r1/search[3]' },
    ])
  })

  it('carries system, earlier messages and settings', async () => {
    const seen: Json[] = []
    await bench.script(({ body }) => {
      seen.push(JSON.parse(JSON.stringify(body)))
      return null
    })
    const messages: LlmInput['messages'] = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
      { role: 'user', content: 'c' },
    ]
    await bench.handler.run(
      contextOf(llmInput('', { messages, system: 'S', settings: { max_tokens: 50, stop: ['END'] } })),
    )
    await bench.handler.run(contextOf(llmInput('x')))
    expect(seen[0]).toMatchObject({
      model: 'claude-sonnet-5-5',
      system: 'S',
      messages,
      max_tokens: 50,
      stop_sequences: ['END'],
      stream: true,
    })
    expect(seen[1]).toEqual({
      model: 'claude-sonnet-5-5',
      max_tokens: 4096,
      stream: true,
      messages: [{ role: 'user', content: 'x' }],
    })
  })
})

describe('what is refused without a call', () => {
  it('a conversation that surely does not fit into the window of its model', async () => {
    const { failure: given } = await bench.failing(llmInput('tea '.repeat(1_500_000)))
    expect(given).toMatchObject({ code: 'context_too_long', class: 'permanent', details: { notSent: true } })
    expect(bench.calls()).toEqual([])
  })

  it.each<[string, LlmInput, FailureCode]>([
    ['settings the provider does not take', llmInput('tea', { settings: { temperature: 1 } }), 'bad_request'],
    ['a provider that is not served', llmInput('tea', { model: 'openai/gpt-5-mini' }), 'model_unknown'],
    ['an input that is none', llmInput('tea', { messages: [] }), 'bad_request'],
  ])('%s', async (_name, input, code) => {
    expect((await bench.failing(input)).failure).toMatchObject({ code, class: 'permanent' })
    expect(bench.calls()).toEqual([])
  })
})

it('names its model as what it depends on', () => {
  const { task } = contextOf(llmInput('tea'))
  expect(bench.handler.dependency(task, JSON.parse(JSON.stringify(llmInput('tea'))))).toBe(MODEL)
  expect(bench.handler.dependency(task, null)).toBeNull()
})
