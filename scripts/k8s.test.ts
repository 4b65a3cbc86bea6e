// k8s/: what each overlay comes to can run: settings, ports, secrets, labels and policies that fit together.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type KubernetesObject, render, strayFiles } from './kustomize.ts'
import { isService, knows, problemsOf } from './service-settings.ts'
import { root } from './steps.mjs'

const probe = z.union([
  z.looseObject({ httpGet: z.strictObject({ path: z.enum(['/healthz', '/readyz', '/']), port: z.string() }) }),
  z.looseObject({ exec: z.strictObject({ command: z.array(z.string()) }) }),
  z.looseObject({ tcpSocket: z.strictObject({ port: z.string() }) }),
])
const reference = z.strictObject({ name: z.string(), key: z.string() })
const variable = z.union([
  z.strictObject({ name: z.string(), value: z.string() }),
  z.strictObject({ name: z.string(), valueFrom: z.strictObject({ secretKeyRef: reference }) }),
])
/** What every container must have; what is missing is an error of the parse. */
const container = z.looseObject({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()).default([]),
  env: z.array(variable).default([]),
  envFrom: z.array(z.strictObject({ configMapRef: z.strictObject({ name: z.string() }) })).default([]),
  ports: z.array(z.strictObject({ name: z.string(), containerPort: z.int() })),
  readinessProbe: probe,
  livenessProbe: probe,
  startupProbe: probe.optional(),
  resources: z.strictObject({
    requests: z.strictObject({ cpu: z.string(), memory: z.string() }),
    // none on CPU: a throttled process beats late and is taken for dead
    limits: z.strictObject({ memory: z.string() }),
  }),
  securityContext: z.strictObject({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')]) }),
  }),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })),
})
const labels = z.record(z.string(), z.string())
const workloadSchema = z.looseObject({
  kind: z.enum(['Deployment', 'StatefulSet']),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({
    replicas: z.int().optional(),
    selector: z.strictObject({ matchLabels: labels }),
    template: z.strictObject({
      metadata: z.strictObject({ labels }),
      spec: z.looseObject({
        terminationGracePeriodSeconds: z.int().default(30),
        automountServiceAccountToken: z.literal(false),
        enableServiceLinks: z.literal(false),
        securityContext: z.looseObject({
          runAsNonRoot: z.literal(true),
          runAsUser: z.int().positive(),
          seccompProfile: z.strictObject({ type: z.literal('RuntimeDefault') }),
        }),
        containers: z.tuple([container]),
        volumes: z.array(z.looseObject({ name: z.string() })).default([]),
      }),
    }),
    volumeClaimTemplates: z.array(z.looseObject({ metadata: z.strictObject({ name: z.string() }) })).default([]),
  }),
})
const peers = z.looseObject({ podSelector: z.unknown().optional(), ipBlock: z.unknown().optional() })
const rule = z.strictObject({
  from: z.array(peers).default([]),
  to: z.array(peers).default([]),
  ports: z.array(z.strictObject({ protocol: z.enum(['TCP', 'UDP']), port: z.int() })).default([]),
})
const policySchema = z.looseObject({
  spec: z.strictObject({
    podSelector: z.unknown(),
    policyTypes: z.array(z.enum(['Ingress', 'Egress'])),
    ingress: z.array(rule).default([]),
    egress: z.array(rule).default([]),
  }),
})
const serviceSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({
    selector: labels,
    ports: z.array(z.strictObject({ name: z.string(), port: z.int(), targetPort: z.string() })),
  }),
})
const configSchema = z.looseObject({ metadata: z.looseObject({ name: z.string() }), data: labels })
const secretSchema = z.looseObject({ metadata: z.looseObject({ name: z.string() }), stringData: labels })
const scalerSchema = z.looseObject({
  spec: z.looseObject({ scaleTargetRef: z.looseObject({ kind: z.literal('Deployment'), name: z.string() }) }),
})
const budgetSchema = z.looseObject({ spec: z.looseObject({ selector: z.strictObject({ matchLabels: labels }) }) })

