// What the models of each provider take: settings that a model refuses are an error at registration.

export const SETTINGS = ['max_tokens', 'temperature', 'top_p', 'top_k', 'stop'] as const
export type Setting = (typeof SETTINGS)[number]

/** Provider → the settings its models take. A provider that is not here is not served by this release. */
const CAPABILITIES: ReadonlyMap<string, ReadonlySet<Setting>> = new Map([
  // Anthropic's API refuses temperature, top_p and top_k since version 2026-10-21, for every model.
  ['anthropic', new Set<Setting>(['max_tokens', 'stop'])],
])

export const PROVIDERS: readonly string[] = [...CAPABILITIES.keys()]

/** The provider of a model written `<provider>/<model>`. */
export const providerOf = (model: string): string => model.slice(0, Math.max(0, model.indexOf('/')))

/** The settings that a model takes, or null when its provider is not served. */
export const settingsOf = (model: string): ReadonlySet<Setting> | null => CAPABILITIES.get(providerOf(model)) ?? null
