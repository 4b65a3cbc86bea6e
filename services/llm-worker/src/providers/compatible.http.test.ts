// What only some servers that speak like OpenAI do, and what the SDKs must not do by themselves.
import { defaultPrices } from '@stepfleet/contracts'
import { afterEach, describe, expect, it } from 'vitest'
import { createGemini } from './gemini.ts'
import { createOpenAI } from './openai.ts'
import { type RawServer, sse, startRawServer, stream } from './raw-server.fixture.ts'
import { requestOf } from './request.fixture.ts'

let server: RawServer | undefined
afterEach(() => server?.stop())

const signal = new AbortController().signal
const FORMAT = { type: 'object', properties: { x: { type: 'string' } }, required: ['x'] }
const ANSWER = [
  sse({ choices: [{ index: 0, delta: { content: 'Tea' }, finish_reason: null }] }),
  sse({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
]

const options = ({ url }: RawServer) => ({
  name: 'ollama',
  compatible: true,
  apiKey: null,
  baseUrl: `${url}/v1`,
  tellStep: true,
  headersMs: 5_000,
  chunkMs: 5_000,
  prices: defaultPrices,
})

describe('a server that only speaks like OpenAI', () => {
  it('may tell no usage and send no [DONE]: the answer is good, its cost unknown', async () => {
    server = await startRawServer((response) => stream(response, ANSWER))
    const answer = await createOpenAI(options(server)).call(requestOf({ model: 'qwen3:8b' }), signal)
    expect(answer).toMatchObject({
      text: 'Tea',
      usage: { model: 'ollama/qwen3:8b', inputTokens: 0, outputTokens: 0, microUsd: null },
    })
    expect(server.requests[0]?.headers).toMatchObject({
      authorization: 'Bearer none',
      'x-stepfleet-effect-key': 'default/r1/ask',
      'x-stepfleet-task': 'default~r1.ask.1.1',
    })
    expect(server.requests[0]?.url).toBe('/v1/chat/completions')
  })

  it('may know no schemas: then the prompt alone has it', async () => {
    server = await startRawServer((response, call) => {
      if (call > 1) return stream(response, ANSWER)
      response.writeHead(400, { 'content-type': 'application/json' })
      return response.end('{"error": {"message": "response_format: json_schema is not supported"}}')
    })
    const answer = await createOpenAI(options(server)).call(requestOf({ format: FORMAT }), signal)
    expect(answer.text).toBe('Tea')
    expect(server.bodies.map((body) => 'response_format' in body)).toEqual([true, false])
    for (const body of server.bodies) expect(JSON.stringify(body.messages)).toContain('JSON Schema')
  })

  it('is asked once where it refuses anything else', async () => {
    server = await startRawServer((response) => {
      response.writeHead(400)
      response.end('{"error": {"message": "no"}}')
    })
    const pending = createOpenAI(options(server)).call(requestOf({ format: FORMAT }), signal)
    await expect(pending).rejects.toMatchObject({ failure: { code: 'bad_request', message: '400 no' } })
    expect(server.bodies).toHaveLength(1)
  })
})

describe('OpenAI itself', () => {
  it('is asked once where it refuses a schema, and told no step', async () => {
    server = await startRawServer((response) => {
      response.writeHead(400)
      response.end('{"error": {"message": "Invalid schema for response_format"}}')
    })
    const own = { ...options(server), name: 'openai', compatible: false, tellStep: false, apiKey: 'sk-1' }
    await expect(createOpenAI(own).call(requestOf({ format: FORMAT }), signal)).rejects.toMatchObject({
      failure: { code: 'bad_request' },
    })
    expect(server.bodies).toHaveLength(1)
    const headers = server.requests[0]?.headers ?? {}
    expect(headers.authorization).toBe('Bearer sk-1')
    expect(Object.keys(headers).filter((name) => name.startsWith('x-stepfleet'))).toEqual([])
  })
})

describe('Gemini', () => {
  const gemini = ({ url }: RawServer) =>
    createGemini({
      apiKey: 'k',
      baseUrl: url,
      tellStep: false,
      headersMs: 5_000,
      chunkMs: 5_000,
      prices: defaultPrices,
    })
  const chunk = (candidate: object) => sse({ candidates: [candidate], usageMetadata: { promptTokenCount: 5 } })

  it('is asked once, however it fails, and its answer is never gone on with', async () => {
    server = await startRawServer((response) =>
      stream(response, [
        chunk({ content: { role: 'model', parts: [{ text: 'so far' }] }, finishReason: 'CONTINUATION' }),
      ]),
    )
    await expect(gemini(server).call(requestOf(), signal)).rejects.toMatchObject({
      failure: { code: 'output_truncated' },
      usage: { inputTokens: 5 },
    })
    expect(server.requests.map(({ url }) => url)).toEqual(['/v1beta/models/some-model:streamGenerateContent?alt=sse'])
    expect(server.requests[0]?.headers).toMatchObject({ 'x-goog-api-key': 'k' })
  })

  it('garbage in its stream is a broken stream, and the connection is closed', async () => {
    server = await startRawServer((response) => stream(response, [chunk({}), 'data: {"cand\n\n'], true))
    await expect(gemini(server).call(requestOf(), signal)).rejects.toMatchObject({
      failure: { code: 'stream_broken' },
      usage: { inputTokens: 5 },
    })
    await expect.poll(() => server?.aborted()).toBe(1)
  })
})
