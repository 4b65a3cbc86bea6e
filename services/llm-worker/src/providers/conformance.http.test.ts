// The suite of conformance.fixture.ts for each provider: answers, tools, and what is no whole answer. (Errors, silence and
// cancelled calls: conformance-faults.)
import { type ScriptRequest, TORN_CHARACTER } from '@stepfleet/scripted-model'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConformanceBench, FORMAT, nextTurn, SUBJECTS } from './conformance.fixture.ts'
import { FOREIGN, LOOKUP } from './request.fixture.ts'

describe.each(SUBJECTS)('$name', (subject) => {
  let bench: ConformanceBench
  beforeEach(() => {
    bench = new ConformanceBench(subject)
  })
  afterEach(() => bench.stop())

  describe('an answer', () => {
    it('is the text, with what was used and what it costs', async () => {
      const usage = { inputTokens: 10, outputTokens: 20, cacheReadTokens: 1_000, cacheWriteTokens: 0 }
      const { answer } = await bench.ask({ type: 'message', text: 'Green tea.', usage })
      expect(answer).toMatchObject({ text: 'Green tea.', toolUses: [] })
      expect(answer?.usage).toEqual({
        model: `${subject.name}/${subject.model}`,
        ...usage,
        microUsd: 10 + 2 * 20 + 100,
        scripted: true,
      })
      expect(bench.outcomes()).toEqual(['answered'])
    })

    it('of a model without a price costs null', async () => {
      const { usage } = await bench.ask({ type: 'message', text: 'x' }, { request: { model: `${subject.model}-new` } })
      expect(usage).toMatchObject({ microUsd: null, scripted: true })
      expect(usage?.outputTokens).toBeGreaterThan(0)
    })

    it('is asked for with system, earlier messages, settings and the step', async () => {
      const seen: ScriptRequest[] = []
      await bench.serve((request) => {
        seen.push(request)
        return { type: 'message', text: 'ok' }
      })
      await bench.call(bench.provider(), {
        system: 'Be brief.',
        messages: [
          { role: 'user', text: 'a' },
          { role: 'assistant', text: 'b' },
          { role: 'user', text: 'c' },
        ],
        settings: { max_tokens: 77, stop: ['END'] },
      })
      expect(seen).toMatchObject([
        {
          protocol: subject.name,
          model: subject.model,
          system: 'Be brief.',
          prompt: 'a\nc',
          turn: 2,
          maxTokens: 77,
          stopSequences: ['END'],
          stream: true,
          effectKey: 'default/r1/ask',
          task: 'default~r1.ask.1.1',
        },
      ])
    })

    it('fits its schema, which is asked for', async () => {
      const seen: ScriptRequest[] = []
      await bench.serve((request) => {
        seen.push(request)
        return { type: 'message', text: '{"verdict": "yes"}' }
      })
      const { answer } = await bench.call(bench.provider(), { format: FORMAT })
      expect(answer?.text).toBe('{"verdict": "yes"}')
      expect(seen[0]?.schema).toEqual(FORMAT)
    })

    it('keeps its characters whole, wherever the stream cuts them', async () => {
      const text = '€ 日本 🫖 '.repeat(50)
      const { answer } = await bench.ask({ type: 'message', text, trickleMs: 0 })
      expect(answer?.text).toBe(text)
    })
  })

  describe('tools', () => {
    it('are offered, asked for, and answered in the next turn', async () => {
      const seen: ScriptRequest[] = []
      await bench.serve((request) => {
        seen.push(request)
        return request.turn === 1
          ? { type: 'message', text: 'Wait.', toolUses: [{ name: 'lookup', input: { q: 'rain' } }] }
          : { type: 'message', text: 'Wet.' }
      })
      const { answer: first } = await bench.call(bench.provider(), { tools: [LOOKUP] })
      expect(first?.toolUses).toEqual([{ id: expect.any(String), name: 'lookup', input: { q: 'rain' } }])
      expect(first?.text).toBe('Wait.')
      const messages = first ? nextTurn(first, ['rain at noon']) : []
      const { answer: second } = await bench.call(bench.provider(), { tools: [LOOKUP], messages })
      expect(second).toMatchObject({ text: 'Wet.', toolUses: [] })
      expect(seen[0]?.tools).toMatchObject([{ name: 'lookup', schema: { type: 'object', required: ['q'] } }])
      expect(seen[1]).toMatchObject({ turn: 2, toolTurns: 1, toolResults: ['rain at noon'] })
    })

    it('several at once, with an error among their results', async () => {
      const seen: ScriptRequest[] = []
      const uses = ['a', 'b', 'c'].map((q) => ({ name: 'lookup', input: { q } }))
      await bench.serve((request) => {
        seen.push(request)
        return request.turn === 1 ? { type: 'message', text: '', toolUses: uses } : { type: 'message', text: 'Done.' }
      })
      const { answer } = await bench.call(bench.provider(), { tools: [LOOKUP] })
      expect(answer?.toolUses.map(({ name, input }) => ({ name, input }))).toEqual(uses)
      expect(new Set(answer?.toolUses.map(({ id }) => id)).size).toBe(3)
      const messages = answer ? nextTurn(answer, ['1', '2']) : []
      expect((await bench.call(bench.provider(), { tools: [LOOKUP], messages })).answer?.text).toBe('Done.')
      expect(seen[1]?.toolResults).toEqual(['1', '2', expect.stringContaining('tool_failed: it broke')])
    })

    it('may be withheld, while they stay declared', async () => {
      const seen: ScriptRequest[] = []
      await bench.serve((request) => {
        seen.push(request)
        return { type: 'message', text: 'ok' }
      })
      await bench.call(bench.provider(), { tools: [LOOKUP], toolChoice: 'none' })
      expect(seen).toMatchObject([{ toolChoice: 'none', tools: [{ name: 'lookup' }] }])
    })

    it('take arguments of 2 MB', async () => {
      const q = 'x'.repeat(2_000_000)
      const { answer } = await bench.ask(
        { type: 'message', text: '', toolUses: [{ name: 'lookup', input: { q } }] },
        { request: { tools: [LOOKUP] } },
      )
      expect(answer?.toolUses).toMatchObject([{ name: 'lookup', input: { q } }])
    })

    it('with arguments that are no JSON are malformed, and never repaired', async () => {
      const raw = '{"q": "rain" and then'
      const { failure, usage } = await bench.ask(
        { type: 'message', text: '', toolUses: [{ name: 'lookup', input: {}, raw }] },
        { request: { tools: [LOOKUP] } },
      )
      expect(failure).toMatchObject({ code: 'malformed_output', class: 'transient' })
      expect(usage?.outputTokens).toBeGreaterThan(0)
      if (subject.showsBrokenArguments && subject.name !== 'anthropic')
        expect(failure?.details).toMatchObject({ tool: 'lookup', arguments: raw })
    })

    it('with arguments that were cut are cut', async () => {
      const { failure } = await bench.ask(
        { type: 'message', text: '', toolUses: [{ name: 'lookup', input: {}, raw: '{"q": "ra' }], stop: 'max_tokens' },
        { request: { tools: [LOOKUP] } },
      )
      expect(failure).toMatchObject({ code: 'output_truncated' })
    })

    it('that another provider asked for are gone on with', async () => {
      await bench.serve(({ toolResults }) => ({ type: 'message', text: toolResults.join(' and ') }))
      const { answer } = await bench.call(bench.provider(), { tools: [LOOKUP], messages: FOREIGN })
      expect(answer?.text).toMatch(/^wet and (error: )?timeout: slow$/)
    })
  })

  describe('what is no whole answer', () => {
    it.each(subject.stops)('stopped by %s is %s, and paid for', async (stop, code) => {
      const { failure, usage } = await bench.ask({
        type: 'message',
        text: stop === 'tool_use' ? '' : 'So far',
        stop: stop as 'refusal',
      })
      expect(failure).toMatchObject({ code })
      expect(usage?.inputTokens).toBeGreaterThan(0)
      expect(usage?.scripted).toBe(true)
      expect(bench.outcomes()).toHaveLength(1)
    })

    it.each(['end', 'reset'] as const)('whose stream breaks off (%s) is a broken stream', async (fault) => {
      const { failure, usage } = await bench.ask({ type: 'message', text: 'A long story. '.repeat(50), fault })
      expect(failure).toMatchObject({ code: 'stream_broken', class: 'transient' })
      expect((usage?.inputTokens ?? 0) > 0).toBe(subject.tellsUsageEarly)
    })

    it('with half a character in it is a broken stream', async () => {
      const text = `A ${TORN_CHARACTER} story`
      const { failure } = await bench.ask({ type: 'message', text, tornUtf8: true })
      expect(failure).toMatchObject({ code: 'stream_broken' })
    })

    it('torn down before its headers is a failed connection', async () => {
      const { failure, usage } = await bench.ask({ type: 'reset' })
      expect(failure).toMatchObject({ code: 'connection_failed', class: 'transient' })
      expect(failure?.details).toBeUndefined()
      expect(usage).toBeUndefined()
    })
  })

  it('keeps nothing between calls: two at once do not mix', async () => {
    await bench.serve(({ prompt }) => ({ type: 'message', text: `${prompt} `.repeat(30), chunkMs: 2 }))
    const provider = bench.provider()
    const answers = await Promise.all(
      ['a', 'b', 'c'].map((text) => bench.call(provider, { messages: [{ role: 'user', text }] })),
    )
    expect(answers.map(({ answer }) => answer?.text)).toEqual(['a', 'b', 'c'].map((text) => `${text} `.repeat(30)))
  })
})
