// The log: pino JSON lines on stdout, with the trace and the run, step and attempt from context.
import { AsyncLocalStorage } from 'node:async_hooks'
import { isSpanContextValid, type Span, trace } from '@opentelemetry/api'
import { type DestinationStream, destination, type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino'

export type Logger = PinoLogger

/** What every log line within a context carries. */
export interface LogFields {
  run?: string
  step?: string
  attempt?: number
  [key: string]: unknown
}

const context = new AsyncLocalStorage<LogFields>()

/** Runs `fn` so that every log line in it carries the fields; nested contexts add to the outer one. */
export const withLogContext = <T>(fields: LogFields, fn: () => T): T =>
  context.run({ ...context.getStore(), ...fields }, fn)

const traceFields = (): { trace_id?: string; span_id?: string } => {
  const span = trace.getActiveSpan()?.spanContext()
  return span ? { trace_id: span.traceId, span_id: span.spanId } : {}
}

/** Every line of it carries the fields; and the span's ids, unless that is active and they are on every line anyway. */
export const boundLogger = (logger: Logger, fields: LogFields, span: Span): Logger => {
  const { traceId, spanId } = span.spanContext()
  const told = span.isRecording() || !isSpanContextValid(span.spanContext())
  return logger.child(told ? fields : { ...fields, trace_id: traceId, span_id: spanId })
}

const secrets = new Set<string>()
let secretPattern: RegExp | null = null
const REDACTED = '[redacted]'
/** Shorter values would blot out ordinary words and numbers. */
const SHORTEST_SECRET = 6

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/**
 * Values that must never be seen in a log, whatever field or message they turn up in: each is replaced in the
 * finished line, also in its JSON-escaped form. Values under 6 characters are not taken; answers how many were.
 */
export const redactValues = (values: readonly string[]): number => {
  const taken = values.filter((value) => value.length >= SHORTEST_SECRET)
  for (const value of taken) secrets.add(value).add(JSON.stringify(value).slice(1, -1))
  // longest first: a secret that starts with another must go whole
  const ordered = [...secrets].sort((a, b) => b.length - a.length)
  if (ordered.length > 0) secretPattern = new RegExp(ordered.map(escaped).join('|'), 'g')
  return taken.length
}

/** Tokens of callbacks (callback-token.ts), in addresses and in what others quote: whoever has one may answer. */
const TOKEN = /cb_[\w-]{20,}\.[\w-]{43}/g

/** `text` with every value given to `redactValues` replaced, and every token of a callback. */
export const redact = (text: string): string => {
  const known = secretPattern ? text.replace(secretPattern, REDACTED) : text
  return known.includes('cb_') ? known.replace(TOKEN, REDACTED) : known
}

const redacting = (sink: DestinationStream): DestinationStream => ({
  write: (line: string) => sink.write(redact(line)),
})

/** `sink` is for tests; lines go to stdout, synchronously: the last words of a dying process are the ones that matter. */
export const createLogger = (service: string, level: string, sink?: DestinationStream): Logger =>
  pino(
    {
      level,
      base: { service, pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: () => ({ ...traceFields(), ...context.getStore() }),
    },
    redacting(sink ?? destination({ dest: 1, sync: true })),
  )
