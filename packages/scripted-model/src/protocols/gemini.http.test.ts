// Gemini's protocol as its own SDK sees it.
import {
  ApiError,
  type Content,
  FinishReason,
  FunctionCallingConfigMode,
  type GenerateContentConfig,
  type GenerateContentResponse,
  type GoogleGenAI,
  type Part,
  Type,
} from '@google/genai'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Fixture, geminiOf, listOf, PERSON_SCHEMA, startFixture, thrownBy } from '../server.fixture.ts'

const MODEL = 'gemini-3-flash'
const TOOL = { name: 'lookup', description: 'Looks up', parametersJsonSchema: PERSON_SCHEMA }
const tools = [{ functionDeclarations: [TOOL] }]

let model: Fixture
let client: GoogleGenAI
beforeEach(async () => {
  model = await startFixture()
  client = geminiOf(model)
})
afterEach(() => model.end())

const ask = (contents: string | Content[], config: GenerateContentConfig = {}, name = MODEL) =>
  client.models.generateContent({ model: name, contents, config })

const streamed = async (contents: string, config: GenerateContentConfig = {}): Promise<GenerateContentResponse[]> =>
  listOf(await client.models.generateContentStream({ model: MODEL, contents, config }))

const partsOf = ({ candidates }: GenerateContentResponse): Part[] => candidates?.[0]?.content?.parts ?? []

describe('an answer', () => {
  it('has text, a reason and usage', async () => {
    const answer = await ask('Say something about tea')
    expect(answer.text).toContain('tea')
    expect(answer.candidates?.[0]?.finishReason).toBe(FinishReason.STOP)
    const { promptTokenCount = 0, candidatesTokenCount = 0, totalTokenCount } = answer.usageMetadata ?? {}
    expect(totalTokenCount).toBe(promptTokenCount + candidatesTokenCount)
    expect(model.calls()).toMatchObject([
      { protocol: 'gemini', model: MODEL, outcome: 'answered', outputTokens: candidatesTokenCount },
    ])
  })

  it('streams the same text in pieces, usage with the last', async () => {
    const content = 'Say something about tea'
    const whole = await ask(content)
    const chunks = await streamed(content)
    expect(chunks.length).toBeGreaterThan(3)
    expect(chunks.map(({ text }) => text ?? '').join('')).toBe(whole.text)
    expect(chunks.at(-1)?.usageMetadata).toEqual(whole.usageMetadata)
    expect(chunks.map(({ candidates }) => candidates?.[0]?.finishReason).filter((reason) => reason)).toEqual(['STOP'])
  })

  it.each<[string, GenerateContentConfig]>([
    ['of JSON', { responseJsonSchema: PERSON_SCHEMA }],
    [
      'of OpenAPI',
      {
        responseSchema: {
          type: Type.OBJECT,
          properties: { name: { type: Type.STRING }, mood: { type: Type.STRING, enum: ['glad', 'sad'] } },
          required: ['name', 'mood'],
        },
      },
    ],
  ])('fits a schema %s', async (_name, config) => {
    const answer = await ask('Who?', { ...config, responseMimeType: 'application/json' })
    expect(JSON.parse(answer.text ?? '')).toEqual({
      name: expect.any(String),
      mood: expect.stringMatching(/^(glad|sad)$/),
    })
  })
})

/** The next turn: what the model said, and a result for each of its calls. */
const answered = (contents: Content[], answer: GenerateContentResponse): Content[] => {
  const parts = partsOf(answer)
  const results = (answer.functionCalls ?? []).map(
    ({ id, name }): Part => ({
      functionResponse: { ...(id ? { id } : {}), name: name ?? '', response: { output: 'found it' } },
    }),
  )
  return [...contents, { role: 'model', parts }, { role: 'user', parts: results }]
}

