// What only a raw server can play: thinking, blocks and reasons that nobody knows, errors inside a 200, bytes and events that are broken.
import type { ServerResponse } from 'node:http'
import { type Failure, type FailureCode, failure, type Usage } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import { afterEach, describe, expect, it } from 'vitest'
import {
  block,
  ended,
  event,
  providerAt,
  type RawServer,
  rawServer,
  requestOf,
  START,
  STOP,
  textBlock,
} from './anthropic.fixture.ts'
import type { ModelAnswer, ModelMessage, ModelRequest } from './provider.ts'

let server: RawServer | undefined
afterEach(async () => {
  await server?.stop()
  server = undefined
})

const never = new AbortController().signal
const ask = async (
  play: (response: ServerResponse, call: number) => void,
  request: Partial<ModelRequest> = {},
  signal = never,
): Promise<ModelAnswer> => {
  server ??= await rawServer(play)
  return providerAt(server.url).call(requestOf(request), signal)
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
const plays =
  (...events: string[]) =>
  (response: ServerResponse): void =>
    void response.end(events.join(''))

const toolBlock = (index: number, id: string, ...pieces: string[]): string =>
  block(
    index,
    { type: 'tool_use', id, name: 'look', input: {} },
    ...pieces.map((partial_json) => ({ type: 'input_json_delta', partial_json })),
  )

describe('thinking', () => {
  const THOUGHT = { type: 'thinking', thinking: 'first this, then that', signature: 'c2lnbmVk' }
  const HIDDEN = { type: 'redacted_thinking', data: 'ZW5jcnlwdGVk' }
  const events = [
    START,
    block(
      0,
      { type: 'thinking', thinking: '', signature: '' },
      { type: 'thinking_delta', thinking: 'first this, ' },
      { type: 'thinking_delta', thinking: 'then that' },
      { type: 'signature_delta', signature: 'c2lnbmVk' },
    ),
    block(1, HIDDEN),
    textBlock(2, 'I look.'),
    toolBlock(3, 'toolu_1', '{"q":', '"tea"}'),
    ended('tool_use'),
    STOP,
  ]

  it('is kept, never shown as text, and goes back unchanged with the results', async () => {
    const answer = await ask(plays(...events))
    expect(answer.text).toBe('I look.')
    expect(answer.content).toMatchObject([THOUGHT, HIDDEN, { type: 'text' }, { type: 'tool_use' }])
    const messages: ModelMessage[] = [
      { role: 'user', text: 'tea' },
      { role: 'answer', ...answer },
      { role: 'results', results: [{ id: 'toolu_1', isError: false, content: 'green' }] },
    ]
    await ask(plays(...events), { messages, settings: { thinking: 'high', cache: true } })
    expect(server?.requests[1]).toMatchObject({
      thinking: { type: 'adaptive' },
      messages: [{ role: 'user' }, { role: 'assistant', content: answer.content }, { role: 'user' }],
    })
    expect(JSON.stringify(server?.requests[1]?.messages)).toContain(JSON.stringify(THOUGHT))
  })

  it('without its text, as newer models send it, is kept too', async () => {
    const answer = await ask(
      plays(
        START,
        block(0, { type: 'thinking', thinking: '', signature: '' }, { type: 'signature_delta', signature: 'c2ln' }),
        textBlock(1, 'tea'),
        ended('end_turn'),
        STOP,
      ),
    )
    expect(answer).toMatchObject({ text: 'tea', content: [{ type: 'thinking', thinking: '', signature: 'c2ln' }, {}] })
  })
})

describe('what nobody knows yet', () => {
  it('a block is kept as it came, arguments included, and is no text and no tool of ours', async () => {
    const found = {
      type: 'web_search_tool_result',
      tool_use_id: 'srvtoolu_1',
      content: [{ type: 'web_search_result' }],
    }
    const answer = await ask(
      plays(
        START,
        block(
          0,
          { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} },
          { type: 'input_json_delta', partial_json: '{"query":"tea"}' },
        ),
        block(1, found),
        block(
          2,
          { type: 'tool_of_tomorrow', id: 'x', input: {} },
          { type: 'input_json_delta', partial_json: '{"deep":[1]}' },
        ),
        textBlock(3, 'tea'),
        event('event_of_tomorrow', { x: 1 }),
        ended('end_turn'),
        STOP,
      ),
    )
    expect(answer).toMatchObject({ text: 'tea', toolUses: [] })
    expect(answer.content).toMatchObject([
      { type: 'server_tool_use', id: 'srvtoolu_1', input: { query: 'tea' } },
      found,
      { type: 'tool_of_tomorrow', id: 'x', input: { deep: [1] } },
      { type: 'text', text: 'tea' },
    ])
  })

  it('a reason for stopping is told by its name and not tried again', async () => {
    const given = await failing(plays(START, textBlock(0, 'tea'), ended('reason_of_tomorrow'), STOP))
    expect(given.failure).toMatchObject({
      code: 'provider_error',
      class: 'permanent',
      message: expect.stringContaining('reason_of_tomorrow'),
    })
    expect(given.usage).toMatchObject({ inputTokens: 5, outputTokens: 3 })
  })
})

