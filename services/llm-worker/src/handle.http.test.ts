// The handler against the scripted server over HTTP, with the real SDK in between.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  defaultPrices,
  type Failure,
  type FailureCode,
  failure,
  type Json,
  type LlmInput,
  turnOutputSchema,
  type Usage,
} from '@stepfleet/contracts'
import { TaskFailure, type TaskHandler } from '@stepfleet/runtime'
import { type Script, type ScriptedModel, type StopReason, startScriptedModel } from '@stepfleet/scripted-model'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createConversations } from './conversation.ts'
import { createHandler } from './handle.ts'
import { createAnthropic } from './providers/anthropic.ts'
import { createSchemaChecks } from './schema-check.ts'
import { contextOf, eventsOf, llmInput, MODEL, memoryRecord } from './task.fixture.ts'

let dir = ''
let model: ScriptedModel
let handler: TaskHandler

interface Timers {
  headersMs?: number
  chunkMs?: number
}

const handlerFor = (baseUrl: string, { headersMs = 10_000, chunkMs = 10_000 }: Timers = {}): TaskHandler =>
  createHandler({
    providers: [createAnthropic({ apiKey: null, baseUrl, tellStep: true, headersMs, chunkMs, prices: defaultPrices })],
    conversations: createConversations(1_000_000),
    checks: createSchemaChecks(),
  })

const start = async (script?: Script): Promise<void> => {
  model = await startScriptedModel({
    ledger: join(dir, `ledger-${Math.random()}.jsonl`),
    ...(script ? { script } : {}),
  })
  handler = handlerFor(model.url)
}
const scripted = async (script: Script): Promise<void> => {
  await model.stop()
  await start(script)
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'llm-worker-'))
  await start()
})
afterEach(async () => {
  await model.stop()
  rmSync(dir, { recursive: true, force: true })
})

interface Failed {
  failure: Failure
  usage: Usage | undefined
}

const failing = async (input: LlmInput, using = handler, signal?: AbortSignal): Promise<Failed> => {
  const context = contextOf(input, signal ? { signal } : {})
  try {
    await using.run(context)
  } catch (error) {
    return { failure: using.classify(error, context), usage: error instanceof TaskFailure ? error.usage : undefined }
  }
  throw new Error('it did not fail')
}

const TOOL = {
  name: 'lookup',
  description: 'Looks up',
  input: { type: 'object', properties: { q: { type: 'string' } }, required: ['q'] },
}
const AGENT = { path: 'work', turn: 1, tools: [TOOL], history: [] }

