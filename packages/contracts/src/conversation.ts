// A model conversation in our own words: what llm and agent tasks carry and what their turns answer.
import { z } from 'zod'
import { jsonSchema } from './json.ts'

export const toolUseSchema = z.strictObject({ id: z.string(), name: z.string(), input: jsonSchema })
export type ToolUse = z.infer<typeof toolUseSchema>

/**
 * What one agent turn's model call answers (the output of `<agent>/turn-N/llm`).
 * `content` is the provider's own assistant content, kept opaque so it can be sent back unchanged.
 */
export const turnOutputSchema = z.strictObject({
  content: jsonSchema,
  text: z.string(),
  toolUses: z.array(toolUseSchema),
})
export type TurnOutput = z.infer<typeof turnOutputSchema>

/** One result that answers one tool use; every tool use gets exactly one. */
export const toolResultSchema = z.strictObject({
  id: z.string(),
  isError: z.boolean(),
  content: z.string(),
})
export type ToolResult = z.infer<typeof toolResultSchema>

/** A tool as the model sees it. `input` is a JSON Schema (2020-12). */
export const toolSpecSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_]{0,47}$/),
  description: z.string(),
  input: jsonSchema,
})
export type ToolSpec = z.infer<typeof toolSpecSchema>
