// docker-compose.yml and the Dockerfile: settings that exist, addresses that somebody listens on, and a record that lasts.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { documentsOf } from './kustomize.ts'
import { defaultOf, isService, isTelemetrySetting, knows, problemsOf, SERVICES } from './service-settings.ts'
import { root } from './steps.mjs'

const texts = z.record(z.string(), z.string())
const serviceSchema = z.looseObject({
  image: z.string(),
  build: z.strictObject({ context: z.literal('.'), args: texts }).optional(),
  command: z.array(z.string()).default([]),
  environment: texts.default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.literal('service_healthy') })).default({}),
  healthcheck: z.unknown().optional(),
  stop_grace_period: z.string().optional(),
})
const composeSchema = z.looseObject({
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.null()),
})

const compose = composeSchema.parse(documentsOf(join(root, 'docker-compose.yml'))[0])
const services = Object.entries(compose.services)
const ours = services.filter(([, { image }]) => image.startsWith('stepfleet/'))
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')

/** What compose makes of a text where nobody has set anything. */
const plain = (text: string): string => text.replaceAll(/\$\{[A-Z_]+:?-([^}]*)\}/g, '$1').replaceAll('$$', '$')

/** The ENV of the image. */
const imageEnv = (service: string): Record<string, string> => {
  const block = /^ENV ((?:.*\\\n)*.*)$/m.exec(dockerfile)?.[1] ?? ''
  const pairs = block
    .replaceAll('\\', '')
    .trim()
    .split(/\s+/)
    .map((pair) => pair.split('='))
  return Object.fromEntries(pairs.map(([name = '', value = '']) => [name, value.replace('${SERVICE}', service)]))
}

/** Variables that the example tools read. */
const exampleVariables = readdirSync(join(root, 'examples/tools')).flatMap((file) =>
  [...readFileSync(join(root, 'examples/tools', file), 'utf8').matchAll(/process\.env\.([A-Z_]+)/g)].map(
    ([, name]) => name,
  ),
)

const env = (name: string): Record<string, string> => {
  const { environment = {}, command = [] } = compose.services[name] ?? {}
  const own = Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, plain(value)]))
  // what the command sets where nothing is given
  const exported = Object.fromEntries(
    [...command.join('\n').matchAll(/^\s*export (.*)$/gm)].flatMap(([, list = '']) =>
      list.split(' ').map((pair) => pair.split('=', 2)),
    ),
  )
  return { ...imageEnv(name), ...own, ...exported }
}

/** The port a service listens on for others. */
const portOf = (name: string): number => {
  if (name === 'redis') return 6379
  if (name === 'jaeger') return 4318
  const flag = compose.services[name]?.command.find((word) => word.startsWith('--port='))
  if (flag) return Number(flag.slice('--port='.length))
  return Number(env(name).STEPFLEET_PORT)
}

