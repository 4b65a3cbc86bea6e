// Settings of the llm-worker; the only file here that reads the environment.
import { readFileSync } from 'node:fs'
import { defaultPrices, type PriceList, priceListSchema } from '@stepfleet/contracts'
import { commonSettings, envInteger, loadConfig } from '@stepfleet/runtime'
import { z } from 'zod'

export const ANTHROPIC_URL = 'https://api.anthropic.com'
// undici gives up on headers and on a silent body after 300 s by itself, so a longer limit would not be kept
const MAX_SILENCE_MS = 290_000

const settingsSchema = z
  .object({
    ...commonSettings,
    /** Key of the API. Needed for the real one; another address (the scripted model) takes any. */
    ANTHROPIC_API_KEY: z.string().optional(),
    /** Where the API is: the real one, a gateway, or the scripted model. */
    ANTHROPIC_BASE_URL: z.url('must be a url').default(ANTHROPIC_URL),
    /** Model calls in flight at once. */
    STEPFLEET_SLOTS: envInteger(1, 1_000).default(20),
    /** Where outcomes lie while Redis is away; keep it over restarts. */
    STEPFLEET_SPOOL_DIR: z.string().default('.stepfleet/spool'),
    /** File of prices; what it names replaces the prices of this release. */
    STEPFLEET_PRICES: z.string().optional(),
    /** How long a call may take until its headers come, milliseconds. */
    STEPFLEET_MODEL_HEADERS_MS: envInteger(1, MAX_SILENCE_MS).default(60_000),
    /** How long an answer may be silent between two chunks, milliseconds. Pings count as chunks. */
    STEPFLEET_MODEL_CHUNK_MS: envInteger(1, MAX_SILENCE_MS).default(60_000),
    /** Room for conversations of agents, MiB. 0: none is kept, each turn reads its history again. */
    STEPFLEET_CONVERSATION_CACHE_MB: envInteger(0, 16_384).default(64),
  })
  .refine((settings) => settings.ANTHROPIC_API_KEY !== undefined || !isRealApi(settings.ANTHROPIC_BASE_URL), {
    path: ['ANTHROPIC_API_KEY'],
    error: `is missing; it is needed while ANTHROPIC_BASE_URL is ${ANTHROPIC_URL}`,
  })
export type Settings = z.infer<typeof settingsSchema>

/** True for the API itself, however the url is written. */
export const isRealApi = (url: string): boolean => new URL(url).host === new URL(ANTHROPIC_URL).host

/** Throws ConfigError. */
export const readSettings = (env: NodeJS.ProcessEnv = process.env): Settings => loadConfig(settingsSchema, env)

/** The prices of this release, with those of the file in their place. Throws when the file is no price list. */
export const readPrices = (file: string | undefined): PriceList => {
  if (file === undefined) return defaultPrices
  const own = priceListSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  return { ...own, models: { ...defaultPrices.models, ...own.models } }
}
