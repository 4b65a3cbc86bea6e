// What the table of faults does not show: answers in one piece, faults that stop, the pace of bytes, and stopping.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PROTOCOL_NAMES } from './answering/script.ts'
import { seenBy, send } from './observe.fixture.ts'
import { type Fixture, startFixture } from './server.fixture.ts'

let model: Fixture
beforeEach(async () => {
  model = await startFixture()
})
afterEach(() => model.end())

describe.each(PROTOCOL_NAMES)('an answer of %s in one piece', (protocol) => {
  const seen = (directive: string): Promise<string> =>
    seenBy(model.url, protocol, { prompt: `[[scripted: ${directive}]] tea`, stream: false })

  it('is cut in half, or torn down', async () => {
    expect(await seen('cut=stream')).toBe('200, half')
    expect(await seen('cut=reset')).toBe('200, torn down in the middle')
    expect(await seen('cut=headers')).toBe('torn down before the headers')
  })

  it('cannot hold an error, so it is one', async () => {
    expect(await seen('fail=503 in=stream')).toMatch(/^503 /)
  })

  it('comes byte by byte, and whole in the end', async () => {
    expect(await seen('trickle=1 say=x')).toBe('200, whole')
    expect(model.calls()).toMatchObject([{ outcome: 'answered', fault: 'trickle=1 say=x' }])
  })

  it('is dropped after it was written down as answered', async () => {
    expect(await seen('drop times=1')).toBe('torn down before the headers')
    expect(await seen('drop times=1')).toBe('200, whole')
    expect(model.calls().map(({ outcome, outputTokens }) => [outcome, outputTokens > 0])).toEqual([
      ['answered', true],
      ['answered', true],
    ])
  })
})

describe('an answer', () => {
  it.each(PROTOCOL_NAMES)('of %s in bytes is the same as in chunks', async (protocol) => {
    const of = async (directive: string): Promise<string> =>
      (await send(model.url, protocol, { prompt: `tea [[scripted: ${directive}]]` })).text()
    const inBytes = await of('trickle=1 say=Grüße')
    const pieces = [...inBytes.matchAll(/"(?:text|content)":"([^"]+)"/g)].map(([, piece]) => piece)
    expect(pieces.join('')).toBe('Grüße')
  })

  it('that is torn has bytes that are no UTF-8', async () => {
    const response = await send(model.url, 'openai', { prompt: 'tea [[scripted: malformed=utf8]]' })
    const strict = new TextDecoder('utf-8', { fatal: true })
    const bytes = await response.arrayBuffer()
    expect(() => strict.decode(bytes)).toThrow()
  })

  it('that waits does not keep the server from stopping', async () => {
    const pending = send(model.url, 'anthropic', { prompt: 'tea [[scripted: latency=600000]]' }).catch(() => 'gone')
    await expect.poll(() => model.calls().map(({ outcome }) => outcome)).toEqual(['begun'])
    await model.stop()
    expect(await pending).toBe('gone')
    expect(model.calls().map(({ outcome }) => outcome)).toEqual(['aborted'])
  })

  it('has what was read from a cache counted as each protocol counts it', async () => {
    await model.end()
    const usage = { inputTokens: 10, outputTokens: 5, cacheReadTokens: 7, cacheWriteTokens: 1 }
    model = await startFixture({ script: () => ({ type: 'message', text: 'x', usage }) })
    const bodyOf = async (protocol: 'anthropic' | 'openai' | 'gemini'): Promise<unknown> =>
      (await send(model.url, protocol, { prompt: 'tea', stream: false })).json()
    expect(await bodyOf('anthropic')).toMatchObject({ usage: { input_tokens: 10, cache_read_input_tokens: 7 } })
    expect(await bodyOf('openai')).toMatchObject({
      usage: { prompt_tokens: 18, total_tokens: 23, prompt_tokens_details: { cached_tokens: 7 } },
    })
    expect(await bodyOf('gemini')).toMatchObject({
      usageMetadata: { promptTokenCount: 18, totalTokenCount: 23, cachedContentTokenCount: 7 },
    })
  })
})

describe('a wrong directive', () => {
  it.each(['in=stream', 'retry-after=3', 'message=x', 'at=50', 'cut=headers at=50', 'malformed=enum'])(
    '%s is refused: it would change nothing',
    async (directive) => {
      expect(await seenBy(model.url, 'openai', { prompt: `tea [[scripted: ${directive}]]` })).toMatch(/^400 /)
    },
  )
})
