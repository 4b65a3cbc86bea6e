// The Anthropic provider against the scripted model: caching, thinking, every reason for stopping, and an answer in several parts.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Failure, type FailureCode, failure, type Usage } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import { type Script, type ScriptedModel, type ScriptRequest, startScriptedModel } from '@stepfleet/scripted-model'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { providerAt, requestOf } from './anthropic.fixture.ts'
import type { ModelAnswer, ModelRequest } from './provider.ts'

const TOOL = { name: 'look', description: 'd', input: { type: 'object', properties: { q: { type: 'string' } } } }

let dir: string
let model: ScriptedModel | undefined
const seen: ScriptRequest[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'anthropic-'))
  seen.length = 0
})
afterEach(async () => {
  await model?.stop()
  model = undefined
  rmSync(dir, { recursive: true, force: true })
})

const ask = async (
  request: Partial<ModelRequest>,
  script: Script = () => null,
  signal = new AbortController().signal,
): Promise<ModelAnswer> => {
  model ??= await startScriptedModel({
    ledger: join(dir, 'ledger.jsonl'),
    script: (received) => {
      seen.push(received)
      return script(received)
    },
  })
  return providerAt(model.url).call(requestOf(request), signal)
}
const failing = async (...given: Parameters<typeof ask>): Promise<{ failure: Failure; usage: Usage | undefined }> => {
  try {
    await ask(...given)
  } catch (error) {
    if (error instanceof TaskFailure) return { failure: error.failure, usage: error.usage }
    throw error
  }
  throw new Error('it did not fail')
}
const prompt = (text: string): Partial<ModelRequest> => ({ messages: [{ role: 'user', text }] })

describe('caching', () => {
  it('asks the API to keep tools, system prompt and conversation, and tells what was read and written', async () => {
    const usage = { inputTokens: 10, outputTokens: 20, cacheReadTokens: 3_000, cacheWriteTokens: 400 }
    const answer = await ask({ system: 'S', tools: [TOOL], settings: { cache: true } }, () => ({
      type: 'message',
      text: 'tea',
      usage,
    }))
    expect(seen[0]?.body).toMatchObject({
      system: [{ type: 'text', text: 'S', cache_control: { type: 'ephemeral' } }],
      tools: [{ name: 'look', cache_control: { type: 'ephemeral' } }],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'tea', cache_control: { type: 'ephemeral' } }] }],
    })
    // 10 × $3, 20 × $15, 3,000 × $0.30, 400 × $3.75 per million
    expect(answer.usage).toEqual({
      model: 'anthropic/claude-sonnet-5-5',
      ...usage,
      microUsd: 30 + 300 + 900 + 1_500,
      scripted: true,
    })
  })
})

describe('thinking', () => {
  it('is asked for by effort', async () => {
    await ask({ settings: { thinking: 'medium' } })
    expect(seen[0]?.body).toMatchObject({ thinking: { type: 'adaptive' }, output_config: { effort: 'medium' } })
  })
})

describe('reasons for stopping', () => {
  it.each(['end_turn', 'stop_sequence'])('%s is an answer', async (stop) => {
    expect((await ask(prompt(`[[scripted: stop=${stop}]] tea`))).text).not.toBe('')
  })

  it('stop_sequence by a text of ours', async () => {
    const answer = await ask({ ...prompt('[[scripted: say=one END two]]'), settings: { stop: ['END'] } })
    expect(answer.text).toBe('one ')
  })

  it('tool_use is an answer with several tools, each with an id of its own', async () => {
    const answer = await ask({ ...prompt('[[scripted: parallel=3]] tea'), tools: [TOOL] })
    expect(answer.toolUses).toHaveLength(3)
    expect(new Set(answer.toolUses.map(({ id }) => id)).size).toBe(3)
    expect(answer.content).toMatchObject([
      { type: 'text' },
      ...answer.toolUses.map(({ id, name, input }) => ({ type: 'tool_use', id, name, input })),
    ])
  })

  it('max_tokens with a tool call cut in its arguments is no tool call', async () => {
    const { failure: given, usage } = await failing({ ...prompt('[[scripted: stop=max_tokens]] tea'), tools: [TOOL] })
    expect(given).toMatchObject({ code: 'output_truncated', class: 'permanent' })
    expect(usage?.outputTokens).toBeGreaterThan(0)
  })

  it('max_tokens with a tool call that looks whole is none either', async () => {
    const { failure: given } = await failing({ tools: [TOOL] }, () => ({
      type: 'message',
      text: '',
      toolUses: [{ name: 'look', input: {} }],
      stop: 'max_tokens',
    }))
    expect(given.code).toBe('output_truncated')
  })

  it.each<[string, { inputTokens: number; outputTokens: number }, FailureCode]>([
    ['by what was sent', { inputTokens: 199_000, outputTokens: 1_000 }, 'context_too_long'],
    ['by what was answered', { inputTokens: 1_000, outputTokens: 199_000 }, 'output_truncated'],
  ])('model_context_window_exceeded: filled %s', async (_how, usage, code) => {
    const given = await failing({}, () => ({
      type: 'message',
      text: 'half of it',
      stop: 'model_context_window_exceeded',
      usage,
    }))
    expect(given.failure).toMatchObject({ code, class: 'permanent' })
    expect(given.usage).toMatchObject(usage)
  })

  it('refusal is refused, with what was paid', async () => {
    const { failure: given, usage } = await failing(prompt('[[scripted: refusal]]'))
    expect(given).toMatchObject({ code: 'refused_by_model', class: 'permanent' })
    expect(usage?.inputTokens).toBeGreaterThan(0)
  })

  it('arguments that are no JSON are malformed', async () => {
    const { failure: given } = await failing({ ...prompt('[[scripted: malformed]] tea'), tools: [TOOL] })
    expect(given).toMatchObject({ code: 'malformed_output', class: 'transient' })
    expect(given.message).toContain('look')
  })
})

