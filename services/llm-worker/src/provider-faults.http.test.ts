// What a provider does wrong, over HTTP: each kind of failure, the three timers, and aborts.
import { type Failure, type FailureCode, failure } from '@stepfleet/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Bench, startBench } from './handle.fixture.ts'
import { contextOf, llmInput } from './task.fixture.ts'

let bench: Bench
beforeEach(async () => {
  bench = await startBench()
})
afterEach(() => bench.stop())

interface Row {
  code: FailureCode
  class: Failure['class']
  http?: number
  retryAfterMs?: number
  /** The provider had told of tokens before it failed. */
  paid?: boolean
  /** Speaks against the provider. */
  counts?: boolean
}

describe('what the provider does wrong', () => {
  it.each<[string, Row]>([
    ['fail=400', { code: 'bad_request', class: 'permanent', http: 400 }],
    [
      'fail=400 message=prompt is too long: 210000 tokens > 200000 maximum',
      { code: 'context_too_long', class: 'permanent', http: 400 },
    ],
    ['fail=401', { code: 'authentication_failed', class: 'permanent', http: 401 }],
    ['fail=402', { code: 'permission_denied', class: 'permanent', http: 402 }],
    ['fail=403', { code: 'permission_denied', class: 'permanent', http: 403 }],
    ['fail=404', { code: 'not_found', class: 'permanent', http: 404 }],
    ['fail=404 message=model: claude-unheard-of', { code: 'model_unknown', class: 'permanent', http: 404 }],
    ['fail=408', { code: 'timeout', class: 'transient', http: 408, counts: true }],
    ['fail=409', { code: 'provider_error', class: 'transient', http: 409 }],
    ['fail=425', { code: 'provider_error', class: 'transient', http: 425 }],
    ['fail=413', { code: 'payload_too_large', class: 'permanent', http: 413 }],
    ['fail=418', { code: 'bad_request', class: 'permanent', http: 418 }],
    ['fail=422', { code: 'bad_request', class: 'permanent', http: 422 }],
    ['fail=429 retry-after=171', { code: 'rate_limited', class: 'transient', http: 429, retryAfterMs: 171_000 }],
    ['fail=500', { code: 'provider_error', class: 'transient', http: 500, counts: true }],
    ['fail=501', { code: 'provider_error', class: 'permanent', http: 501 }],
    [
      'fail=503 retry-after=2',
      { code: 'overloaded', class: 'transient', http: 503, retryAfterMs: 2_000, counts: true },
    ],
    ['fail=504', { code: 'provider_error', class: 'transient', http: 504, counts: true }],
    ['fail=529', { code: 'overloaded', class: 'transient', http: 529, counts: true }],
    ['fail=529 in=stream', { code: 'overloaded', class: 'transient', paid: true, counts: true }],
    ['cut=stream', { code: 'stream_broken', class: 'transient', paid: true, counts: true }],
    ['cut=reset', { code: 'stream_broken', class: 'transient', paid: true, counts: true }],
    ['cut=headers', { code: 'connection_failed', class: 'transient', counts: true }],
    ['stop=max_tokens', { code: 'output_truncated', class: 'permanent', paid: true }],
    ['stop=model_context_window_exceeded', { code: 'output_truncated', class: 'permanent', paid: true }],
    ['stop=tool_use', { code: 'malformed_output', class: 'transient', paid: true }],
    ['refusal', { code: 'refused_by_model', class: 'permanent', paid: true }],
  ])('%s', async (directive, { paid = false, counts = false, ...expected }) => {
    const { failure: given, usage } = await bench.failing(llmInput(`[[scripted: ${directive}]] tea`))
    expect(given).toMatchObject(expected)
    expect(given.http).toBe(expected.http)
    expect(given.retryAfterMs).toBe(expected.retryAfterMs)
    expect(usage !== undefined && usage.inputTokens > 0 && usage.scripted === true).toBe(paid)
    expect(bench.handler.countsAgainstDependency(given)).toBe(counts)
    // only the engine retries
    expect(bench.calls()).toHaveLength(1)
  })

  it('a provider that is not there has seen nothing', async () => {
    await bench.silence()
    const { failure: given } = await bench.failing(llmInput('tea'))
    expect(given).toMatchObject({ code: 'connection_failed', details: { notSent: true } })
    expect(given.message).toContain('ECONNREFUSED')
  })

  it('a second attempt succeeds once the fault is over', async () => {
    const input = llmInput('[[scripted: fail=529 times=1]] [[scripted: say=done]]')
    expect((await bench.failing(input)).failure.code).toBe('overloaded')
    expect((await bench.handler.run(contextOf(input))).output).toBe('done')
  })

  it('an empty answer is no answer', async () => {
    await bench.script(() => ({ type: 'message', text: '' }))
    expect((await bench.failing(llmInput('tea'))).failure).toMatchObject({
      code: 'malformed_output',
      message: expect.stringContaining('nothing'),
    })
  })

  it('a tool asked for that was never offered', async () => {
    await bench.script(() => ({ type: 'message', text: '', toolUses: [{ name: 'shell', input: {} }] }))
    expect((await bench.failing(llmInput('tea'))).failure).toMatchObject({ code: 'malformed_output' })
  })
})

