// Spans: one run is one trace. The carrier of a command or task makes its span a child of the run's.
import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import type { Carrier } from '@stepfleet/contracts'
import { redact } from './logger.ts'

export { type Attributes, type Span, SpanKind } from '@opentelemetry/api'

export interface SpanOptions {
  /** Parent from another process; without one the active span is the parent. */
  carrier?: Carrier | undefined
  kind?: SpanKind
  attributes?: Attributes
}

// The tracer is looked up per span: a proxy until the sdk starts, and tests start their own.
const tracer = () => trace.getTracer('stepfleet')

const parentOf = (carrier: Carrier | undefined): Context =>
  carrier ? propagation.extract(context.active(), carrier) : context.active()

/** Marks a span as failed. For failures that are values, not exceptions. */
export const failSpan = (span: Span, message: string): void => {
  span.setStatus({ code: SpanStatusCode.ERROR, message: redact(message) })
}

const ended = async <T>(span: Span, fn: (span: Span) => Promise<T>): Promise<T> => {
  try {
    return await fn(span)
  } catch (error) {
    const thrown = error instanceof Error ? error : new Error(String(error))
    span.recordException({ name: thrown.name, message: redact(thrown.message), stack: redact(thrown.stack ?? '') })
    failSpan(span, thrown.message)
    throw error
  } finally {
    span.end()
  }
}

/** Runs `fn` in a span; what it throws is recorded, makes the span failed, and is thrown on. */
export const withSpan = <T>(name: string, options: SpanOptions, fn: (span: Span) => Promise<T>): Promise<T> => {
  const { kind = SpanKind.INTERNAL, attributes = {} } = options
  const parent = parentOf(options.carrier)
  return tracer().startActiveSpan(name, { kind, attributes }, parent, (span) => ended(span, fn))
}

/**
 * The same for work that comes by the thousand: a span that nobody records is not made the active one, and `fn` hands it
 * on itself. On Node 20 the first active context of a process makes each of its promises dearer, which was a fifth of a
 * worker's time per step.
 */
export const withOwnSpan = <T>(name: string, options: SpanOptions, fn: (span: Span) => Promise<T>): Promise<T> => {
  const { kind = SpanKind.INTERNAL, attributes = {} } = options
  const parent = parentOf(options.carrier)
  const span = tracer().startSpan(name, { kind, attributes }, parent)
  if (!span.isRecording()) return fn(span)
  return context.with(trace.setSpan(parent, span), () => ended(span, fn))
}

/** Runs `fn` outside of any span. */
export const outsideSpans = <T>(fn: () => T): T => (trace.getActiveSpan() ? context.with(ROOT_CONTEXT, fn) : fn())

const carrierIn = (inner: Context): Carrier | undefined => {
  const fields: Record<string, string> = {}
  propagation.inject(inner, fields)
  const { traceparent, tracestate } = fields
  if (traceparent === undefined) return undefined
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate }
}

/** The active span as a carrier for a command or task; undefined when there is none. */
export const currentCarrier = (): Carrier | undefined => carrierIn(context.active())

/** A span as a carrier, whether it is active or not; undefined when no tracing runs in the process. */
export const carrierOf = (span: Span): Carrier | undefined => carrierIn(trace.setSpan(ROOT_CONTEXT, span))

let flush: () => Promise<void> = async () => {}

/** Called by the preload, which alone knows the sdk. */
export const onFlush = (fn: () => Promise<void>): void => {
  flush = fn
}

/** Sends what spans are left and ends the sdk. Never fails, and takes 3 s at most: telemetry is best effort. */
export const flushTelemetry = async (): Promise<void> => {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, 3_000)
  })
  await Promise.race([flush().catch(() => undefined), limit])
  clearTimeout(timer)
}
