// Starts OpenTelemetry before anything else: `node --import @stepfleet/runtime/telemetry main.js`.
// Without OTEL_EXPORTER_OTLP_ENDPOINT spans are made (their ids go into logs and carriers) and then dropped.
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { hostname } from 'node:os'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { IORedisInstrumentation } from '@opentelemetry/instrumentation-ioredis'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import { NodeSDK, resources, tracing } from '@opentelemetry/sdk-node'
import { telemetrySettings } from './config.ts'
import { createLogger, redact } from './logger.ts'
import { onFlush } from './telemetry.ts'

/** All tries of one export. The default of 10 s would hold a process that ends of itself for as long. */
const EXPORT_LIMIT_MS = 3_000

const PROBES = new Set(['/healthz', '/readyz'])

const instrumentations = () => [
  new HttpInstrumentation({
    ignoreIncomingRequestHook: (request) => PROBES.has(request.url?.split('?')[0] ?? ''),
    requireParentforOutgoingSpans: true,
  }),
  new IORedisInstrumentation({
    requireParentSpan: true,
    // arguments are payloads and prompts: only the command's name leaves the process
    dbStatementSerializer: (command) => command,
  }),
  new UndiciInstrumentation({ requireParentforSpans: true }),
]

const redactStrings = (attributes: Record<string, unknown>): void => {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'string') attributes[name] = redact(value)
  }
}

/** Secrets are redacted by value here too: a url of a provider may carry a key in its query. */
const redacting = (exporter: tracing.SpanExporter): tracing.SpanExporter => ({
  export: (spans, done) => {
    for (const span of spans) {
      redactStrings(span.attributes)
      for (const event of span.events) redactStrings(event.attributes ?? {})
    }
    exporter.export(spans, done)
  },
  forceFlush: async () => exporter.forceFlush?.(),
  shutdown: () => exporter.shutdown(),
})

const dropping: tracing.SpanProcessor = {
  onStart: () => {},
  onEnd: () => {},
  forceFlush: async () => {},
  shutdown: async () => {},
}

const start = (): void => {
  const settings = telemetrySettings()
  const sdk = new NodeSDK({
    serviceName: settings.serviceName,
    resource: resources
      .defaultResource()
      .merge(resources.resourceFromAttributes({ 'host.name': hostname(), 'process.pid': process.pid })),
    resourceDetectors: [resources.envDetector],
    instrumentations: settings.exporting ? instrumentations() : [],
    // left out, these two would each start an exporter of their own
    metricReaders: [],
    logRecordProcessors: [],
    ...(settings.exporting
      ? { traceExporter: redacting(new OTLPTraceExporter({ timeoutMillis: EXPORT_LIMIT_MS })) }
      : // spans still have ids, for logs and carriers; nothing else of them is kept (a third of a step's time otherwise)
        { sampler: new tracing.AlwaysOffSampler(), spanProcessors: [dropping] }),
  })
  sdk.start()
  onFlush(() => sdk.shutdown())
  if (!settings.exporting) return
  // Patched when required, once, here: both are objects that all later imports share. So no ESM loader hook is
  // needed, which would wrap every module of the process (and slow its start down).
  const require = createRequire(import.meta.url)
  for (const name of ['node:http', 'node:https', 'ioredis']) require(name)
  syncBuiltinESMExports()
}

try {
  start()
} catch (error) {
  createLogger('telemetry', 'warn').warn({ err: error }, 'no telemetry: it did not start')
}
