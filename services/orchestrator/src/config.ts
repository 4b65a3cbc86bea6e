// Settings of the orchestrator: read once at start, by name; errors never show a value.
import { BlockList, isIP } from 'node:net'
import { runBudgetSchema } from '@stepfleet/contracts'
import { commonSettings, envBoolean, loadConfig } from '@stepfleet/runtime'
import { z } from 'zod'

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** True for addresses that only this machine reaches. */
export const isLoopback = (host: string): boolean => {
  const family = isIP(host)
  return family === 0 ? host === 'localhost' : loopback.check(host, family === 6 ? 'ipv6' : 'ipv4')
}

// What is captured at submit is written into the journal, so our own settings (secrets, the Redis url) never are.
const mayBeCaptured = (name: string): boolean => ENV_NAME.test(name) && !name.startsWith('STEPFLEET_')

const budgetOf = (text: string): z.infer<typeof runBudgetSchema> | null => {
  try {
    return runBudgetSchema.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}

export const orchestratorSchema = z
  .object({
    ...commonSettings,
    /** `api`: the HTTP door only; `engine`: the loop only; `all`: both in one process. */
    ROLE: z.enum(['api', 'engine', 'all']).default('all'),
    /** Port of the REST API, on STEPFLEET_HOST; 0: any free port. */
    STEPFLEET_PORT: z.coerce.number().int().min(0).max(65_535).default(7_400),
    /** Where the escalation service listens; without it `/v1/escalations` answers 503. */
    ESCALATION_URL: z
      .url({ protocol: /^https?$/ })
      .refine((text) => URL.canParse(text) && new URL(text).pathname === '/', 'must be an origin without a path')
      .optional(),
    /** Names, separated by commas, of the variables that workflows may read as `env`; captured at submit. */
    STEPFLEET_ENV_ALLOW: z
      .string()
      .default('')
      .transform((text) =>
        text
          .split(',')
          .map((name) => name.trim())
          .filter((name) => name !== ''),
      )
      .refine(
        (names) => names.every(mayBeCaptured),
        'must be names of variables, separated by commas, none of them STEPFLEET_…: what is captured is journaled',
      ),
    /** File of prices; what it names replaces the prices of this release. Budgets in dollars go by it. */
    STEPFLEET_PRICES: z.string().optional(),
    /** What each namespace may spend in a day (UTC), as JSON: `{"usd": 50}`, `{"tokens": 1000000}`, or both. */
    STEPFLEET_BUDGET_PER_DAY: z
      .string()
      .transform((text, context) => {
        const read = budgetOf(text)
        if (read === null) context.addIssue('must be JSON such as {"usd": 50, "tokens": 1000000}')
        return read ?? {}
      })
      .optional(),
    /** Folder of workflows written in TypeScript; they are registered at start, in the namespace `default`. */
    STEPFLEET_WORKFLOWS: z.string().min(1).optional(),
    /** There are no API keys yet, so an address that others can reach must be asked for on purpose. */
    STEPFLEET_ALLOW_UNAUTHENTICATED: envBoolean.default(false),
  })
  .refine(
    (settings) =>
      settings.ROLE === 'engine' || isLoopback(settings.STEPFLEET_HOST) || settings.STEPFLEET_ALLOW_UNAUTHENTICATED,
    {
      path: ['STEPFLEET_HOST'],
      message:
        'is reachable from other machines, and the API has no keys: keep it on loopback, or set STEPFLEET_ALLOW_UNAUTHENTICATED=1 inside a closed network',
    },
  )

export type OrchestratorSettings = z.infer<typeof orchestratorSchema>

export interface OrchestratorConfig extends OrchestratorSettings {
  /** Values of the STEPFLEET_ENV_ALLOW names that are set: what a run sees as `env`. */
  env: Record<string, string>
}

/** Throws ConfigError with every setting that is wrong. */
export const loadOrchestratorConfig = (env: NodeJS.ProcessEnv): OrchestratorConfig => {
  const settings = loadConfig(orchestratorSchema, env)
  const captured: Record<string, string> = {}
  for (const name of settings.STEPFLEET_ENV_ALLOW) {
    const value = env[name]
    if (value !== undefined) captured[name] = value
  }
  return { ...settings, env: captured }
}
