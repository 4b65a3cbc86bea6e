// For the tests of the Anthropic provider: requests, and a raw server that plays events which the scripted model cannot.
import { createServer, type ServerResponse } from 'node:http'
import type { Json, PriceList } from '@stepfleet/contracts'
import { createAnthropic } from './anthropic.ts'
import type { ModelProvider, ModelRequest } from './provider.ts'

export const requestOf = (more: Partial<ModelRequest> = {}): ModelRequest => ({
  model: 'claude-sonnet-5-5',
  system: null,
  messages: [{ role: 'user', text: 'tea' }],
  tools: [],
  toolChoice: 'auto',
  format: null,
  settings: {},
  effectKey: 'default/r1/ask',
  taskId: 'default~r1.ask.1.1',
  ...more,
})

/** Of the model of requestOf: $3 in, $15 out, $0.30 read from the cache and $3.75 written to it, per million tokens. */
const PRICES: PriceList = {
  asOf: '2026-11-20',
  unit: 'micro-dollars per million tokens',
  models: {
    'anthropic/claude-sonnet-5-5': { input: 3_000_000, output: 15_000_000, cacheRead: 300_000, cacheWrite: 3_750_000 },
  },
}

export const providerAt = (baseUrl: string): ModelProvider =>
  createAnthropic({ apiKey: 'k', baseUrl, tellStep: true, headersMs: 10_000, chunkMs: 10_000, prices: PRICES })

export const event = (type: string, data: object = {}): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`
export const START = event('message_start', { message: { usage: { input_tokens: 5, output_tokens: 1 } } })
export const STOP = event('message_stop')
export const ended = (reason: string, usage: object = { output_tokens: 3 }): string =>
  event('message_delta', { delta: { stop_reason: reason, stop_sequence: null }, usage })

/** One content block: how it starts, and its deltas. */
export const block = (index: number, start: object, ...deltas: object[]): string =>
  [
    event('content_block_start', { index, content_block: start }),
    ...deltas.map((delta) => event('content_block_delta', { index, delta })),
    event('content_block_stop', { index }),
  ].join('')
export const textBlock = (index: number, text: string): string =>
  block(index, { type: 'text', text: '' }, { type: 'text_delta', text })

export interface RawServer {
  url: string
  /** Bodies of the requests, in order of arrival. */
  requests: { [key: string]: Json }[]
  stop(): Promise<void>
}

/** Answers 200 with an event stream; `play` writes it, and ends it or not. */
export const rawServer = async (play: (response: ServerResponse, call: number) => void): Promise<RawServer> => {
  const requests: RawServer['requests'] = []
  const server = createServer(async (incoming, response) => {
    const pieces: Buffer[] = []
    for await (const piece of incoming) pieces.push(Buffer.from(piece))
    requests.push(JSON.parse(Buffer.concat(pieces).toString('utf8')))
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    play(response, requests.length)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    requests,
    stop: () =>
      new Promise((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}
