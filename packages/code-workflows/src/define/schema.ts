// Schemas as users give them, zod or JSON Schema: what goes into a definition, and what reads a value.
import type { Json } from '@stepfleet/contracts'
import type { z } from 'zod'
import { literalOf } from './literal.ts'

export type JsonObject = { [key: string]: Json }

export interface ReadSchema {
  jsonSchema: JsonObject
  /** The value as the schema gives it: defaults filled in, converted. Throws when it does not fit. */
  read(value: Json): unknown
}

// by its mark and not by import: zod is only in a bundle when the workflow uses it
const isZod = (schema: object): schema is z.ZodType => '_zod' in schema

const asObject = (value: Json, at: string): JsonObject => {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value
  throw new TypeError(`${at}: a zod or JSON Schema is required`)
}

/** Throws a TypeError that begins with `at`. */
export const readSchema = (schema: unknown, at: string): ReadSchema => {
  if (typeof schema !== 'object' || schema === null) throw new TypeError(`${at}: a zod or JSON Schema is required`)
  if (!isZod(schema)) return { jsonSchema: asObject(literalOf(schema, at), at), read: (value) => value }
  if (typeof schema.toJSONSchema !== 'function') throw new TypeError(`${at}: zod 4.2 or later is required`)
  // a JSON round trip: zod answers a typed object, a definition carries plain JSON
  const made: Json = JSON.parse(JSON.stringify(schema.toJSONSchema({ io: 'input' })))
  const { $schema: _, ...jsonSchema } = asObject(made, at)
  return {
    jsonSchema,
    read: (value) => {
      const parsed = schema.safeParse(value)
      if (parsed.success) return parsed.data
      const issues = parsed.error.issues
        .slice(0, 5)
        .map((issue) => `${[at, ...issue.path].join('.')}: ${issue.message}`)
      throw new TypeError(issues.join('; '))
    },
  }
}
