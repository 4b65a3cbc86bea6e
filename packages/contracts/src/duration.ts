// Durations as users write them: `500ms`, `30s`, `10m`, `24h`, `90d`.
import { z } from 'zod'

export const DURATION = /^(\d+)(ms|s|m|h|d)$/
const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
/** The age limit of a run; nothing may wait longer. */
export const MAX_DURATION_MS = 90 * UNIT_MS.d

/** Milliseconds of a duration text, or null when it is none or over 90 days. */
export const parseDurationMs = (text: string): number | null => {
  const match = DURATION.exec(text)
  if (!match) return null
  const ms = Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]
  return ms <= MAX_DURATION_MS ? ms : null
}

const NO_DURATION = 'a duration is a whole number with ms, s, m, h or d, at most 90d'
export const durationSchema = z.string().refine((text) => parseDurationMs(text) !== null, NO_DURATION)
/** A duration that is not nothing. */
export const periodSchema = z
  .string()
  .refine((text) => parseDurationMs(text) !== null, NO_DURATION)
  .refine((text) => parseDurationMs(text) !== 0, 'a duration longer than nothing')
/** As a pattern, for JSON Schemas. */
export const PERIOD = /^0*[1-9]\d*(ms|s|m|h|d)$/
