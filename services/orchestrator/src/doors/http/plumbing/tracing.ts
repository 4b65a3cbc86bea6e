// One span per request, from its first byte to the end of its answer. It is handed on as `request.trace`, since a span that
// nobody records is not made active.
import { AsyncResource } from 'node:async_hooks'
import { type Carrier, carrierSchema } from '@stepfleet/contracts'
import { carrierOf, withOwnSpan } from '@stepfleet/runtime'
import type { FastifyInstance, FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyRequest {
    /** Of the request's span; undefined before it has one. */
    traceId: string | undefined
    /** The same span, for what is sent on. */
    trace: Carrier | undefined
    /** Brings the span back after the body was read. */
    span: AsyncResource | undefined
  }
}

/** The caller's trace, if it sends one. */
const callerOf = (request: FastifyRequest): Carrier | undefined => {
  const { traceparent, tracestate } = request.headers
  const carrier = carrierSchema.safeParse({ traceparent, ...(typeof tracestate === 'string' ? { tracestate } : {}) })
  return carrier.success ? carrier.data : undefined
}

/** What a span says when no tracing runs in the process. */
const NO_TRACE = '0'.repeat(32)
/** Health checks come every second and say nothing. */
const UNTRACED = new Set(['/healthz', '/readyz'])

export const traceRequests = (app: FastifyInstance): void => {
  app.decorateRequest('traceId', undefined)
  app.decorateRequest('trace', undefined)
  app.decorateRequest('span', undefined)
  app.addHook('onRequest', (request, reply, done) => {
    const route = request.routeOptions.url ?? '(none)'
    if (UNTRACED.has(route)) return done()
    const attributes = { 'http.request.method': request.method, 'http.route': route }
    const traced = withOwnSpan(`${request.method} ${route}`, { carrier: callerOf(request), attributes }, (span) => {
      const { traceId } = span.spanContext()
      if (traceId !== NO_TRACE) request.traceId = traceId
      request.trace = carrierOf(span)
      if (span.isRecording()) request.span = new AsyncResource('stepfleet.request')
      const ended = new Promise<void>((resolve, fail) => {
        reply.raw.once('close', () => {
          span.setAttribute('http.response.status_code', reply.statusCode)
          if (reply.statusCode >= 500) fail(new Error(`answered ${reply.statusCode}`))
          else resolve()
        })
      })
      done()
      return ended
    })
    // the answer has been given; the span alone learns of the failure
    traced.catch(() => undefined)
  })
  // a body arrives by events of the socket, which know nothing of the span
  app.addHook('preValidation', (request, _, done) => {
    if (request.span) request.span.runInAsyncScope(done, null)
    else done()
  })
}
