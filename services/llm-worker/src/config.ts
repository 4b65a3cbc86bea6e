// Settings of the llm-worker; the only file here that reads the environment.
import { readFileSync } from 'node:fs'
import { defaultPrices, nearest, type PriceList, priceListSchema } from '@stepfleet/contracts'
import {
  commonSettings,
  envInteger,
  loadConfig,
  type ModelLimits,
  ModelLimitsError,
  readModelLimits,
} from '@stepfleet/runtime'
import { z } from 'zod'

export const ANTHROPIC_URL = 'https://api.anthropic.com'
export const OPENAI_URL = 'https://api.openai.com/v1'
export const GEMINI_URL = 'https://generativelanguage.googleapis.com'
const REAL_HOSTS = new Set([ANTHROPIC_URL, OPENAI_URL, GEMINI_URL].map((url) => new URL(url).host))

/** Names that are not free for compatible servers. */
const OWN_NAMES = ['anthropic', 'openai', 'gemini']

// undici gives up on headers and on a silent body after 300 s by itself, so a longer limit would not be kept
const MAX_SILENCE_MS = 290_000

/** `name=value,name=value`; a name is the part of a model before its `/`. Values are never shown. */
const namedValues = (what: string, valid: (value: string) => boolean) =>
  z
    .string()
    .optional()
    .transform((given, context): Map<string, string> => {
      const found = new Map<string, string>()
      for (const entry of (given ?? '').split(',').flatMap((one) => one.trim() || [])) {
        const cut = entry.indexOf('=')
        const name = entry.slice(0, Math.max(0, cut))
        const value = entry.slice(cut + 1)
        if (/^[a-z][a-z0-9_-]*$/.test(name) && valid(value) && !found.has(name)) found.set(name, value)
        else context.addIssue({ code: 'custom', message: `must be name=${what}, separated by commas, each name once` })
      }
      return found
    })

const isHttpUrl = (text: string): boolean => URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol)

