// Settings: one zod object per process, read once; errors name settings, never their values.
import { z } from 'zod'

/** `1`, `true`, `0`, `false`. */
export const envBoolean = z
  .enum(['1', '0', 'true', 'false'], 'must be 1, 0, true or false')
  .transform((value) => value === '1' || value === 'true')

/** A whole number within bounds, both inclusive. */
export const envInteger = (min: number, max: number) =>
  z
    .string()
    .regex(/^-?\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max}`)

export const redisSettings = {
  /** redis:// or rediss://; credentials belong here. With a cluster: any one node. */
  STEPFLEET_REDIS_URL: z
    .string()
    .refine(
      (value) => URL.canParse(value) && /^rediss?:$/.test(new URL(value).protocol),
      'must be a redis:// or rediss:// url',
    )
    .default('redis://127.0.0.1:6379'),
  /** The url is a node of a Redis Cluster. */
  STEPFLEET_REDIS_CLUSTER: envBoolean.default(false),
  /** Run on a Redis that forgets everything when it stops. */
  STEPFLEET_ALLOW_VOLATILE: envBoolean.default(false),
}

export const commonSettings = {
  ...redisSettings,
  STEPFLEET_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  /** Address that doors of this process listen on. Loopback unless said otherwise. */
  STEPFLEET_HOST: z.string().default('127.0.0.1'),
  /** Port of /healthz and /readyz; 0: any free one. */
  STEPFLEET_HEALTH_PORT: envInteger(0, 65_535).default(0),
  /** Grace time at SIGTERM, milliseconds. Keep it below the orchestrator's (Kubernetes: 30 s). */
  STEPFLEET_DRAIN_MS: envInteger(0, 3_600_000).default(25_000),
  /** Where spans go; read by the telemetry preload. Absent: spans are made (for ids in logs), not exported. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url('must be a url').optional(),
}

export type RedisSettings = z.infer<z.ZodObject<typeof redisSettings>>
export type CommonSettings = z.infer<z.ZodObject<typeof commonSettings>>

/** What is wrong with the settings; `problems` has one line per setting, by name, without values. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`settings: ${problems.join('; ')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

// zod's own texts may quote what they got ("received …"), so only texts that we wrote, or that cannot quote, pass
const problemOf = (issue: z.core.$ZodIssue): string => {
  const name = issue.path.join('.') || '(all)'
  switch (issue.code) {
    case 'invalid_value':
      return `${name} must be one of ${issue.values.map(String).join(', ')}`
    case 'invalid_type':
      return issue.input === undefined ? `${name} is missing` : `${name} must be a ${issue.expected}`
    case 'too_small':
      return `${name} is too small or too short (at least ${issue.minimum})`
    case 'too_big':
      return `${name} is too large or too long (at most ${issue.maximum})`
    case 'invalid_format':
    case 'custom':
      return `${name} ${issue.message}`
    default:
      return `${name} is not valid`
  }
}

/**
 * Settings of a process out of its environment. An empty value counts as not set: compose files and manifests
 * pass empty strings for what nobody filled in. Throws ConfigError.
 */
export const loadConfig = <T extends z.ZodType>(schema: T, env: NodeJS.ProcessEnv): z.infer<T> => {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const result = schema.safeParse(given, { reportInput: true })
  if (result.success) return result.data
  throw new ConfigError(result.error.issues.map(problemOf))
}

/** What the telemetry preload needs; it runs before any `main`, so it reads the environment itself. */
export interface TelemetrySettings {
  serviceName: string
  /** Whether spans leave the process. */
  exporting: boolean
}

export const telemetrySettings = (env: NodeJS.ProcessEnv = process.env): TelemetrySettings => ({
  serviceName: env.OTEL_SERVICE_NAME || 'stepfleet',
  exporting: Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT),
})
