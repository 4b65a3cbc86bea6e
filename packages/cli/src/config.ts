// Settings of the command line, read from the environment when asked for.
import { userInfo } from 'node:os'
import { resolve } from 'node:path'

export interface Config {
  /** STEPFLEET_URL */
  url: string
  /** STEPFLEET_NAMESPACE */
  namespace: string | undefined
  /** STEPFLEET_BY, else the name of the user: who decides, in the journal. */
  by: string
  /** STEPFLEET_REDIS_URL: `dev` uses this Redis and starts none. */
  redisUrl: string | undefined
  /** NO_COLOR is set and not empty (no-color.org). */
  noColor: boolean
  /** True when no provider is set, by key or address: `dev` starts the scripted model then, for all of them. */
  noModel: boolean
  /** STEPFLEET_DRAIN_MS as it is set, else 3,000: a developer's Ctrl-C should not wait 25 s. */
  drainMs: number
  /** STEPFLEET_EGRESS_ALLOW and STEPFLEET_TOOLS as they are set. */
  egressAllow: string | undefined
  tools: string | undefined
  /** STEPFLEET_PUBLIC_URL: where those outside reach the API; without it, this machine only. */
  publicUrl: string | undefined
  /** STEPFLEET_WORKFLOWS, from here. */
  workflows: string | undefined
}

const PROVIDER_SETTINGS = [
  'ANTHROPIC_API_KEY',
  'ANTHROPIC_BASE_URL',
  'OPENAI_API_KEY',
  'OPENAI_BASE_URL',
  'GEMINI_API_KEY',
  'GOOGLE_API_KEY',
  'GEMINI_BASE_URL',
  'STEPFLEET_OPENAI_COMPATIBLE',
] as const

const userName = (): string => {
  try {
    return userInfo().username
  } catch {
    // a user id without an entry, as in some containers
    return 'operator'
  }
}

export const readConfig = (): Config => ({
  url: process.env.STEPFLEET_URL || 'http://127.0.0.1:7400',
  namespace: process.env.STEPFLEET_NAMESPACE || undefined,
  by: process.env.STEPFLEET_BY || userName(),
  redisUrl: process.env.STEPFLEET_REDIS_URL || undefined,
  noColor: Boolean(process.env.NO_COLOR) || process.env.TERM === 'dumb',
  drainMs: Number(process.env.STEPFLEET_DRAIN_MS || 3_000),
  egressAllow: process.env.STEPFLEET_EGRESS_ALLOW || undefined,
  publicUrl: process.env.STEPFLEET_PUBLIC_URL || undefined,
  tools: process.env.STEPFLEET_TOOLS || undefined,
  workflows: process.env.STEPFLEET_WORKFLOWS ? resolve(process.env.STEPFLEET_WORKFLOWS) : undefined,
  noModel: !PROVIDER_SETTINGS.some((name) => process.env[name]),
})

/** What a child process of `dev` gets: ours, and what is set for it. */
export const childEnv = (more: Record<string, string>): NodeJS.ProcessEnv => ({ ...process.env, ...more })
