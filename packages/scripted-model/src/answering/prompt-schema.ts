// The JSON Schema that a system prompt carries for models that are not held to one by the API.
import { isObject, type Json, type JsonObject } from '../json.ts'

/** A fenced block after the words `JSON Schema`, or null. */
export const schemaInPrompt = (system: string): JsonObject | null => {
  const body = /JSON Schema[^`]*```json\n([\s\S]*?)\n```/.exec(system)?.[1]
  if (body === undefined) return null
  try {
    const parsed: Json = JSON.parse(body)
    return isObject(parsed) ? parsed : null
  } catch {
    return null
  }
}