describe('errors inside a 200', () => {
  it.each<[string, FailureCode, Failure['class']]>([
    ['overloaded_error', 'overloaded', 'transient'],
    ['rate_limit_error', 'rate_limited', 'transient'],
    ['api_error', 'provider_error', 'transient'],
    ['timeout_error', 'timeout', 'transient'],
    ['invalid_request_error', 'bad_request', 'permanent'],
    ['error_of_tomorrow', 'provider_error', 'transient'],
  ])('%s', async (type, code, kind) => {
    const error = event('error', { error: { type, message: 'no' }, request_id: 'req_1' })
    const given = await failing(plays(START, textBlock(0, 'half'), error))
    expect(given.failure).toMatchObject({ code, class: kind })
    expect(given.failure.http).toBeUndefined()
    expect(given.usage).toMatchObject({ inputTokens: 5 })
  })
})

describe('an answer without its end', () => {
  const whole = START + textBlock(0, 'tea')
  it.each([
    ['after its text', whole],
    ['after its reason for stopping', whole + ended('end_turn')],
    ['within an event', whole + ended('end_turn') + STOP.slice(0, 20)],
    ['before its first event', ''],
  ])('%s', async (_where, sent) => {
    expect((await failing(plays(sent))).failure).toMatchObject({ code: 'stream_broken', class: 'transient' })
  })

  it('torn down in the middle', async () => {
    const given = await failing((response) => {
      response.write(whole, () => response.destroy())
    })
    expect(given.failure).toMatchObject({ code: 'stream_broken' })
  })
})

describe('bytes', () => {
  const events = Buffer.from(START + textBlock(0, 'grün 茶 🍵') + ended('end_turn') + STOP)

  it('cut between any two chunks, also within a character, are one text', async () => {
    const answer = await ask((response) => {
      const send = (at: number): void => {
        if (at >= events.length) return void response.end()
        response.write(events.subarray(at, at + 1), () => send(at + 1))
      }
      send(0)
    })
    expect(answer.text).toBe('grün 茶 🍵')
  })

  it.each([
    [
      'a character with its end missing',
      (bytes: Buffer, at: number) => [bytes.subarray(0, at + 1), bytes.subarray(at + 3)],
    ],
    [
      'a byte that is none',
      (bytes: Buffer, at: number) => [bytes.subarray(0, at), Buffer.from([0xff]), bytes.subarray(at)],
    ],
  ])('%s is no answer with a hole, but none', async (_what, broken) => {
    const at = events.indexOf(Buffer.from('茶'))
    const given = await failing((response) => void response.end(Buffer.concat(broken(events, at))))
    expect(given.failure).toMatchObject({ code: 'stream_broken', class: 'transient' })
  })

  it('that end in the middle of a character', async () => {
    const at = events.indexOf(Buffer.from('茶'))
    const given = await failing((response) => void response.end(events.subarray(0, at + 1)))
    expect(given.failure).toMatchObject({ code: 'stream_broken' })
  })
})

describe('arguments of tools', () => {
  it('of 2 MB arrive whole', async () => {
    const input = { text: 'ü'.repeat(1_000_000) }
    const json = JSON.stringify(input)
    const pieces = Array.from({ length: Math.ceil(json.length / 50_000) }, (_, n) =>
      json.slice(n * 50_000, (n + 1) * 50_000),
    )
    const answer = await ask(plays(START, toolBlock(0, 'toolu_1', ...pieces), ended('tool_use'), STOP))
    expect(answer.toolUses).toEqual([{ id: 'toolu_1', name: 'look', input }])
    expect(answer.content).toMatchObject([{ type: 'tool_use', input }])
  })

  it('of several tools do not mix, also when they come by turns', async () => {
    const start = (index: number, id: string) =>
      event('content_block_start', { index, content_block: { type: 'tool_use', id, name: 'look', input: {} } })
    const piece = (index: number, partial_json: string) =>
      event('content_block_delta', { index, delta: { type: 'input_json_delta', partial_json } })
    const answer = await ask(
      plays(
        ...[START, start(0, 'a'), start(1, 'b'), piece(0, '{"q":'), piece(1, '{"q":'), piece(1, '2}'), piece(0, '1}')],
        ...[ended('tool_use'), STOP],
      ),
    )
    expect(answer.toolUses).toEqual([
      { id: 'a', name: 'look', input: { q: 1 } },
      { id: 'b', name: 'look', input: { q: 2 } },
    ])
  })

  it('that were never sent are an empty object, not broken', async () => {
    const answer = await ask(plays(START, toolBlock(0, 'a'), ended('tool_use'), STOP))
    expect(answer.toolUses).toEqual([{ id: 'a', name: 'look', input: {} }])
  })

  it('of which one is no JSON end the attempt: a call that was half understood is not made', async () => {
    const given = await failing(
      plays(START, toolBlock(0, 'a', '{"q":1}'), toolBlock(1, 'b', '{"q":'), ended('tool_use'), STOP),
    )
    expect(given.failure).toMatchObject({ code: 'malformed_output', class: 'transient' })
  })
})

it('an abort closes the connection at once', async () => {
  const abort = new AbortController()
  const steps: string[] = []
  server = await rawServer((response) => {
    response.socket?.once('close', () => steps.push('closed'))
    response.write(START + textBlock(0, 'half'), () => steps.push('sent'))
  })
  const gone = failure('cancelled', 'the attempt is no longer wanted')
  const pending = failing(() => undefined, {}, abort.signal)
  await expect.poll(() => steps).toEqual(['sent'])
  abort.abort(gone)
  expect((await pending).failure).toEqual(gone)
  await expect.poll(() => steps).toEqual(['sent', 'closed'])
})