describe('docker-compose.yml', () => {
  it('has every service, built from the one recipe', () => {
    expect(ours.map(([name]) => name).sort()).toEqual([...SERVICES, 'scripted-model'].sort())
    for (const [name, { image, build }] of ours) {
      expect(plain(image)).toBe(`stepfleet/${name}:dev`)
      expect(build?.args.SERVICE).toBe(name)
      expect(plain(build?.args.NODE ?? '')).toBe(/^ARG NODE=(.*)$/m.exec(dockerfile)?.[1])
    }
  })

  it.each(SERVICES)('starts the %s with settings that it has', (name) => {
    const known = (setting: string): boolean =>
      knows(name, setting) ||
      isTelemetrySetting(setting) ||
      (name === 'tool-worker' && exampleVariables.includes(setting))
    expect(Object.keys(compose.services[name]?.environment ?? {}).filter((setting) => !known(setting))).toEqual([])
    expect(problemsOf(name, env(name))).toEqual([])
  })

  it('names addresses that a service listens on', () => {
    const urls = ours.flatMap(([name]) => Object.values(env(name)).filter((value) => URL.canParse(value)))
    expect(urls.length).toBeGreaterThanOrEqual(10)
    for (const url of urls.map((text) => new URL(text))) {
      expect(Object.keys(compose.services)).toContain(url.hostname)
      expect(Number(url.port)).toBe(portOf(url.hostname))
    }
  })

  it('publishes on loopback only: there are no API keys', () => {
    const published = services.flatMap(([name, { ports }]) => ports.map((port) => [name, plain(port)]))
    expect(published).toEqual([
      ['orchestrator', `127.0.0.1:7400:${portOf('orchestrator')}`],
      ['jaeger', '127.0.0.1:16686:16686'],
    ])
  })

  it('waits only for services that can say that they are well', () => {
    for (const [, { depends_on }] of services)
      for (const name of Object.keys(depends_on)) {
        const image = compose.services[name]?.image ?? ''
        expect(image.startsWith('stepfleet/') || compose.services[name]?.healthcheck !== undefined).toBe(true)
      }
  })

  it('keeps what Redis and the workers have to keep', () => {
    const { command, volumes } = compose.services.redis ?? { command: [], volumes: [] }
    expect(command.join(' ')).toBe('--appendonly yes --appendfsync always --maxmemory-policy noeviction')
    expect(volumes).toEqual(['redis:/data'])
    for (const worker of ['llm-worker', 'tool-worker']) {
      const spool = compose.services[worker]?.volumes.map((volume) => volume.split(':'))
      expect(spool).toContainEqual([worker, '/var/lib/stepfleet'])
      expect(env(worker).STEPFLEET_SPOOL_DIR?.startsWith('/var/lib/stepfleet/')).toBe(true)
    }
    const named = services.flatMap(([, one]) => one.volumes).flatMap((volume) => volume.match(/^[a-z-]+(?=:)/) ?? [])
    expect([...new Set(named)].sort()).toEqual(Object.keys(compose.volumes).sort())
  })

  it.each(SERVICES)('gives the %s longer to stop than it takes to drain', (name) => {
    const grace = /^(\d+)s$/.exec(compose.services[name]?.stop_grace_period ?? '')?.[1]
    expect(Number(grace) * 1_000).toBeGreaterThan(Number(defaultOf(name, 'STEPFLEET_DRAIN_MS')))
  })
})

describe('the Dockerfile', () => {
  it('runs node itself, as nobody special, after the telemetry preload', () => {
    const command = z.array(z.string()).parse(JSON.parse(/^CMD (\[.*\])$/m.exec(dockerfile)?.[1] ?? 'null'))
    expect(command.slice(0, 2)).toEqual(['node', '--import'])
    const preload = command[2]?.replace(/^\/app\/(.*)\/dist\/(.*)\.js$/, '$1/src/$2.ts')
    expect(existsSync(join(root, preload ?? ''))).toBe(true)
    // by number: Kubernetes cannot tell from a name that it is not root
    expect(dockerfile).toMatch(/^USER 1000:1000$/m)
    // the line would have to be fetched, which is not possible everywhere
    expect(dockerfile).not.toMatch(/^#\s*syntax=/m)
  })

  it('sets what its services know', () => {
    const beside = ['NODE_ENV', 'STEPFLEET_SERVICE', 'OTEL_SERVICE_NAME']
    const names = Object.keys(imageEnv('orchestrator')).filter((name) => !beside.includes(name))
    expect(names).toEqual(['STEPFLEET_HOST', 'STEPFLEET_HEALTH_PORT', 'STEPFLEET_SPOOL_DIR'])
    for (const name of names) expect(SERVICES.some((service) => knows(service, name))).toBe(true)
  })

  it('says which services there are', () => {
    const listed = /^# SERVICE: (.*)\.$/m.exec(dockerfile)?.[1]?.split(', ')
    expect(listed?.sort()).toEqual(ours.map(([name]) => name).sort())
    expect(SERVICES.every(isService)).toBe(true)
  })
})
