// JSON values and payloads: what crosses every process border.
import { z } from 'zod'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** Any JSON value. Recursion is left to JSON.parse: what reaches a schema has been parsed already. */
export const jsonSchema = z.custom<Json>((value) => value !== undefined, 'a JSON value is required')

/**
 * A value in a journal, command or task: inline, or by reference when its JSON is over the inline limit.
 * `blob` is the lower-case hex SHA-256 of the JSON text; it lies at `keys.blob(ns, run, sha)` and is written
 * before whatever names it.
 */
export const payloadSchema = z.union([
  z.strictObject({ value: jsonSchema }),
  z.strictObject({ blob: z.string().regex(/^[0-9a-f]{64}$/), bytes: z.int().positive() }),
])
export type Payload = z.infer<typeof payloadSchema>

export const isBlob = (payload: Payload): payload is { blob: string; bytes: number } => 'blob' in payload
export const inline = (value: Json): Payload => ({ value })
