// JSON values, and the few helpers that look into them without casts. The package stands alone: it imports nothing of ours.
import { createHash } from 'node:crypto'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** A whole number from 0 to 2^32 - 1 that depends on nothing but the text. */
export const seedOf = (text: string): number => Number.parseInt(hashOf(text).slice(0, 8), 16)

/** The member at `seed` of a list, wrapping round; the fallback for an empty list. */
export const pick = <T>(list: readonly T[], seed: number, fallback: T): T =>
  list[seed % Math.max(1, list.length)] ?? fallback

/** A value that came out of JSON.parse as an object; an empty one when it is none. */
export const jsonObject = (value: unknown): JsonObject => (isJsonObject(value) ? value : {})

const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
