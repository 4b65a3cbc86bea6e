// Log lines: context, trace ids, levels, and secrets that must not be seen.
import { NodeSDK, tracing } from '@opentelemetry/sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createLogger, redact, redactValues, withLogContext } from './logger.ts'
import { withSpan } from './telemetry.ts'

const capture = (level = 'info') => {
  const lines: string[] = []
  const logger = createLogger('test', level, { write: (line) => lines.push(line) })
  return { logger, lines, parsed: () => lines.map((line) => JSON.parse(line)) }
}

describe('log lines', () => {
  it('are JSON with service, level name and ISO time', () => {
    const { logger, parsed } = capture()
    logger.info({ queue: 'tool.http' }, 'started')
    const [line] = parsed()
    expect(line).toMatchObject({ service: 'test', level: 'info', queue: 'tool.http', msg: 'started', pid: process.pid })
    expect(new Date(line.time).toISOString()).toBe(line.time)
  })

  it('below the level are not written', () => {
    const { logger, lines } = capture('warn')
    logger.info('no')
    logger.warn('yes')
    expect(lines).toHaveLength(1)
  })

  it('carry the context, across awaits, and inner contexts add to outer ones', async () => {
    const { logger, parsed } = capture()
    await withLogContext({ run: 'r1', step: 'a' }, async () => {
      await Promise.resolve()
      withLogContext({ step: 'b', attempt: 2 }, () => logger.info('inner'))
      logger.info('outer')
    })
    logger.info('outside')
    const [inner, outer, outside] = parsed()
    expect(inner).toMatchObject({ run: 'r1', step: 'b', attempt: 2 })
    expect(outer).toMatchObject({ run: 'r1', step: 'a' })
    expect(outer).not.toHaveProperty('attempt')
    expect(outside).not.toHaveProperty('run')
  })

  it('do not mix the contexts of two runs side by side', async () => {
    const { logger, parsed } = capture()
    const run = (name: string) =>
      withLogContext({ run: name }, async () => {
        await Promise.resolve()
        logger.info(name)
      })
    await Promise.all([run('r1'), run('r2')])
    for (const line of parsed()) expect(line.run).toBe(line.msg)
  })
})

describe('trace ids', () => {
  const sdk = new NodeSDK({
    spanProcessors: [new tracing.SimpleSpanProcessor(new tracing.InMemorySpanExporter())],
    metricReaders: [],
    logRecordProcessors: [],
  })
  beforeAll(() => sdk.start())
  afterAll(() => sdk.shutdown())

  it('are those of the active span, and absent without one', async () => {
    const { logger, parsed } = capture()
    const ids = await withSpan('work', {}, async (span) => {
      logger.info('in')
      return span.spanContext()
    })
    logger.info('out')
    const [inside, outside] = parsed()
    expect(inside).toMatchObject({ trace_id: ids.traceId, span_id: ids.spanId })
    expect(outside).not.toHaveProperty('trace_id')
  })
})

describe('redaction by value', () => {
  it('replaces a secret wherever it turns up', () => {
    const { logger, lines } = capture()
    redactValues(['s3cret-value', 'quote"and\nline'])
    logger.info({ header: 'Bearer s3cret-value', deep: { list: ['s3cret-value'] } }, 'sent s3cret-value')
    logger.error({ err: new Error('refused: s3cret-value, quote"and\nline') }, 'failed')
    const text = lines.join('')
    expect(text).not.toContain('s3cret-value')
    expect(text).not.toContain('quote\\"and')
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ header: 'Bearer [redacted]', msg: 'sent [redacted]' })
  })

  it('takes a secret whole when another one is its beginning', () => {
    redactValues(['abcdef', 'abcdefghi'])
    expect(redact('x abcdefghi y abcdef z')).toBe('x [redacted] y [redacted] z')
  })

  it('takes characters of patterns literally', () => {
    redactValues(['a.c*e+g?'])
    expect(redact('a.c*e+g? abcdeeg')).toBe('[redacted] abcdeeg')
  })

  it('does not take values that would blot out ordinary text, and tells', () => {
    expect(redactValues(['1', 'true', 'long-enough'])).toBe(1)
    expect(redact('1 true')).toBe('1 true')
  })
})
