// The table of a local fleet: which processes, with which settings.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ProcessSpec } from './supervise.ts'

export interface FleetPlan {
  root: string
  /** Absolute; logs, spool files, ledger and Redis lie in it. */
  dataDir: string
  /** Of the API. */
  port: number
  redisUrl: string
  llmWorkers: number
  toolWorkers: number
  drainMs: number
  /** Null: a real provider is used. */
  scripted: { port: number; latencyMs: number; script: string | null } | null
  /** As the environment sets them; tools default to examples/tools. */
  tools: string | undefined
  /** Folder of workflows written in TypeScript. */
  workflows: string | undefined
  egressAllow: string | undefined
  /** Where those outside reach the API; undefined: on this machine. */
  publicUrl: string | undefined
  /** Free ports: one for each worker's health and one for the escalation service's door. */
  ports: readonly number[]
}

export const portsNeeded = (plan: Pick<FleetPlan, 'llmWorkers' | 'toolWorkers'>): number =>
  plan.llmWorkers + plan.toolWorkers + 1

/** Started in this order, each group ready before the next; stopped in the reverse order. */
export interface ProcessGroups {
  model: ProcessSpec[]
  orchestrator: ProcessSpec[]
  escalation: ProcessSpec[]
  workers: ProcessSpec[]
}

const HOST = '127.0.0.1'

/** The address and ledger of the scripted model, when there is one. */
export /** One stand-in speaks for all three providers. */
const scriptedProviders = (url: string): Record<string, string> => ({
  ...{ ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: 'scripted-model' },
  ...{ OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: 'scripted-model' },
  ...{ GEMINI_BASE_URL: url, GEMINI_API_KEY: 'scripted-model' },
})

const scriptedUrl = (plan: FleetPlan): string | null => (plan.scripted ? `http://${HOST}:${plan.scripted.port}` : null)
export const ledgerFile = (dataDir: string): string => join(dataDir, 'model-ledger.jsonl')

export const fleetProcesses = (plan: FleetPlan): ProcessGroups => {
  const ports = [...plan.ports]
  const nextPort = (): number => {
    const port = ports.shift()
    if (port === undefined) throw new Error('too few ports were given')
    return port
  }
  const log = (name: string): string => join(plan.dataDir, 'logs', `${name}.log`)
  const preload = join(plan.root, 'packages/runtime/dist/telemetry-preload.js')
  const escalationPort = nextPort()

  // `door`: the port of a service that answers health checks on its own door
  const service = (name: string, folder: string, env: Record<string, string>, door?: number): ProcessSpec => {
    const health = door ?? nextPort()
    return {
      name,
      args: ['--import', preload, join(plan.root, 'services', folder, 'dist/main.js')],
      cwd: plan.root,
      logFile: log(name),
      readyUrl: `http://${HOST}:${health}/readyz`,
      env: {
        STEPFLEET_REDIS_URL: plan.redisUrl,
        STEPFLEET_HOST: HOST,
        ...(door === undefined ? { STEPFLEET_HEALTH_PORT: String(health) } : { STEPFLEET_PORT: String(door) }),
        STEPFLEET_SPOOL_DIR: join(plan.dataDir, 'spool', name),
        STEPFLEET_DRAIN_MS: String(plan.drainMs),
        OTEL_SERVICE_NAME: folder,
        ...env,
      },
    }
  }
  const url = scriptedUrl(plan)
  const provider = url ? scriptedProviders(url) : {}
  const examples = join(plan.root, 'examples/tools')
  const tools = plan.tools ?? (existsSync(examples) ? examples : '')
  const numbered = (name: string, n: number, env: Record<string, string>): ProcessSpec[] =>
    Array.from({ length: n }, (_, i) => service(`${name}-${i + 1}`, name, env))

  return {
    model: plan.scripted ? [modelProcess(plan, plan.scripted, log('scripted-model'))] : [],
    orchestrator: [
      service(
        'orchestrator',
        'orchestrator',
        {
          ROLE: 'all',
          ESCALATION_URL: `http://${HOST}:${escalationPort}`,
          ...(plan.workflows === undefined ? {} : { STEPFLEET_WORKFLOWS: plan.workflows }),
        },
        plan.port,
      ),
    ],
    escalation: [service('escalation', 'escalation', {}, escalationPort)],
    workers: [
      ...numbered('llm-worker', plan.llmWorkers, provider),
      ...numbered('tool-worker', plan.toolWorkers, {
        STEPFLEET_TOOLS: tools,
        STEPFLEET_EGRESS_ALLOW: plan.egressAllow ?? '',
        STEPFLEET_PUBLIC_URL: plan.publicUrl ?? `http://${HOST}:${plan.port}`,
      }),
    ],
  }
}

const modelProcess = (plan: FleetPlan, model: NonNullable<FleetPlan['scripted']>, logFile: string): ProcessSpec => ({
  name: 'scripted-model',
  args: [
    join(plan.root, 'packages/scripted-model/dist/main.js'),
    ...['--port', String(model.port), '--ledger', ledgerFile(plan.dataDir), '--latency-ms', String(model.latencyMs)],
    ...(model.script ? ['--script', model.script] : []),
  ],
  cwd: plan.root,
  env: {},
  logFile,
  readyUrl: `http://${HOST}:${model.port}/healthz`,
})
