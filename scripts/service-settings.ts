// For tests: the settings of each service, by name, as its config.ts takes them.
import { readFileSync } from 'node:fs'
import { ConfigError, commonSettings, telemetrySettings } from '@stepfleet/runtime'
import { readConfig as readEscalation } from '../services/escalation/src/config.ts'
import { readSettings as readLlmWorker } from '../services/llm-worker/src/config.ts'
import { loadOrchestratorConfig } from '../services/orchestrator/src/config.ts'
import { readConfig as readToolWorker } from '../services/tool-worker/src/config.ts'

type Env = Record<string, string>

/** Each reads an environment as its service does at start. They throw ConfigError. */
const READERS = {
  orchestrator: (env: Env): object => loadOrchestratorConfig(env),
  'llm-worker': (env: Env): object => readLlmWorker(env),
  // it takes secrets out of what it is given
  'tool-worker': (env: Env): object => readToolWorker({ ...env }).settings,
  escalation: (env: Env): object => readEscalation(env),
} as const

export type Service = keyof typeof READERS
export const SERVICES = Object.keys(READERS) as Service[]
export const isService = (name: string): name is Service => Object.hasOwn(READERS, name)

/** The least with which each starts. */
const LEAST: Record<Service, Env> = {
  orchestrator: {},
  'llm-worker': { ANTHROPIC_API_KEY: 'a key' },
  'tool-worker': {},
  escalation: {},
}

/** What is wrong with an environment, by setting; nothing: the service would start with it. */
export const problemsOf = (service: Service, env: Env): readonly string[] => {
  try {
    READERS[service](env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

/** What a setting is without being set; undefined when it is then absent. */
export const defaultOf = (service: Service, name: string): unknown => {
  const given = LEAST[service][name] === undefined ? LEAST[service] : { ...LEAST[service], [name]: '' }
  const settings: Record<string, unknown> = name in LEAST[service] ? {} : { ...READERS[service](given) }
  return settings[name]
}

/** Whether the schema of the service has the setting: it comes out again, or is complained of. */
export const knows = (service: Service, name: string): boolean => {
  const env = { ...LEAST[service], [name]: 'http://127.0.0.1/' }
  const problems = problemsOf(service, env)
  if (problems.length > 0) return problems.some((problem) => problem.startsWith(`${name} `))
  return Object.hasOwn(READERS[service](env), name)
}

/** Keys of object literals in config.ts that are written like settings; the schema decides which of them are. */
const written = (service: Service): string[] => {
  const text = readFileSync(new URL(`../services/${service}/src/config.ts`, import.meta.url), 'utf8')
  return [...text.matchAll(/^\s+([A-Z][A-Z0-9_]*):/gm)].flatMap((match) => match[1] ?? [])
}

/** Every setting of the service. */
export const namesOf = (service: Service): string[] =>
  [...new Set([...Object.keys(commonSettings), ...written(service)])].filter((name) => knows(service, name)).sort()

/** Read by the telemetry preload of every process. */
export const isTelemetrySetting = (name: string): boolean =>
  name === 'OTEL_SERVICE_NAME' && telemetrySettings({ [name]: 'seen' }).serviceName === 'seen'