describe('the three timers', () => {
  it('to the headers', async () => {
    const handler = bench.timed({ headersMs: 100 })
    const { failure: given, usage } = await bench.failing(llmInput('[[scripted: hang]]'), { handler })
    expect(given).toMatchObject({ code: 'timeout', class: 'transient', message: expect.stringContaining('headers') })
    expect(usage).toBeUndefined()
    await expect.poll(() => bench.calls()[0]?.outcome).toBe('aborted')
  })

  it('between chunks; what was used until then is told', async () => {
    const handler = bench.timed({ chunkMs: 250 })
    const { failure: given, usage } = await bench.failing(llmInput('[[scripted: hang=stream]]'), { handler })
    expect(given).toMatchObject({ code: 'timeout', message: expect.stringContaining('250 ms') })
    expect(usage?.inputTokens).toBeGreaterThan(0)
    await expect.poll(() => bench.calls()[0]?.outcome).toBe('aborted')
  })

  it('between chunks, not for the whole answer', async () => {
    const slow = bench.timed({ chunkMs: 600 })
    const startedMs = performance.now()
    await slow.run(contextOf(llmInput('[[scripted: chunk-ms=60]] tea')))
    expect(performance.now() - startedMs).toBeGreaterThan(600)
  })

  it('in total, by the signal', async () => {
    const abort = new AbortController()
    const pending = bench.failing(llmInput('[[scripted: hang]]'), { signal: abort.signal })
    await expect.poll(() => bench.calls()).toHaveLength(1)
    abort.abort(failure('timeout', 'no result within 5000 ms'))
    expect((await pending).failure).toEqual(failure('timeout', 'no result within 5000 ms'))
  })
})

describe('abort', () => {
  it('in the middle of the stream ends the call on both sides, and what was used until then is told', async () => {
    await bench.script(({ prompt }) => ({ type: 'message', text: prompt.repeat(1_000), chunkMs: 20 }))
    const cancelled = failure('cancelled', 'the attempt is no longer wanted')
    let afterMs = 0
    const abortLater = async (): Promise<number> => {
      afterMs += 25
      const abort = new AbortController()
      setTimeout(() => abort.abort(cancelled), afterMs)
      const { failure: given, usage } = await bench.failing(llmInput('a long story'), { signal: abort.signal })
      expect(given).toEqual(cancelled)
      return usage?.inputTokens ?? 0
    }
    // how soon the first chunk is there depends on the machine, so later and later
    await expect.poll(abortLater, { timeout: 10_000 }).toBeGreaterThan(0)
    await expect.poll(() => bench.calls().every(({ outcome }) => outcome === 'aborted')).toBe(true)
  })

  it('before the call sends nothing', async () => {
    const { failure: given } = await bench.failing(llmInput('tea'), {
      signal: AbortSignal.abort(failure('cancelled', 'gone')),
    })
    expect(given.code).toBe('cancelled')
    expect(bench.calls()).toEqual([])
  })
})
