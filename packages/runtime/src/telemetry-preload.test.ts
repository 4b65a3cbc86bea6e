// The preload in a real process: what it exports, and that it never keeps a process alive or makes it fail.
import { type ChildProcess, spawn } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'

const here = (name: string): string => new URL(name, import.meta.url).href
const cwd = fileURLToPath(new URL('.', import.meta.url))

const run = (script: string, env: NodeJS.ProcessEnv): Promise<{ code: number | null; out: string }> => {
  const args = ['-C', 'source', '--import', 'tsx', '--import', here('./telemetry-preload.ts')]
  const child = spawn(process.execPath, [...args, '--input-type=module', '-e', script], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
  })
  let out = ''
  child.stdout.on('data', (bytes) => {
    out += bytes
  })
  child.stderr.on('data', (bytes) => {
    out += bytes
  })
  children.add(child)
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out })))
}

const children = new Set<ChildProcess>()
let collector: Server | null = null
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  collector?.closeAllConnections()
  collector?.close()
  collector = null
})

/** A collector that keeps what it is sent, or one that takes everything and never answers. */
const startCollector = async (answers: boolean) => {
  const requests: { path: string; body: string }[] = []
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    requests.push({ path: request.url ?? '', body: Buffer.concat(pieces).toString('latin1') })
    if (answers) response.end()
  })
  collector = server
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('no address')
  return { url: `http://127.0.0.1:${address.port}`, requests }
}

const WORK = `
  import { get } from 'node:http'
  import { currentCarrier, flushTelemetry, withSpan } from '${here('./telemetry.ts')}'
  import { redactValues } from '${here('./logger.ts')}'
  import { Redis } from 'ioredis'
  redactValues(['canary-secret'])
  const redis = new Redis({ lazyConnect: true, enableOfflineQueue: false, retryStrategy: () => null })
  redis.on('error', () => {})
  await withSpan('outer work', { attributes: { note: 'key canary-secret' } }, async () => {
    await redis.set('a-key', 'canary-payload').catch(() => {})
    await new Promise((resolve) => get(process.env.TARGET, (reply) => reply.resume().on('end', resolve)).on('error', resolve))
    console.log(currentCarrier().traceparent)
  })
  redis.disconnect()
  await flushTelemetry()
`

describe('with a collector', () => {
  it('spans arrive, with those of http and redis, the name of the service, and no secrets', async () => {
    const { url, requests } = await startCollector(true)
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SERVICE_NAME: 'preload-test', TARGET: `${url}/plain` }
    const { code, out } = await run(WORK, env)
    expect(out).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01\n$/)
    expect(code).toBe(0)
    const sent = requests.filter(({ path }) => path === '/v1/traces').map(({ body }) => body)
    const bytes = sent.join('')
    expect(bytes).toContain('preload-test')
    expect(bytes).toContain('outer work')
    expect(bytes).toContain('instrumentation-http')
    expect(bytes).toContain('instrumentation-ioredis')
    expect(bytes).toContain('key [redacted]')
    expect(bytes).not.toContain('canary')
    // nothing but traces: logs and metrics have no exporter
    expect(new Set(requests.map(({ path }) => path))).toEqual(new Set(['/plain', '/v1/traces']))
  })
})

describe('never in the way', () => {
  it('without an endpoint there are ids and no connection', async () => {
    const { url, requests } = await startCollector(true)
    const { code, out } = await run(WORK, { TARGET: `${url}/plain` })
    expect(out).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00\n$/)
    expect(code).toBe(0)
    expect(requests.map(({ path }) => path)).toEqual(['/plain'])
  })

  it('a collector that is away does not make the process fail', async () => {
    const { code } = await run(WORK, {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
      TARGET: 'http://127.0.0.1:1',
    })
    expect(code).toBe(0)
  })

  it('a collector that never answers does not hold a stopping process for ever', async () => {
    const { url, requests } = await startCollector(false)
    const script = `${WORK}\n process.exit(7)`
    const { code } = await run(script, { OTEL_EXPORTER_OTLP_ENDPOINT: url, TARGET: 'http://127.0.0.1:1' })
    expect(code).toBe(7)
    expect(requests.map(({ path }) => path)).toEqual(['/v1/traces'])
  })

  it('a process with nothing to do ends', async () => {
    const { code } = await run('', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })
    expect(code).toBe(0)
  })
})