const selectorSchema = z.strictObject({
  matchLabels: labels.default({}),
  matchExpressions: z
    .array(z.strictObject({ key: z.string(), operator: z.literal('In'), values: z.array(z.string()) }))
    .default([]),
})
const selects = (selector: unknown, pod: Record<string, string>): boolean => {
  const { matchLabels, matchExpressions } = selectorSchema.parse(selector)
  return (
    Object.entries(matchLabels).every(([key, value]) => pod[key] === value) &&
    matchExpressions.every(({ key, values }) => values.includes(pod[key] ?? ''))
  )
}

/** Secrets that a person makes; docs/guide/deploy.md says how. */
const BY_HAND: Record<string, string[]> = { 'stepfleet-anthropic': ['ANTHROPIC_API_KEY'] }

const read = (overlay: string) => {
  const objects = render(join(root, 'k8s/overlays', overlay))
  const all = <T extends z.ZodType>(schema: T, ...kinds: string[]): z.infer<T>[] =>
    objects.filter(({ kind }: KubernetesObject) => kinds.includes(kind)).map((one) => schema.parse(one))
  const configs = all(configSchema, 'ConfigMap')
  const secrets = all(secretSchema, 'Secret')
  const secretOf = ({ name, key }: z.infer<typeof reference>): string | undefined => {
    if (BY_HAND[name]?.includes(key)) return 'made-by-hand'
    return secrets.find(({ metadata }) => metadata.name === name)?.stringData[key]
  }
  const workloads = all(workloadSchema, 'Deployment', 'StatefulSet').map(({ kind, metadata, spec }) => {
    const pod = spec.template.spec
    const [main] = pod.containers
    const shared = main.envFrom.flatMap(({ configMapRef }) => {
      const config = configs.find(({ metadata: { name } }) => name === configMapRef.name)
      return Object.entries(config?.data ?? { [`no ConfigMap ${configMapRef.name}`]: '' })
    })
    const own = main.env.map((one): [string, string] => [
      one.name,
      'value' in one ? one.value : (secretOf(one.valueFrom.secretKeyRef) ?? 'no such secret'),
    ])
    const service = /^stepfleet\/([a-z-]+):/.exec(main.image)?.[1] ?? ''
    return { kind, name: metadata.name, spec, pod, main, service, env: Object.fromEntries([...shared, ...own]) }
  })
  return {
    objects,
    all,
    workloads,
    services: all(serviceSchema, 'Service'),
    policies: all(policySchema, 'NetworkPolicy'),
  }
}

it('every file belongs to a kustomization', () => {
  expect(strayFiles(join(root, 'k8s'))).toEqual([])
})

