// Settings of the escalation service, read once at start.
import { commonSettings, envInteger, loadConfig } from '@stepfleet/runtime'
import { z } from 'zod'

// health is served by the door itself, so there is no port of its own for it
const { STEPFLEET_HEALTH_PORT: _, ...common } = commonSettings

const settingsSchema = z.object({
  ...common,
  /** Port of the door and of /healthz and /readyz; 0: any free one. */
  STEPFLEET_PORT: envInteger(0, 65_535).default(7410),
  /** How long a closed case can still be read, days. The run's journal keeps what happened for longer. */
  STEPFLEET_ESCALATION_KEEP_DAYS: envInteger(1, 3_650).default(90),
})

export type EscalationSettings = z.infer<typeof settingsSchema>

/** @throws ConfigError */
export const readConfig = (env: NodeJS.ProcessEnv = process.env): EscalationSettings => loadConfig(settingsSchema, env)
