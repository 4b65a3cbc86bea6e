// What other processes wrote of themselves, as far as this release can read it.
import type { z } from 'zod'

const parseOrNull = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Entries of a hash that can be read; one from another release that cannot is left out, not fatal. */
export const readable = <T>(fields: Record<string, string>, schema: z.ZodType<T>): Map<string, T> => {
  const found = new Map<string, T>()
  for (const [name, text] of Object.entries(fields)) {
    const parsed = schema.safeParse(parseOrNull(text))
    if (parsed.success) found.set(name, parsed.data)
  }
  return found
}
