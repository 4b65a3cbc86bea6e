// Tasks: what a worker receives, one delivery of one attempt of a step.
import { z } from 'zod'
import { toolSpecSchema } from './conversation.ts'
import { modelSettingsSchema } from './definition.ts'
import { effectSchema } from './effect.ts'
import { namespaceSchema, runIdSchema, stepPathSchema } from './ids.ts'
import { jsonSchema, payloadSchema } from './json.ts'
import { carrierSchema } from './trace.ts'

export const promptMessageSchema = z.strictObject({ role: z.enum(['user', 'assistant']), content: z.string() })

/**
 * The input of an llm task, by reference where it is large. `history` names, for an agent's turn, the journal
 * entries (sequence numbers, in order) of `step.completed`, `step.failed`, `step.overridden` and `step.skipped`
 * that make up the turns before this one: `<agent>/turn-N/llm`, then its tools. The worker reads what it has
 * not cached, so a long agent is not quadratic in Redis.
 */
export const llmInputSchema = z.strictObject({
  model: z.string(),
  system: z.string().optional(),
  messages: z.array(promptMessageSchema).min(1),
  /** JSON Schema of the answer; absent: plain text. */
  output: z.record(z.string(), jsonSchema).optional(),
  settings: modelSettingsSchema,
  agent: z
    .strictObject({
      /** path of the agent step */
      path: z.string(),
      /** from 1 */
      turn: z.int().positive(),
      tools: z.array(toolSpecSchema),
      history: z.array(z.int().positive()),
    })
    .optional(),
})
export type LlmInput = z.infer<typeof llmInputSchema>

/** The input of a tool task; secrets are markers `{"$secret": NAME}` or `{"$concat": [...]}`. */
export const toolInputSchema = z.strictObject({
  tool: z.string(),
  with: z.record(z.string(), jsonSchema),
})
export type ToolInput = z.infer<typeof toolInputSchema>

const base = {
  ns: namespaceSchema,
  run: runIdSchema,
  path: stepPathSchema,
  attempt: z.int().positive(),
  delivery: z.int().positive(),
  effect: effectSchema,
  /** The same for every attempt and delivery. */
  effectKey: z.string(),
  /** Of one attempt, counted from the claim, milliseconds. */
  timeoutMs: z.int().positive(),
  workflow: z.string(),
  trace: carrierSchema.optional(),
}

/** `input` is a payload of LlmInput or ToolInput: over the inline limit it is a blob of the run. */
export const taskSchema = z.discriminatedUnion('kind', [
  z.strictObject({ ...base, kind: z.literal('llm'), input: payloadSchema }),
  z.strictObject({ ...base, kind: z.literal('tool'), input: payloadSchema }),
])
export type Task = z.infer<typeof taskSchema>
export type TaskKind = Task['kind']
