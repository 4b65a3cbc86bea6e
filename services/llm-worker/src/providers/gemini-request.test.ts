// Requests as Gemini gets them.
import type { Json } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { paramsOf } from './gemini-request.ts'
import { FOREIGN, LOOKUP, requestOf } from './request.fixture.ts'

const FORMAT = { type: 'object', properties: { x: { type: 'string' } }, required: ['x'] }

describe('a request to Gemini', () => {
  it('lets the SDK send nothing of its own', () => {
    expect(paramsOf(requestOf())).toEqual({
      model: 'some-model',
      contents: [{ role: 'user', parts: [{ text: 'tea' }] }],
      config: { automaticContinuation: false, automaticFunctionCalling: { disable: true }, maxOutputTokens: 4_096 },
    })
  })

  it('carries system, settings and a schema', () => {
    const settings = { max_tokens: 50, temperature: 0.5, top_p: 0.9, top_k: 3, stop: ['END'], thinking: 'low' as const }
    expect(paramsOf(requestOf({ system: 'S', settings, format: FORMAT })).config).toMatchObject({
      systemInstruction: 'S',
      maxOutputTokens: 50,
      temperature: 0.5,
      topP: 0.9,
      topK: 3,
      stopSequences: ['END'],
      thinkingConfig: { thinkingLevel: 'LOW' },
      responseMimeType: 'application/json',
      responseJsonSchema: FORMAT,
    })
  })

  it('gives a budget of thoughts to models that know only those', () => {
    const config = (model: string, thinking: 'high' | { budget: number }) =>
      paramsOf(requestOf({ model, settings: { thinking, max_tokens: 1_000 } })).config?.thinkingConfig
    expect(config('gemini-2.5-flash', 'high')).toEqual({ thinkingBudget: 750 })
    expect(config('gemini-4-argon', { budget: 2_000 })).toEqual({ thinkingBudget: 2_000 })
  })

  it('with tools tells the schema in the prompt: not every model takes both', () => {
    const { config } = paramsOf(requestOf({ tools: [LOOKUP], toolChoice: 'none', format: FORMAT }))
    expect(config).toMatchObject({
      tools: [
        { functionDeclarations: [{ name: 'lookup', parametersJsonSchema: { type: 'object', required: ['q'] } }] },
      ],
      toolConfig: { functionCallingConfig: { mode: 'NONE' } },
      systemInstruction: expect.stringContaining('"required":["x"]'),
    })
    expect(config?.responseJsonSchema).toBeUndefined()
  })

  it('sends its own answers back as they came, signatures and all, and names calls by the id they had', () => {
    const own: Json = {
      role: 'model',
      parts: [
        { text: 'Hm.', thought: true },
        { functionCall: { name: 'lookup', args: {} }, thoughtSignature: 'c2ln' },
        { functionCall: { id: 'given', name: 'other', args: {} } },
      ],
    }
    const toolUses = [
      { id: 'made-up', name: 'lookup', input: {} },
      { id: 'given', name: 'other', input: {} },
    ]
    const { contents } = paramsOf(
      requestOf({
        messages: [
          { role: 'answer', content: [own], text: '', toolUses },
          {
            role: 'results',
            results: [
              { id: 'made-up', isError: false, content: '1' },
              { id: 'given', isError: true, content: '2' },
            ],
          },
        ],
      }),
    )
    expect(contents).toEqual([
      own,
      {
        role: 'user',
        parts: [
          { functionResponse: { name: 'lookup', response: { output: '1' } } },
          { functionResponse: { id: 'given', name: 'other', response: { error: '2' } } },
        ],
      },
    ])
  })

  it('says again what another provider answered, with a word for the signature that is not there', () => {
    expect(paramsOf(requestOf({ messages: FOREIGN })).contents).toEqual([
      { role: 'user', parts: [{ text: 'Go' }] },
      {
        role: 'model',
        parts: [
          { text: 'Wait.' },
          {
            functionCall: { id: 'a', name: 'lookup', args: { q: 'rain' } },
            thoughtSignature: 'skip_thought_signature_validator',
          },
          { functionCall: { id: 'b', name: 'lookup', args: { q: 'sun' } } },
        ],
      },
      {
        role: 'user',
        parts: [
          { functionResponse: { id: 'a', name: 'lookup', response: { output: 'wet' } } },
          { functionResponse: { id: 'b', name: 'lookup', response: { error: 'timeout: slow' } } },
        ],
      },
    ])
  })

  it.each(['../other', 'a?b', 'models/x'])('refuses the name %s, which would change the path', (model) => {
    expect(() => paramsOf(requestOf({ model }))).toThrow(
      expect.objectContaining({ failure: expect.objectContaining({ code: 'bad_request' }) }),
    )
  })
})
