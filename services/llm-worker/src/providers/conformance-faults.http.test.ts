// The suite of conformance.fixture.ts for each provider: errors, silence, and calls that are no longer wanted.
import { queryObjects } from 'node:v8'
import type { Failure, FailureCode } from '@stepfleet/contracts'
import type { ErrorKind } from '@stepfleet/scripted-model'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CANCELLED, ConformanceBench, SUBJECTS } from './conformance.fixture.ts'
import { startRawServer } from './raw-server.fixture.ts'

/** Counting objects makes V8 collect what nobody holds on to first. */
const collectGarbage = (): void => void queryObjects(AbortController)

describe.each(SUBJECTS)('$name', (subject) => {
  let bench: ConformanceBench
  beforeEach(() => {
    bench = new ConformanceBench(subject)
  })
  afterEach(() => bench.stop())

  describe('an error', () => {
    it.each<[ErrorKind, FailureCode, Failure['class']]>([
      ['context_too_long', 'context_too_long', 'permanent'],
      ['model_not_found', 'model_unknown', 'permanent'],
      ['authentication_failed', 'authentication_failed', 'permanent'],
      ['permission_denied', 'permission_denied', 'permanent'],
      ['rate_limited', 'rate_limited', 'transient'],
      ['overloaded', 'overloaded', 'transient'],
      ['server_error', 'provider_error', 'transient'],
    ])('that the provider words itself: %s is %s', async (kind, code, expected) => {
      const { failure, usage } = await bench.ask({
        type: 'known_error',
        kind,
        retryAfterSeconds: 7,
      })
      expect(failure).toMatchObject({ code, class: expected, retryAfterMs: 7_000 })
      expect(usage).toBeUndefined()
      // only the engine retries
      expect(bench.outcomes()).toHaveLength(1)
    })

    it('about money is permanent', async () => {
      const { failure } = await bench.ask({ type: 'known_error', kind: 'quota_exhausted' })
      expect(failure).toMatchObject({ class: 'permanent' })
      expect(['rate_limited', 'permission_denied']).toContain(failure?.code)
    })

    it.each<[number, FailureCode, Failure['class']]>([
      [400, 'bad_request', 'permanent'],
      [401, 'authentication_failed', 'permanent'],
      [402, 'permission_denied', 'permanent'],
      [403, 'permission_denied', 'permanent'],
      [404, 'not_found', 'permanent'],
      [408, 'timeout', 'transient'],
      [409, 'provider_error', 'transient'],
      [413, 'payload_too_large', 'permanent'],
      [418, 'bad_request', 'permanent'],
      [429, 'rate_limited', 'transient'],
      [500, 'provider_error', 'transient'],
      [501, 'provider_error', 'permanent'],
      [502, 'provider_error', 'transient'],
      [503, 'overloaded', 'transient'],
      [504, 'provider_error', 'transient'],
      [529, 'overloaded', 'transient'],
    ])('with the status %i is %s', async (status, code, expected) => {
      // the words of an error must not matter here
      const { failure, usage } = await bench.ask({ type: 'error', status, message: 'why', errorType: 'x', code: 'y' })
      expect(failure).toMatchObject({ code, class: expected, http: status })
      expect(failure?.message).toContain('why')
      expect(usage).toBeUndefined()
      expect(bench.outcomes()).toHaveLength(1)
    })

    it('inside a stream is what it says, and what was used until then is told', async () => {
      const { failure, usage } = await bench.ask({ type: 'message', text: 'A story. '.repeat(50), fault: 'overloaded' })
      expect(failure).toMatchObject({ code: 'overloaded', class: 'transient' })
      expect(failure?.http).toBeUndefined()
      expect(failure?.details).toBeUndefined()
      expect((usage?.inputTokens ?? 0) > 0).toBe(subject.tellsUsageEarly)
    })

    it('of nobody being there has had no effect', async () => {
      await bench.serve(() => null)
      const provider = bench.provider()
      await bench.stop()
      const { failure } = await bench.call(provider)
      expect(failure).toMatchObject({ code: 'connection_failed', details: { notSent: true } })
      expect(failure?.message).toContain('ECONNREFUSED')
    })
  })

  describe('silence', () => {
    it('before the headers is a time-out, and the server sees the connection close', async () => {
      const { failure, usage } = await bench.ask({ type: 'silence' }, { limits: { headersMs: 1_000 } })
      expect(failure).toMatchObject({ code: 'timeout', message: expect.stringContaining('headers') })
      expect(usage).toBeUndefined()
      await expect.poll(() => bench.outcomes()).toEqual(['aborted'])
    })

    it('in the middle is a time-out, and the server sees the connection close', async () => {
      const { failure, usage } = await bench.ask(
        { type: 'message', text: 'A story. '.repeat(50), fault: 'silence' },
        { limits: { chunkMs: 500 } },
      )
      expect(failure).toMatchObject({ code: 'timeout', message: expect.stringContaining('500 ms') })
      expect((usage?.inputTokens ?? 0) > 0).toBe(subject.tellsUsageEarly)
      await expect.poll(() => bench.outcomes()).toEqual(['aborted'])
    })

    it('is not a slow answer', async () => {
      const { answer } = await bench.ask(
        { type: 'message', text: 'slow. '.repeat(200), chunkMs: 60 },
        { limits: { chunkMs: 1_000, headersMs: 1_000 } },
      )
      expect(answer?.text).toBe('slow. '.repeat(200))
    })

    it('is not one that comes byte by byte', async () => {
      const { answer } = await bench.ask(
        { type: 'message', text: 'Tea.', trickleMs: 1 },
        { limits: { chunkMs: 1_000 } },
      )
      expect(answer?.text).toBe('Tea.')
    })
  })

  it('an error whose body has no end is read only so far', async () => {
    let sent = 0
    const server = await startRawServer((response) => {
      response.writeHead(500)
      const more = (): void => {
        sent += 100_000
        if (sent < 100_000_000 && !response.destroyed) response.write('x'.repeat(100_000), more)
        else response.end()
      }
      more()
    })
    const limits = { headersMs: 10_000, chunkMs: 10_000, prices: bench.prices }
    const { failure } = await bench.call(subject.create(server.url, limits))
    expect(failure).toMatchObject({ code: 'provider_error', http: 500 })
    await server.stop()
    expect(sent).toBeLessThan(50_000_000)
  })

  it('an answer that has no end is a failure, before it fills the memory', async () => {
    let sent = 0
    const comment = `: ${'x'.repeat(1_000_000)}\n\n`
    const server = await startRawServer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const more = (): void => {
        sent += comment.length
        if (sent < 1_000_000_000 && !response.destroyed) response.write(comment, more)
        else response.end()
      }
      more()
    })
    const limits = { headersMs: 10_000, chunkMs: 10_000, prices: bench.prices }
    const { failure } = await bench.call(subject.create(server.url, limits))
    expect(failure).toMatchObject({
      code: 'stream_broken',
      class: 'permanent',
      message: expect.stringContaining('MiB'),
    })
    await server.stop()
    expect(sent).toBeLessThan(300_000_000)
  })

  it.each([301, 302, 307])('a redirect (%i) is not followed: it is an answer that is no success', async (status) => {
    const other = await startRawServer((response) => response.end())
    const server = await startRawServer((response) => {
      response.writeHead(status, { location: other.url })
      response.end()
    })
    const limits = { headersMs: 10_000, chunkMs: 10_000, prices: bench.prices }
    const { failure } = await bench.call(subject.create(server.url, limits))
    expect(failure).toMatchObject({ code: 'bad_request', class: 'permanent', http: status })
    expect(other.requests).toHaveLength(0)
    await Promise.all([server.stop(), other.stop()])
  })

  describe('a call that is no longer wanted', () => {
    it('ends in the middle of the stream, on both sides', async () => {
      await bench.serve(() => ({ type: 'message', text: 'A long story. '.repeat(1_000), chunkMs: 20 }))
      const abort = new AbortController()
      const pending = bench.call(bench.provider(), {}, abort.signal)
      await expect.poll(() => bench.outcomes()).toEqual(['begun'])
      abort.abort(CANCELLED)
      expect((await pending).failure).toEqual(CANCELLED)
      await expect.poll(() => bench.outcomes()).toEqual(['aborted'])
    })

    it('ends in the middle of the stream, though memory was tidied up since it began', async () => {
      await bench.serve(() => ({ type: 'message', text: 'A long story. '.repeat(1_000), chunkMs: 20 }))
      const abort = new AbortController()
      const pending = bench.call(bench.provider(), {}, abort.signal)
      await expect.poll(() => bench.outcomes()).toEqual(['begun'])
      // headers and first chunks are there by then
      await new Promise((resolve) => setTimeout(resolve, 200))
      collectGarbage()
      abort.abort(CANCELLED)
      expect((await pending).failure).toEqual(CANCELLED)
      await expect.poll(() => bench.outcomes()).toEqual(['aborted'])
    })

    it('ends before the headers', async () => {
      await bench.serve(() => ({ type: 'silence' }))
      const abort = new AbortController()
      const pending = bench.call(bench.provider(), {}, abort.signal)
      await expect.poll(() => bench.outcomes()).toEqual(['begun'])
      abort.abort(CANCELLED)
      expect((await pending).failure).toEqual(CANCELLED)
      await expect.poll(() => bench.outcomes()).toEqual(['aborted'])
    })

    it('is not made', async () => {
      await bench.serve(() => null)
      const { failure } = await bench.call(bench.provider(), {}, AbortSignal.abort(CANCELLED))
      expect(failure).toEqual(CANCELLED)
      expect(bench.outcomes()).toEqual([])
    })
  })
})