describe('tools', () => {
  it('are called until there is an answer, with arguments that fit', async () => {
    let contents: Content[] = [{ role: 'user', parts: [{ text: 'Go [[scripted: turns=2 parallel=2]]' }] }]
    const ids: (string | undefined)[] = []
    for (;;) {
      const answer = await ask(contents, { tools })
      expect(answer.candidates?.[0]?.finishReason).toBe(FinishReason.STOP)
      if (!answer.functionCalls) break
      for (const { id, args } of answer.functionCalls) {
        ids.push(id)
        expect(args).toMatchObject({ name: expect.any(String), mood: expect.any(String) })
      }
      contents = answered(contents, answer)
    }
    expect(new Set(ids).size).toBe(4)
    expect(model.calls().map(({ turn }) => turn)).toEqual([1, 2, 3])
  })

  it('come whole in a stream', async () => {
    const chunks = await streamed('Go', { tools })
    const calls = chunks.flatMap((chunk) => chunk.functionCalls ?? [])
    expect(calls).toMatchObject([{ name: 'lookup', args: { name: expect.any(String) } }])
  })

  it('are called when they must be', async () => {
    const functionCallingConfig = { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ['lookup'] }
    const answer = await ask('Go [[scripted: turns=0]]', { tools, toolConfig: { functionCallingConfig } })
    expect(answer.functionCalls).toMatchObject([{ name: 'lookup' }])
    const none = { functionCallingConfig: { mode: FunctionCallingConfigMode.NONE } }
    expect((await ask('Go', { tools, toolConfig: none })).functionCalls).toBeUndefined()
  })
})

describe('a request that is refused', () => {
  const call = (thoughtSignature?: string): Content => ({
    role: 'model',
    parts: [{ functionCall: { name: 'lookup', args: {} }, ...(thoughtSignature ? { thoughtSignature } : {}) }],
  })
  const user: Content = { role: 'user', parts: [{ text: 'go' }] }
  const result: Content = { role: 'user', parts: [{ functionResponse: { name: 'lookup', response: {} } }] }

  it.each<[string, Content[], GenerateContentConfig, RegExp, string?]>([
    ['calls without results', [user, call('s'), user], {}, /number of function response parts/],
    ['a result without its call', [user, result], {}, /number of function response parts/],
    ['calls at the end', [user, call('s')], {}, /function response turn/],
    ['a call without its signature', [user, call(), result], {}, /thought_signature/],
    ['a schema without its type', [user], { responseJsonSchema: PERSON_SCHEMA }, /response_mime_type/],
    [
      'tools and JSON for an older model',
      [user],
      { tools, responseMimeType: 'application/json' },
      /unsupported/,
      'gemini-2.5-flash',
    ],
  ])('%s', async (_name, contents, config, message, name) => {
    const error = await thrownBy(ask(contents, config, name))
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ status: 400, message: expect.stringMatching(message) })
    expect(error).toMatchObject({ message: expect.stringContaining('INVALID_ARGUMENT') })
    expect(model.calls()).toMatchObject([{ outcome: 'rejected', status: 400 }])
  })

  it('an older model needs no signature', async () => {
    expect((await ask([user, call(), result], {}, 'gemini-2.5-flash')).text).toContain('go')
  })

  it('no key', async () => {
    const response = await fetch(`${model.url}/v1beta/models/${MODEL}:generateContent`, { method: 'POST', body: '{}' })
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ error: { status: 'PERMISSION_DENIED' } })
  })
})

describe('an error', () => {
  it.each<[string, number, RegExp]>([
    ['fail=429 retry-after=171', 429, /RESOURCE_EXHAUSTED.*RetryInfo.*"retryDelay":"171s"/],
    ['error=authentication_failed', 400, /API key not valid.*API_KEY_INVALID/],
    ['error=model_not_found', 404, /NOT_FOUND/],
    ['error=context_too_long', 400, /INVALID_ARGUMENT/],
    ['error=overloaded', 503, /UNAVAILABLE/],
    ['error=server_error', 500, /INTERNAL/],
  ])('%s is one of the SDK', async (directive, status, message) => {
    const error = await thrownBy(ask(`tea [[scripted: ${directive}]]`))
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ status, message: expect.stringMatching(message) })
  })

  it('inside a stream comes after what was said', async () => {
    const error = await thrownBy(streamed('tea [[scripted: error=overloaded in=stream]]'))
    expect(error).toMatchObject({ status: 503, message: expect.stringContaining('UNAVAILABLE') })
    expect(model.calls()).toMatchObject([{ outcome: 'failed', status: 200 }])
  })
})
