// Answers out of Gemini's chunks.
import type { GenerateContentResponse } from '@google/genai'
import { describe, expect, it } from 'vitest'
import type { Collected } from './collected.ts'
import { ContentCollector } from './gemini-stream.ts'

// chunks come from JSON; the SDK's class only adds getters
const collected = (...chunks: object[]): Collected => {
  const collector = new ContentCollector('default/r1/ask')
  for (const chunk of chunks) collector.add(JSON.parse(JSON.stringify(chunk)) as GenerateContentResponse)
  return collector.result()
}
const parts = (...given: object[]) => ({ candidates: [{ content: { role: 'model', parts: given }, index: 0 }] })
const finish = (finishReason: string, finishMessage?: string) => ({ candidates: [{ finishReason, finishMessage }] })

describe('an answer', () => {
  it('is text in pieces, and thoughts are none of it', () => {
    const { text, content, stopped, whole } = collected(
      parts({ text: 'Hm', thought: true }),
      parts({ text: '.', thought: true }),
      parts({ text: 'Te' }),
      parts({ text: 'a' }),
      parts({ text: '' }),
      finish('STOP'),
    )
    expect({ text, stopped, whole }).toEqual({ text: 'Tea', stopped: null, whole: true })
    expect(content).toEqual([{ role: 'model', parts: [{ text: 'Hm.', thought: true }, { text: 'Tea' }] }])
  })

  it('keeps what is signed as it came, also where it says nothing', () => {
    const signed = [{ text: 'b', thoughtSignature: 'c2ln' }, { text: 'c' }, { text: '', thoughtSignature: 'ZW5k' }]
    expect(collected(parts({ text: 'a' }), ...signed.map((one) => parts(one)), finish('STOP')).content).toEqual([
      { role: 'model', parts: [{ text: 'a' }, ...signed] },
    ])
  })

  it('asks for tools: with ids or without, and without arguments where there are none', () => {
    const { toolUses, content } = collected(
      parts({ functionCall: { id: 'g1', name: 'lookup', args: { q: 'x' } }, thoughtSignature: 'c2ln' }),
      parts({ functionCall: { name: 'now' } }),
      finish('STOP'),
    )
    expect(toolUses).toEqual([
      { id: 'g1', name: 'lookup', input: { q: 'x' } },
      { id: expect.stringMatching(/^call_\w+_1$/), name: 'now', input: {} },
    ])
    // the made-up id is ours alone
    expect(content).toEqual([
      {
        role: 'model',
        parts: [
          { functionCall: { id: 'g1', name: 'lookup', args: { q: 'x' } }, thoughtSignature: 'c2ln' },
          { functionCall: { name: 'now' } },
        ],
      },
    ])
  })

  it('counts cached tokens apart, and thoughts as output; each chunk tells totals', () => {
    const usage = (candidates: number) => ({
      usageMetadata: {
        promptTokenCount: 100,
        cachedContentTokenCount: 60,
        candidatesTokenCount: candidates,
        thoughtsTokenCount: 7,
      },
    })
    expect(collected(usage(1), usage(3)).tokens).toEqual({
      inputTokens: 40,
      outputTokens: 10,
      cacheReadTokens: 60,
      cacheWriteTokens: 0,
    })
    expect(collected(parts({ text: 'x' })).tokens).toBeNull()
  })

  it.each([
    ['MAX_TOKENS', 'output_truncated'],
    ['CONTINUATION', 'output_truncated'],
    ['SAFETY', 'refused_by_model'],
    ['RECITATION', 'refused_by_model'],
    ['LANGUAGE', 'refused_by_model'],
    ['BLOCKLIST', 'refused_by_model'],
    ['PROHIBITED_CONTENT', 'refused_by_model'],
    ['SPII', 'refused_by_model'],
    ['IMAGE_SAFETY', 'refused_by_model'],
    ['MALFORMED_FUNCTION_CALL', 'malformed_output'],
    ['UNEXPECTED_TOOL_CALL', 'malformed_output'],
    ['TOO_MANY_TOOL_CALLS', 'malformed_output'],
    ['MISSING_THOUGHT_SIGNATURE', 'bad_request'],
    ['OTHER', 'provider_error'],
    ['FINISH_REASON_UNSPECIFIED', 'provider_error'],
    ['SOMETHING_NEW', 'provider_error'],
  ])('that stops for %s is none: %s', (reason, code) => {
    expect(collected(parts({ text: 'so far' }), finish(reason)).stopped).toMatchObject({ code })
  })

  it('with a call that the provider could not read says what it said of it', () => {
    expect(collected(finish('MALFORMED_FUNCTION_CALL', 'print(lookup(')).stopped).toMatchObject({
      details: { reason: 'MALFORMED_FUNCTION_CALL', said: 'print(lookup(' },
    })
  })

  it('that was never begun, because of the prompt, is a refusal', () => {
    const { stopped, whole } = collected({ promptFeedback: { blockReason: 'PROHIBITED_CONTENT' } })
    expect(whole).toBe(true)
    expect(stopped).toMatchObject({ code: 'refused_by_model', message: expect.stringContaining('PROHIBITED_CONTENT') })
  })

  it('without a reason for stopping is not whole', () => {
    expect(collected(parts({ text: 'Te' })).whole).toBe(false)
  })
})