const settingsSchema = z
  .object({
    ...commonSettings,
    /** Key of Anthropic's API. Needed for the real one; another address (the scripted model) takes any. */
    ANTHROPIC_API_KEY: z.string().optional(),
    /** Where Anthropic's API is: the real one, a gateway, or the scripted model. */
    ANTHROPIC_BASE_URL: z.url('must be a url').default(ANTHROPIC_URL),
    /** Key of OpenAI's API, as above. */
    OPENAI_API_KEY: z.string().optional(),
    /** Where OpenAI's API is, with its version (`…/v1`). */
    OPENAI_BASE_URL: z.url('must be a url').default(OPENAI_URL),
    /** Key of Google's Gemini API, as above. */
    GEMINI_API_KEY: z.string().optional(),
    /** The same key under the name that Google's own tools also read; GEMINI_API_KEY comes first. */
    GOOGLE_API_KEY: z.string().optional(),
    /** Where the Gemini API is, without its version. */
    GEMINI_BASE_URL: z.url('must be a url').default(GEMINI_URL),
    /** Further servers that speak like OpenAI: `ollama=http://localhost:11434/v1,vllm=http://…/v1`. Their models are `ollama/…`. */
    STEPFLEET_OPENAI_COMPATIBLE: namedValues('url', isHttpUrl),
    /** Keys of those of them that want one: `name=key,…`. */
    STEPFLEET_OPENAI_COMPATIBLE_KEYS: namedValues('key', (value) => value !== ''),
    /** Limits of models, as JSON or a file of it: `{"anthropic/claude-haiku-5-5": {"requestsPerMinute": 50}}`; docs/guide/limits.md. */
    STEPFLEET_MODEL_LIMITS: z
      .string()
      .optional()
      .transform((given, context): ModelLimits => {
        try {
          return readModelLimits(given)
        } catch (error) {
          const message = error instanceof ModelLimitsError ? error.message : 'cannot be read'
          context.addIssue({ code: 'custom', message })
          return new Map()
        }
      }),
    /** A call that takes longer speaks against its model, milliseconds. */
    STEPFLEET_SLOW_CALL_MS: envInteger(1, 86_400_000).default(300_000),
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
  .superRefine((settings, context) => {
    for (const name of settings.STEPFLEET_OPENAI_COMPATIBLE.keys()) {
      // the engine takes a name so near to one of these for a slip of the pen
      if (nearest(name, OWN_NAMES) === null) continue
      const message = `has a name too much like ${OWN_NAMES.join(', ')}; choose another`
      context.addIssue({ code: 'custom', path: ['STEPFLEET_OPENAI_COMPATIBLE'], message })
    }
    for (const name of settings.STEPFLEET_OPENAI_COMPATIBLE_KEYS.keys()) {
      if (settings.STEPFLEET_OPENAI_COMPATIBLE.has(name)) continue
      const message = 'has a key for a name that STEPFLEET_OPENAI_COMPATIBLE lacks'
      context.addIssue({ code: 'custom', path: ['STEPFLEET_OPENAI_COMPATIBLE_KEYS'], message })
    }
    if (providersIn(settings).served.length > 0) return
    const message = `is missing; it is needed while ANTHROPIC_BASE_URL is ${ANTHROPIC_URL}, unless another provider is set: OPENAI_API_KEY, GEMINI_API_KEY or STEPFLEET_OPENAI_COMPATIBLE`
    context.addIssue({ code: 'custom', path: ['ANTHROPIC_API_KEY'], message })
  })
export type Settings = z.infer<typeof settingsSchema>

/** True for the API of one of the providers itself, however the url is written. */
export const isRealApi = (url: string): boolean => REAL_HOSTS.has(new URL(url).host)

export interface ServedProvider {
  kind: 'anthropic' | 'openai' | 'gemini' | 'compatible'
  /** The name before the `/` of a model. */
  name: string
  /** null: the other side wants none. */
  apiKey: string | null
  baseUrl: string
}

type ProviderSettings = Pick<
  Settings,
  | 'ANTHROPIC_API_KEY'
  | 'ANTHROPIC_BASE_URL'
  | 'OPENAI_API_KEY'
  | 'OPENAI_BASE_URL'
  | 'GEMINI_API_KEY'
  | 'GOOGLE_API_KEY'
  | 'GEMINI_BASE_URL'
  | 'STEPFLEET_OPENAI_COMPATIBLE'
  | 'STEPFLEET_OPENAI_COMPATIBLE_KEYS'
>

/** Which providers a worker with these settings serves, and which it does not because their real API wants a key (the setting). */
export const providersIn = (
  settings: ProviderSettings,
): { served: ServedProvider[]; unserved: { name: string; setting: string }[] } => {
  const own = [
    ['anthropic', 'ANTHROPIC_API_KEY', settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL],
    ['openai', 'OPENAI_API_KEY', settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL],
    ['gemini', 'GEMINI_API_KEY', settings.GEMINI_API_KEY ?? settings.GOOGLE_API_KEY, settings.GEMINI_BASE_URL],
  ] as const
  const served: ServedProvider[] = []
  const unserved: { name: string; setting: string }[] = []
  for (const [name, setting, apiKey, baseUrl] of own) {
    if (apiKey !== undefined || !isRealApi(baseUrl)) served.push({ kind: name, name, apiKey: apiKey ?? null, baseUrl })
    else unserved.push({ name, setting })
  }
  for (const [name, baseUrl] of settings.STEPFLEET_OPENAI_COMPATIBLE)
    served.push({
      kind: 'compatible',
      name,
      apiKey: settings.STEPFLEET_OPENAI_COMPATIBLE_KEYS.get(name) ?? null,
      baseUrl,
    })
  return { served, unserved }
}

/** Throws ConfigError. */
export const readSettings = (env: NodeJS.ProcessEnv = process.env): Settings => loadConfig(settingsSchema, env)

/** The prices of this release, with those of the file in their place. Throws when the file is no price list. */
export const readPrices = (file: string | undefined): PriceList => {
  if (file === undefined) return defaultPrices
  const own = priceListSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  return { ...own, models: { ...defaultPrices.models, ...own.models } }
}
