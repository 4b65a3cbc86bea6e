// Spans: one run is one trace, failures are marked, secrets stay out.
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { NodeSDK, type tracing } from '@opentelemetry/sdk-node'
import { carrierSchema } from '@stepfleet/contracts'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { attributes } from './attributes.ts'
import { redactValues } from './logger.ts'
import { currentCarrier, failSpan, flushTelemetry, onFlush, withSpan } from './telemetry.ts'

// what an exporter would be given, at once
const finished: tracing.ReadableSpan[] = []
const collecting: tracing.SpanProcessor = {
  onStart: () => {},
  onEnd: (ended) => finished.push(ended),
  forceFlush: async () => {},
  shutdown: async () => {},
}
const sdk = new NodeSDK({
  spanProcessors: [collecting],
  metricReaders: [],
  logRecordProcessors: [],
})
beforeAll(() => sdk.start())
afterAll(() => sdk.shutdown())
afterEach(() => {
  finished.length = 0
})

const span = (name: string) => {
  const found = finished.find((one) => one.name === name)
  if (!found) throw new Error(`no span ${name}`)
  return found
}

describe('carriers', () => {
  it('make a span of another process a child: one trace', async () => {
    const carrier = await withSpan('submit', { kind: SpanKind.SERVER }, async () => currentCarrier())
    // through a queue: only JSON survives
    const arrived = carrierSchema.parse(JSON.parse(JSON.stringify(carrier)))
    await withSpan('task', { carrier: arrived, kind: SpanKind.CONSUMER }, async () => {
      await withSpan('model call', {}, async () => undefined)
    })
    const trace = span('submit').spanContext().traceId
    expect(span('task').spanContext().traceId).toBe(trace)
    expect(span('model call').spanContext().traceId).toBe(trace)
    expect(span('task').parentSpanContext?.spanId).toBe(span('submit').spanContext().spanId)
    expect(span('model call').parentSpanContext?.spanId).toBe(span('task').spanContext().spanId)
  })

  it('without a span there is none', () => {
    expect(currentCarrier()).toBeUndefined()
  })

  it('a carrier goes before the active span', async () => {
    const carrier = await withSpan('run', {}, async () => currentCarrier())
    await withSpan('poll', {}, () => withSpan('task', { carrier }, async () => undefined))
    expect(span('task').spanContext().traceId).toBe(span('run').spanContext().traceId)
    expect(span('task').spanContext().traceId).not.toBe(span('poll').spanContext().traceId)
  })

  it('that is no trace context starts a trace of its own', async () => {
    await withSpan('task', { carrier: { traceparent: 'nonsense' } }, async () => undefined)
    expect(span('task').parentSpanContext).toBeUndefined()
  })
})

describe('failures', () => {
  it('that are thrown mark the span, are recorded, and are thrown on', async () => {
    const work = withSpan('work', {}, async () => {
      throw new TypeError('broken')
    })
    await expect(work).rejects.toThrow('broken')
    expect(span('work').status).toEqual({ code: SpanStatusCode.ERROR, message: 'broken' })
    expect(span('work').events[0]?.attributes).toMatchObject({ 'exception.type': 'TypeError' })
    expect(span('work').ended).toBe(true)
  })

  it('that are values mark the span too', async () => {
    await withSpan('work', {}, async (own) => failSpan(own, 'rate_limited'))
    expect(span('work').status).toEqual({ code: SpanStatusCode.ERROR, message: 'rate_limited' })
  })

  it('tell no secret', async () => {
    redactValues(['canary-in-a-span'])
    const work = withSpan('work', {}, async () => {
      throw new Error('key canary-in-a-span refused')
    })
    await expect(work).rejects.toThrow()
    expect(JSON.stringify([span('work').status, span('work').events])).not.toContain('canary-in-a-span')
  })

  it('success leaves the status unset', async () => {
    expect(await withSpan('work', {}, async () => 7)).toBe(7)
    expect(span('work').status.code).toBe(SpanStatusCode.UNSET)
  })
})

it('attributes arrive', async () => {
  const all = { ...attributes.run('default', 'r1'), ...attributes.step('search[3]'), ...attributes.model('openai/gpt') }
  await withSpan('work', { attributes: all }, async () => undefined)
  expect(span('work').attributes).toEqual({
    'stepfleet.namespace': 'default',
    'stepfleet.run.id': 'r1',
    'stepfleet.step.path': 'search[3]',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'gpt',
  })
})

describe('flush', () => {
  afterEach(() => onFlush(async () => {}))

  it('is waited for', async () => {
    let flushed = false
    onFlush(async () => {
      await Promise.resolve()
      flushed = true
    })
    await flushTelemetry()
    expect(flushed).toBe(true)
  })

  it('never fails', async () => {
    onFlush(() => Promise.reject(new Error('collector away')))
    await expect(flushTelemetry()).resolves.toBeUndefined()
  })
})