describe('a prompt', () => {
  it('is answered with its text, and with what it cost', async () => {
    const { output, usage } = await handler.run(
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
    await scripted(() => ({ type: 'message', text: 'ok', usage: tokens }))
    const { usage } = await handler.run(contextOf(llmInput('x')))
    expect(usage).toMatchObject({ ...tokens, microUsd: 10 * 3 + 20 * 15 + 1_000 * 0.3 + 2_000 * 3.75 })
  })

  it('of a model without a price costs null, not nothing', async () => {
    const { usage } = await handler.run(contextOf(llmInput('tea', { model: 'anthropic/claude-unheard-of' })))
    expect(usage).toMatchObject({ model: 'anthropic/claude-unheard-of', microUsd: null })
  })

  it('tells the other side step and effect key', async () => {
    await handler.run(contextOf(llmInput('tea'), { path: 'search[3]' }))
    expect(model.calls()).toMatchObject([
      { run: 'r1', step: 'search[3]', attempt: 2, delivery: 1, key: 'default/r1/search[3]' },
    ])
  })

  it('carries system, earlier messages and settings', async () => {
    const seen: Json[] = []
    await scripted(({ body }) => {
      seen.push(JSON.parse(JSON.stringify(body)))
      return null
    })
    const messages: LlmInput['messages'] = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
      { role: 'user', content: 'c' },
    ]
    await handler.run(contextOf(llmInput('', { messages, system: 'S', settings: { max_tokens: 50, stop: ['END'] } })))
    await handler.run(contextOf(llmInput('x')))
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

interface Row {
  code: FailureCode
  class: Failure['class']
  http?: number
  retryAfterMs?: number
  /** The provider had told of tokens before it failed. */
  paid?: boolean
  /** Speaks against the provider. */
  counts?: boolean
}

describe('what the provider does wrong', () => {
  it.each<[string, Row]>([
    ['fail=400', { code: 'bad_request', class: 'permanent', http: 400 }],
    [
      'fail=400 message=prompt is too long: 210000 tokens > 200000 maximum',
      { code: 'context_too_long', class: 'permanent', http: 400 },
    ],
    ['fail=401', { code: 'authentication_failed', class: 'permanent', http: 401 }],
    ['fail=402', { code: 'permission_denied', class: 'permanent', http: 402 }],
    ['fail=403', { code: 'permission_denied', class: 'permanent', http: 403 }],
    ['fail=404', { code: 'not_found', class: 'permanent', http: 404 }],
    ['fail=404 message=model: claude-unheard-of', { code: 'model_unknown', class: 'permanent', http: 404 }],
    ['fail=408', { code: 'timeout', class: 'transient', http: 408, counts: true }],
    ['fail=409', { code: 'provider_error', class: 'transient', http: 409 }],
    ['fail=413', { code: 'payload_too_large', class: 'permanent', http: 413 }],
    ['fail=418', { code: 'bad_request', class: 'permanent', http: 418 }],
    ['fail=422', { code: 'bad_request', class: 'permanent', http: 422 }],
    [
      'fail=429 retry-after=171',
      { code: 'rate_limited', class: 'transient', http: 429, retryAfterMs: 171_000, counts: true },
    ],
    ['fail=500', { code: 'provider_error', class: 'transient', http: 500, counts: true }],
    ['fail=501', { code: 'provider_error', class: 'permanent', http: 501 }],
    [
      'fail=503 retry-after=2',
      { code: 'provider_error', class: 'transient', http: 503, retryAfterMs: 2_000, counts: true },
    ],
    ['fail=504', { code: 'provider_error', class: 'transient', http: 504, counts: true }],
    ['fail=529', { code: 'overloaded', class: 'transient', http: 529, counts: true }],
    ['fail=529 in=stream', { code: 'overloaded', class: 'transient', paid: true, counts: true }],
    ['cut=stream', { code: 'stream_broken', class: 'transient', paid: true, counts: true }],
    ['cut=reset', { code: 'stream_broken', class: 'transient', paid: true, counts: true }],
    ['cut=headers', { code: 'connection_failed', class: 'transient', counts: true }],
    ['stop=max_tokens', { code: 'output_truncated', class: 'permanent', paid: true }],
    ['stop=pause_turn', { code: 'provider_error', class: 'transient', paid: true, counts: true }],
    ['stop=model_context_window_exceeded', { code: 'context_too_long', class: 'permanent', paid: true }],
    ['stop=tool_use', { code: 'malformed_output', class: 'transient', paid: true }],
    ['refusal', { code: 'refused_by_model', class: 'permanent', paid: true }],
  ])('%s', async (directive, { paid = false, counts = false, ...expected }) => {
    const { failure: given, usage } = await failing(llmInput(`[[scripted: ${directive}]] tea`))
    expect(given).toMatchObject(expected)
    expect(given.http).toBe(expected.http)
    expect(given.retryAfterMs).toBe(expected.retryAfterMs)
    expect(usage !== undefined && usage.inputTokens > 0 && usage.scripted === true).toBe(paid)
    expect(handler.countsAgainstDependency(given)).toBe(counts)
    // only the engine retries
    expect(model.calls()).toHaveLength(1)
  })

  it('a provider that is not there has seen nothing', async () => {
    const url = model.url
    await model.stop()
    const { failure: given } = await failing(llmInput('tea'), handlerFor(url))
    expect(given).toMatchObject({ code: 'connection_failed', details: { notSent: true } })
    expect(given.message).toContain('ECONNREFUSED')
    await start()
  })

  it('a second attempt succeeds once the fault is over', async () => {
    const input = llmInput('[[scripted: fail=529 times=1]] [[scripted: say=done]]')
    expect((await failing(input)).failure.code).toBe('overloaded')
    expect((await handler.run(contextOf(input))).output).toBe('done')
  })

  it('an empty answer is no answer', async () => {
    await scripted(() => ({ type: 'message', text: '' }))
    expect((await failing(llmInput('tea'))).failure).toMatchObject({
      code: 'malformed_output',
      message: expect.stringContaining('nothing'),
    })
  })

  it('a tool asked for that was never offered', async () => {
    await scripted(() => ({ type: 'message', text: '', toolUses: [{ name: 'shell', input: {} }] }))
    expect((await failing(llmInput('tea'))).failure).toMatchObject({ code: 'malformed_output' })
  })
})

describe('the three timers', () => {
  it('to the headers', async () => {
    const { failure: given, usage } = await failing(
      llmInput('[[scripted: hang]]'),
      handlerFor(model.url, { headersMs: 60 }),
    )
    expect(given).toMatchObject({ code: 'timeout', class: 'transient' })
    expect(usage).toBeUndefined()
  })

  it('between chunks; what was used until then is told', async () => {
    const { failure: given, usage } = await failing(
      llmInput('[[scripted: hang=stream]]'),
      handlerFor(model.url, { chunkMs: 60 }),
    )
    expect(given).toMatchObject({ code: 'timeout', message: expect.stringContaining('60 ms') })
    expect(usage?.inputTokens).toBeGreaterThan(0)
    await expect.poll(() => model.calls()[0]?.outcome).toBe('aborted')
  })

  it('between chunks, not for the whole answer', async () => {
    const slow = handlerFor(model.url, { chunkMs: 150 })
    const startedMs = performance.now()
    await slow.run(contextOf(llmInput('[[scripted: chunk-ms=30]] tea')))
    expect(performance.now() - startedMs).toBeGreaterThan(150)
  })

  it('in total, by the signal', async () => {
    const abort = new AbortController()
    const pending = failing(llmInput('[[scripted: hang]]'), handler, abort.signal)
    await expect.poll(() => model.calls()).toHaveLength(1)
    abort.abort(failure('timeout', 'no result within 5000 ms'))
    expect((await pending).failure).toEqual(failure('timeout', 'no result within 5000 ms'))
  })
})

describe('abort', () => {
  it('in the middle of the stream ends the call on both sides', async () => {
    const abort = new AbortController()
    let chunks = false
    await scripted((request) => {
      chunks = true
      return { type: 'message', text: request.prompt.repeat(100), chunkMs: 20 }
    })
    const pending = failing(llmInput('a long story about tea'), handler, abort.signal)
    await expect.poll(() => chunks).toBe(true)
    // the first chunk has the usage, so the call is paid for from there on
    await new Promise((resolve) => setTimeout(resolve, 100))
    abort.abort(failure('cancelled', 'the attempt is no longer wanted'))
    const { failure: given, usage } = await pending
    expect(given).toEqual(failure('cancelled', 'the attempt is no longer wanted'))
    expect(usage?.inputTokens).toBeGreaterThan(0)
    await expect.poll(() => model.calls()[0]?.outcome).toBe('aborted')
  })

  it('before the call sends nothing', async () => {
    const { failure: given } = await failing(llmInput('tea'), handler, AbortSignal.abort(failure('cancelled', 'gone')))
    expect(given.code).toBe('cancelled')
    expect(model.calls()).toEqual([])
  })
})

describe('an output schema', () => {
  const REPORT = {
    type: 'object',
    required: ['text', 'confidence'],
    properties: { text: { type: 'string', minLength: 1 }, confidence: { type: 'number', minimum: 0, maximum: 1 } },
  }

  it.each<[string, Record<string, Json>]>([
    ['an object with bounds', REPORT],
    ['a list', { type: 'array', items: { type: 'string' }, minItems: 5 }],
    ['a word', { enum: ['yes', 'no'] }],
    ['a number', { type: 'integer', minimum: 3, maximum: 9 }],
    [
      'an object of objects',
      { type: 'object', properties: { a: REPORT, b: { type: 'array', items: REPORT } }, required: ['a', 'b'] },
    ],
    ['definitions', { $defs: { r: REPORT }, type: 'array', items: { $ref: '#/$defs/r' } }],
    ['free keys', { type: 'object', additionalProperties: { type: 'number' }, required: ['x'] }],
    [
      'itself',
      {
        $defs: {
          t: {
            type: 'object',
            properties: {
              name: { type: 'string' },
              kids: { type: 'array', items: { $ref: '#/$defs/t' }, maxItems: 1 },
            },
            required: ['name'],
          },
        },
        $ref: '#/$defs/t',
      },
    ],
    ['anything', {}],
    [
      'an email',
      {
        type: 'object',
        properties: { to: { type: 'string', format: 'email' }, at: { type: 'string', format: 'date-time' } },
        required: ['to', 'at'],
      },
    ],
  ])('of %s gives a value that fits', async (_name, output) => {
    const result = await handler.run(contextOf(llmInput('Report on tea', { output })))
    expect(createSchemaChecks().errors(output, result.output)).toEqual([])
    expect(model.calls()).toHaveLength(1)
  })

  it.each(['malformed', 'malformed=schema'])(
    'is asked for once more after %s, and both calls are paid for',
    async (fault) => {
      const { output, usage } = await handler.run(
        contextOf(llmInput(`[[scripted: ${fault} times=1]] tea`, { output: REPORT })),
      )
      expect(output).toMatchObject({ confidence: 0.75 })
      const calls = model.calls()
      expect(calls.map(({ turn }) => turn)).toEqual([1, 2])
      expect(usage?.inputTokens).toBe(calls.reduce((sum, call) => sum + call.inputTokens, 0))
      expect(usage?.outputTokens).toBe(calls.reduce((sum, call) => sum + call.outputTokens, 0))
    },
  )

  it('that is missed twice is malformed_output, with what is wrong', async () => {
    const { failure: given, usage } = await failing(llmInput('[[scripted: malformed=schema]] tea', { output: REPORT }))
    expect(given).toMatchObject({
      code: 'malformed_output',
      class: 'transient',
      details: { errors: ['the value must be object'] },
    })
    expect(handler.countsAgainstDependency(given)).toBe(false)
    expect(model.calls()).toHaveLength(2)
    expect(usage?.inputTokens).toBe(model.calls().reduce((sum, call) => sum + call.inputTokens, 0))
  })

  it('tells the model what was wrong', async () => {
    const prompts: string[] = []
    await scripted(({ prompt, turn }) => {
      prompts.push(prompt)
      return {
        type: 'message',
        text: turn === 1 ? '{"text": "", "confidence": 2}' : '```json\n{"text": "x", "confidence": 1}\n```',
      }
    })
    const { output } = await handler.run(contextOf(llmInput('tea', { output: REPORT })))
    expect(output).toEqual({ text: 'x', confidence: 1 })
    expect(prompts[1]).toMatch(/\/text must NOT have fewer than 1 characters\n- \/confidence must be <= 1/)
  })

  it('keeps the price of the first call when the second one fails', async () => {
    await scripted(({ turn }) =>
      turn === 1 ? { type: 'message', text: 'no json' } : { type: 'error', status: 529, message: 'busy' },
    )
    const { failure: given, usage } = await failing(llmInput('tea', { output: REPORT }))
    expect(given.code).toBe('overloaded')
    expect(usage?.inputTokens).toBeGreaterThan(0)
  })

  it('that is no schema fails before anything is paid for', async () => {
    const { failure: given } = await failing(llmInput('tea', { output: { type: 'objekt' } }))
    expect(given).toMatchObject({ code: 'bad_request', message: expect.stringContaining('output schema') })
    expect(model.calls()).toEqual([])
  })
})

describe("an agent's turn", () => {
  it('that asks for tools answers them, and the content to send back', async () => {
    const { output } = await handler.run(contextOf(llmInput('Go [[scripted: turns=1 parallel=2]]', { agent: AGENT })))
    const turn = turnOutputSchema.parse(output)
    expect(turn.toolUses.map(({ name }) => name)).toEqual(['lookup', 'lookup'])
    expect(turn.content).toMatchObject([
      { type: 'text' },
      { type: 'tool_use', input: turn.toolUses[0]?.input },
      { type: 'tool_use' },
    ])
  })

  it('that ends it has the answer in text', async () => {
    const { output } = await handler.run(
      contextOf(llmInput('Go [[scripted: turns=0]] [[scripted: say=Done.]]', { agent: AGENT })),
    )
    expect(output).toMatchObject({ text: 'Done.', toolUses: [] })
  })

  it('sends the turns before it, in pairs', async () => {
    const first = turnOutputSchema.parse(
      (await handler.run(contextOf(llmInput('Go [[scripted: turns=1]]', { agent: AGENT })))).output,
    )
    const record = memoryRecord(
      eventsOf([
        { type: 'step.completed', path: 'work/turn-1/llm', output: { value: { ...first } } },
        { type: 'step.failed', path: 'work/turn-1/tool-0', failure: failure('tool_failed', 'it is raining') },
      ]),
    )
    const input = llmInput('Go [[scripted: turns=1]]', { agent: { ...AGENT, turn: 2, history: [1, 2] } })
    const { output } = await handler.run(contextOf(input, { record }))
    // the scripted server refuses a conversation that is not paired
    expect(output).toMatchObject({ toolUses: [], text: expect.stringContaining('tool_failed: it is raining') })
    expect(model.calls().map(({ turn }) => turn)).toEqual([1, 2])
  })

  it('with a schema gives the checked value as JSON text', async () => {
    const output = { type: 'array', items: { type: 'string' }, minItems: 2 }
    const done = await handler.run(
      contextOf(llmInput('Go [[scripted: turns=0]] [[scripted: malformed times=1]]', { agent: AGENT, output })),
    )
    const value: Json = JSON.parse(turnOutputSchema.parse(done.output).text)
    expect(value).toHaveLength(3)
    expect(model.calls()).toHaveLength(2)
  })

  it.each<[string, FailureCode]>([
    ['stop=max_tokens', 'output_truncated'],
    ['malformed', 'malformed_output'],
  ])('never repairs the arguments of a tool: %s', async (fault, code) => {
    const { failure: given, usage } = await failing(
      llmInput(`Go [[scripted: turns=1]] [[scripted: ${fault}]]`, { agent: AGENT }),
    )
    expect(given.code).toBe(code)
    expect(usage?.outputTokens).toBeGreaterThan(0)
  })

  it.each<[StopReason, FailureCode]>([
    ['tool_use', 'malformed_output'],
    ['max_tokens', 'output_truncated'],
  ])('is not taken in part when one of its calls is cut (%s)', async (stop, code) => {
    const whole = { name: 'lookup', input: { q: 'tea' } }
    await scripted(() => ({ type: 'message', text: '', stop, toolUses: [whole, { ...whole, raw: '{"q": "te' }] }))
    expect((await failing(llmInput('Go', { agent: AGENT }))).failure.code).toBe(code)
  })

  it('takes a tool without arguments for one with none', async () => {
    await scripted(() => ({ type: 'message', text: '', toolUses: [{ name: 'lookup', input: {}, raw: '' }] }))
    const { output } = await handler.run(contextOf(llmInput('Go', { agent: AGENT })))
    expect(output).toMatchObject({ toolUses: [{ name: 'lookup', input: {} }] })
  })

  it('may not ask for tools when it is asked to correct its answer', async () => {
    const choices: string[] = []
    await scripted(({ toolChoice, tools, turn }) => {
      choices.push(`${toolChoice} of ${tools.length}`)
      return { type: 'message', text: turn === 1 ? 'no json' : '{"value": 1}' }
    })
    const { output } = await handler.run(contextOf(llmInput('Go', { agent: AGENT, output: { type: 'integer' } })))
    expect(output).toMatchObject({ text: '1', toolUses: [] })
    expect(choices).toEqual(['auto of 1', 'none of 1'])
  })
})

describe('what is refused without a call', () => {
  it.each<[string, LlmInput, FailureCode]>([
    ['settings the provider does not take', llmInput('tea', { settings: { temperature: 1 } }), 'bad_request'],
    ['a provider that is not served', llmInput('tea', { model: 'openai/gpt-5-mini' }), 'model_unknown'],
    ['an input that is none', llmInput('tea', { messages: [] }), 'bad_request'],
  ])('%s', async (_name, input, code) => {
    expect((await failing(input)).failure).toMatchObject({ code, class: 'permanent' })
    expect(model.calls()).toEqual([])
  })
})

it('names its model as what it depends on', () => {
  const { task } = contextOf(llmInput('tea'))
  expect(handler.dependency(task, JSON.parse(JSON.stringify(llmInput('tea'))))).toBe(MODEL)
  expect(handler.dependency(task, null)).toBeNull()
})