describe.each(['dev', 'prod'])('k8s/overlays/%s', (overlay) => {
  const { objects, all, workloads, services, policies } = read(overlay)
  const named = (name: string) => workloads.find((one) => one.name === name)

  it('has every part, all in one namespace', () => {
    const wanted = ['api', 'engine', 'escalation', 'llm-worker', 'redis', 'tool-worker'].map(
      (name) => `stepfleet-${name}`,
    )
    expect(workloads.map(({ name }) => name)).toEqual(expect.arrayContaining(wanted))
    const [namespace, ...more] = objects.filter(({ kind }) => kind === 'Namespace')
    expect(more).toEqual([])
    const others = objects.filter(({ kind }) => kind !== 'Namespace')
    expect(new Set(others.map(({ metadata }) => metadata.namespace))).toEqual(new Set([namespace?.metadata.name]))
  })

  it.each(workloads.filter(({ service }) => isService(service)))('$name: settings that it has', ({ service, env }) => {
    if (!isService(service)) throw new Error(service)
    expect(Object.keys(env).filter((name) => !knows(service, name))).toEqual([])
    expect(Object.values(env)).not.toContain('no such secret')
    expect(problemsOf(service, env)).toEqual([])
  })

  it.each(workloads)(
    '$name: a tagged image, ports, volumes and a selector that fit',
    ({ spec, pod, main, env, service }) => {
      expect(main.image).toMatch(/^(stepfleet\/[a-z-]+:(dev|\d+\.\d+\.\d+)|redis:7|jaegertracing\/all-in-one:[\d.]+)$/)
      expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels)
      for (const one of [main.readinessProbe, main.livenessProbe, main.startupProbe]) {
        const port = z.object({ port: z.string() }).safeParse(one?.httpGet ?? one?.tcpSocket)
        if (port.success) expect(main.ports.map(({ name }) => name)).toContain(port.data.port)
      }
      const flag = main.args.find((word) => word.startsWith('--port='))?.slice('--port='.length)
      const listens = env.STEPFLEET_PORT ?? env.STEPFLEET_HEALTH_PORT ?? flag
      if (service) expect(main.ports.map(({ containerPort }) => String(containerPort))).toEqual([listens])
      const volumes = [...pod.volumes, ...spec.volumeClaimTemplates.map(({ metadata }) => metadata)].map(
        ({ name }) => name,
      )
      expect(main.volumeMounts.map(({ name }) => name).sort()).toEqual(volumes.sort())
    },
  )

  it.each(workloads.filter(({ service }) => isService(service)))(
    '$name: drains before it is killed',
    ({ pod, env }) => {
      expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(Number(env.STEPFLEET_DRAIN_MS))
    },
  )

  it('is scaled by a number or by an autoscaler, never by both', () => {
    const scaled = all(scalerSchema, 'HorizontalPodAutoscaler').map(({ spec }) => spec.scaleTargetRef.name)
    for (const name of scaled) expect(named(name)).toBeDefined()
    for (const { name, spec } of workloads)
      expect([name, spec.replicas === undefined]).toEqual([name, scaled.includes(name)])
  })

  it('guards pods that are there', () => {
    const budgets = all(budgetSchema, 'PodDisruptionBudget')
    expect(budgets.length).toBe(5)
    for (const { spec } of budgets)
      expect(workloads.filter((one) => selects(spec.selector, one.spec.template.metadata.labels)).length).toBe(1)
  })

  it('has services whose ports a pod listens on', () => {
    for (const { spec } of services) {
      const [target, ...more] = workloads.filter((one) =>
        selects({ matchLabels: spec.selector }, one.spec.template.metadata.labels),
      )
      expect([target?.name, more]).toEqual([expect.any(String), []])
      const ports = target?.main.ports.map(({ name, containerPort }) => `${name} ${containerPort}`)
      for (const { port, targetPort } of spec.ports) expect(ports).toContain(`${targetPort} ${port}`)
    }
  })

  const calls = workloads.flatMap(({ name, spec, env }) =>
    Object.values(env)
      .filter((value) => URL.canParse(value) && !new URL(value).hostname.includes('.'))
      .map((value) => ({ name, from: spec.template.metadata.labels, url: new URL(value) })),
  )
  it('calls somebody', () => {
    expect(calls.length).toBeGreaterThanOrEqual(6)
  })
  it.each(calls)('$name may call $url.host', ({ from, url }) => {
    const service = services.find(({ metadata }) => metadata.name === url.hostname)
    const to = workloads.find(
      (one) => service && selects({ matchLabels: service.spec.selector }, one.spec.template.metadata.labels),
    )
    const target = to?.spec.template.metadata.labels ?? {}
    const has = (rules: z.infer<typeof rule>[], side: 'from' | 'to', other: Record<string, string>): boolean =>
      rules.some(
        (one) =>
          one.ports.some(({ port }) => port === Number(url.port)) &&
          one[side].some(({ podSelector }) => podSelector !== undefined && selects(podSelector, other)),
      )
    expect(service?.spec.ports.map(({ port }) => port)).toContain(Number(url.port))
    expect(policies.some(({ spec }) => selects(spec.podSelector, from) && has(spec.egress, 'to', target))).toBe(true)
    expect(policies.some(({ spec }) => selects(spec.podSelector, target) && has(spec.ingress, 'from', from))).toBe(true)
  })
})

it('secrets that a person has to make are told of', () => {
  const page = readFileSync(join(root, 'docs/guide/deploy.md'), 'utf8')
  for (const [name, keys] of Object.entries(BY_HAND))
    for (const key of keys) expect(page).toContain(`secret generic ${name} --from-literal=${key}=`)
})
