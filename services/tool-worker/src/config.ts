// Settings of the tool-worker, read once at start.
import { commonSettings, envInteger, loadConfig } from '@stepfleet/runtime'
import { z } from 'zod'
import { SHORTEST_SECRET } from './secrets.ts'

const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  )

/** `host`, `host:port`, `[::1]` or `[::1]:port`. */
const ALLOW_ENTRY = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i

const SECRET_PREFIX = 'STEPFLEET_SECRET_'

const settingsSchema = z.object({
  ...commonSettings,
  /** A call that takes longer speaks against the host it went to, milliseconds. */
  STEPFLEET_SLOW_CALL_MS: envInteger(1, 86_400_000).default(30_000),
  /** Tasks run at once. */
  STEPFLEET_SLOTS: z
    .string()
    .regex(/^[1-9]\d{0,3}$/, 'must be a whole number from 1 to 9999')
    .default('50')
    .transform(Number),
  /** Folder for outcomes that could not be reported while Redis was away. In a pod: a volume. */
  STEPFLEET_SPOOL_DIR: z.string().default('.stepfleet/spool/tool-worker'),
  /** Files and folders of module tools, separated by commas. */
  STEPFLEET_TOOLS: list,
  /** Hosts (`host` or `host:port`) that tools may reach although they are private, separated by commas. */
  STEPFLEET_EGRESS_ALLOW: list.refine(
    (entries) => entries.every((entry) => ALLOW_ENTRY.test(entry)),
    'must be a list of host or host:port, without scheme and path',
  ),
  /** Origin of the REST API as those reach it who answer callbacks. */
  STEPFLEET_PUBLIC_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .default('http://127.0.0.1:7400')
    .transform((url) => url.replace(/\/+$/, '')),
  /** Folder with one file per secret, named like it. */
  STEPFLEET_SECRETS_DIR: z.string().optional(),
})

export type ToolWorkerSettings = z.infer<typeof settingsSchema>

const longEnough = z
  .string()
  .refine((value) => value.length >= SHORTEST_SECRET, `must have ${SHORTEST_SECRET} characters or more`)

/**
 * Settings, and the secrets of `STEPFLEET_SECRET_<NAME>` by name. The secrets are taken out of `env`, so that a tool
 * that looks into its environment finds none but those it declared.
 * @throws ConfigError
 */
export const readConfig = (
  env: NodeJS.ProcessEnv = process.env,
): { settings: ToolWorkerSettings; secrets: Map<string, string> } => {
  const settings = loadConfig(settingsSchema, env)
  const names = Object.keys(env).filter((key) => key.startsWith(SECRET_PREFIX) && env[key] !== '')
  const values = loadConfig(z.object(Object.fromEntries(names.map((name) => [name, longEnough]))), env)
  for (const name of names) delete env[name]
  return {
    settings,
    secrets: new Map(Object.entries(values).map(([name, value]) => [name.slice(SECRET_PREFIX.length), value])),
  }
}
