// Canonical JSON: one text for one value, whatever the order of its keys.
import type { Json } from '@stepfleet/contracts'

/**
 * JSON text without spaces, keys of every object sorted by UTF-16 code units. Equal values give equal texts,
 * so its hash names a definition.
 */
export const canonicalJson = (value: Json): string => {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const entries = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] ?? null)}`)
  return `{${entries.join(',')}}`
}
