// What the models of each provider take: settings that a model refuses are an error at registration.
import { nearest } from '@stepfleet/contracts'

export const SETTINGS = ['max_tokens', 'temperature', 'top_p', 'top_k', 'stop', 'thinking', 'cache'] as const
export type Setting = (typeof SETTINGS)[number]

const ALL: ReadonlySet<Setting> = new Set(SETTINGS)
/** Of OpenAI's Chat Completions, and so of every server that speaks like it. `cache` asks for what they all do by themselves. */
const CHAT: ReadonlySet<Setting> = new Set<Setting>(['max_tokens', 'temperature', 'top_p', 'stop', 'thinking', 'cache'])
/** Of models that cannot reason. */
const UNTHINKING: ReadonlySet<Setting> = new Set<Setting>(['max_tokens', 'temperature', 'top_p', 'stop', 'cache'])
/** Of models that reason before they answer: they choose by themselves, and refuse to be told how. */
const REASONING: ReadonlySet<Setting> = new Set<Setting>(['max_tokens', 'stop', 'thinking', 'cache'])

// Of gpt-5 only the first generation and those from 5.6 on reason unless they are told not to; `-chat-` models never do.
const OPENAI_REASONING = /^(o\d|gpt-5(-mini|-nano)?(-\d{4}|$)|gpt-5\.[6-9]|gpt-([6-9]|\d\d))/

const OPENAI_UNTHINKING = /^gpt-[34]|-chat/

const openaiSettings = (name: string): ReadonlySet<Setting> => {
  if (OPENAI_UNTHINKING.test(name)) return UNTHINKING
  return OPENAI_REASONING.test(name) ? REASONING : CHAT
}

/** Provider → the settings that a model of it takes. */
const CAPABILITIES: ReadonlyMap<string, (name: string) => ReadonlySet<Setting>> = new Map<
  string,
  (name: string) => ReadonlySet<Setting>
>([
  // Anthropic's API refuses temperature, top_p and top_k since version 2026-10-21, for every model.
  ['anthropic', () => new Set<Setting>(['max_tokens', 'stop', 'thinking', 'cache'])],
  ['openai', openaiSettings],
  ['gemini', () => ALL],
])

/** The providers that workers know by themselves. */
export const PROVIDERS: readonly string[] = [...CAPABILITIES.keys()]

/** The provider of a model written `<provider>/<model>`. */
export const providerOf = (model: string): string => model.slice(0, Math.max(0, model.indexOf('/')))

/**
 * Whether a provider may be a server that only speaks like OpenAI: workers are told of those by name in their settings, so any
 * name may be one. A name so near to one of PROVIDERS that it looks like a slip of the pen is none; workers refuse such names too.
 */
export const mayBeCompatible = (provider: string): boolean =>
  provider !== '' && !CAPABILITIES.has(provider) && nearest(provider, PROVIDERS) === null

/** The settings that a model takes, or null when its provider can be none. */
export const settingsOf = (model: string): ReadonlySet<Setting> | null => {
  const provider = providerOf(model)
  const known = CAPABILITIES.get(provider)
  if (known) return known(model.slice(provider.length + 1))
  return mayBeCompatible(provider) ? CHAT : null
}