describe('pause_turn', () => {
  const paused = (text: string) => ({ type: 'message', text, stop: 'pause_turn' }) as const
  const usage = { inputTokens: 100, outputTokens: 10 }

  it('is gone on with by sending the answer back, and all of it is one answer and one bill', async () => {
    const answer = await ask(prompt('tea'), ({ turn }) =>
      turn < 3 ? { ...paused(`${turn} `), usage } : { type: 'message', text: 'done', usage },
    )
    expect(answer.text).toBe('1 2 done')
    expect(answer.content).toMatchObject([{ text: '1 ' }, { text: '2 ' }, { text: 'done' }])
    expect(answer.usage).toMatchObject({ inputTokens: 300, outputTokens: 30, microUsd: 3 * (300 + 150) })
    expect(seen.at(-1)?.body.messages).toMatchObject([
      { role: 'user', content: 'tea' },
      { role: 'assistant', content: [{ text: '1 ' }] },
      { role: 'assistant', content: [{ text: '2 ' }] },
    ])
  })

  it('ends when it goes on for ever', async () => {
    const given = await failing(prompt('tea'), () => ({ ...paused('more'), usage }))
    expect(given.failure).toMatchObject({ code: 'provider_error', class: 'transient' })
    expect(given.failure.message).toContain('pause_turn')
    expect(seen).toHaveLength(9)
    expect(given.usage).toMatchObject({ inputTokens: 900, outputTokens: 90 })
  })

  it('a failure in a later part carries what the parts before it used', async () => {
    const given = await failing(prompt('tea'), ({ turn }) =>
      turn === 1 ? { ...paused('1'), usage } : { type: 'error', status: 529, message: 'Overloaded' },
    )
    expect(given.failure).toMatchObject({ code: 'overloaded', http: 529 })
    expect(given.usage).toMatchObject({ inputTokens: 100, outputTokens: 10 })
  })

  it('with nothing said is no answer', async () => {
    expect((await failing(prompt('tea'), () => paused(''))).failure).toMatchObject({
      code: 'provider_error',
      message: expect.stringContaining('pause_turn'),
    })
  })

  it('with a tool of ours is a tool turn', async () => {
    const answer = await ask({ tools: [TOOL] }, () => ({
      ...paused(''),
      toolUses: [{ name: 'look', input: { q: 'x' } }],
    }))
    expect(answer.toolUses).toMatchObject([{ name: 'look', input: { q: 'x' } }])
    expect(seen).toHaveLength(1)
  })
})

it('a conversation with an answer of another model goes through', async () => {
  const answer = await ask({
    tools: [TOOL],
    messages: [
      { role: 'user', text: '[[scripted: turns=0]] tea' },
      { role: 'answer', content: { parts: [] }, text: '', toolUses: [{ id: 'x:1', name: 'look', input: {} }] },
      { role: 'results', results: [{ id: 'x:1', isError: false, content: 'green' }] },
    ],
  })
  expect(answer.text).not.toBe('')
  expect(seen[0]?.toolResults).toEqual(['green'])
})

it('an abort in the middle ends the call on both sides', async () => {
  const abort = new AbortController()
  const gone = failure('cancelled', 'the attempt is no longer wanted')
  const pending = failing(prompt('[[scripted: hang=stream]] tea'), () => null, abort.signal)
  await expect.poll(() => model?.calls()).toHaveLength(1)
  abort.abort(gone)
  expect((await pending).failure).toEqual(gone)
  await expect.poll(() => model?.calls().map(({ outcome }) => outcome)).toEqual(['aborted'])
})
