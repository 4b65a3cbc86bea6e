// What only a raw server can do: pings while the model thinks, and events that nobody knows yet.
import { createServer, type Server, type ServerResponse } from 'node:http'
import { defaultPrices, failure } from '@stepfleet/contracts'
import { afterEach, describe, expect, it } from 'vitest'
import { createAnthropic } from './anthropic.ts'
import type { ModelRequest } from './provider.ts'
import { StreamStalled, watchedFetch } from './watched-fetch.ts'

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

const serve = (play: (response: ServerResponse) => void): Promise<string> =>
  new Promise((resolve) => {
    server = createServer((_request, response) => play(response))
    server.listen(0, '127.0.0.1', () => {
      const address = server?.address()
      resolve(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`)
    })
  })

const event = (type: string, data: object): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`
const START = event('message_start', { message: { usage: { input_tokens: 5, output_tokens: 1 } } })
const END = [
  event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
  event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'tea' } }),
  event('content_block_delta', { index: 0, delta: { type: 'delta_of_tomorrow', value: 1 } }),
  event('event_of_tomorrow', { x: 1 }),
  event('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 3 } }),
  event('message_stop', {}),
].join('')

const REQUEST: ModelRequest = {
  model: 'claude-sonnet-5-5',
  system: null,
  messages: [{ role: 'user', text: 'tea' }],
  tools: [],
  toolChoice: 'auto',
  format: null,
  settings: {},
  effectKey: 'k',
  taskId: 't',
}
const provider = (baseUrl: string, chunkMs: number) =>
  createAnthropic({ apiKey: 'k', baseUrl, tellStep: false, headersMs: 5_000, chunkMs, prices: defaultPrices })
const signal = new AbortController().signal

describe('the timer between chunks', () => {
  it('counts pings as a sign of life', async () => {
    const url = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(START)
      let pings = 0
      const timer = setInterval(() => {
        pings += 1
        if (pings <= 16) return response.write(event('ping', {}))
        clearInterval(timer)
        return response.end(END)
      }, 40)
    })
    const answer = await provider(url, 500).call(REQUEST, signal)
    expect(answer).toMatchObject({ text: 'tea', usage: { inputTokens: 5, outputTokens: 3 } })
    expect(answer.usage.scripted).toBeUndefined()
  })

  it('also limits the body of an error', async () => {
    const url = await serve((response) => {
      response.writeHead(500, { 'content-type': 'application/json' })
      response.write('{"type":')
    })
    await expect(provider(url, 60).call(REQUEST, signal)).rejects.toMatchObject({
      failure: { code: 'provider_error', http: 500 },
    })
  })

  it('fails the body by itself', async () => {
    const url = await serve((response) => {
      response.writeHead(200)
      response.write('x')
    })
    const response = await watchedFetch(50)(url)
    await expect(response.text()).rejects.toThrow(StreamStalled)
  })
})

it('says nothing about steps to the real API', async () => {
  const seen: Promise<string[]> = new Promise((resolve) => {
    void serve((response) => {
      resolve(Object.keys(response.req.headers))
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end(START + END)
    }).then((url) => provider(url, 5_000).call(REQUEST, signal))
  })
  expect((await seen).filter((name) => name.startsWith('x-stepfleet'))).toEqual([])
})

it('garbage in a stream is a broken stream', async () => {
  const url = await serve((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(`${START}event: content_block_start\ndata: {"index": 0, \n\n`)
  })
  await expect(provider(url, 5_000).call(REQUEST, signal)).rejects.toMatchObject({
    failure: { code: 'stream_broken' },
    usage: { inputTokens: 5 },
  })
})

it('the abort of a total time-out wins over what it breaks', async () => {
  const url = await serve((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(START)
  })
  const abort = new AbortController()
  const pending = provider(url, 5_000).call(REQUEST, abort.signal)
  setTimeout(() => abort.abort(failure('timeout', 'no result within 100 ms')), 100)
  await expect(pending).rejects.toMatchObject({ failure: { code: 'timeout', message: 'no result within 100 ms' } })
})
