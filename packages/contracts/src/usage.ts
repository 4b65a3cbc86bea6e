// What a model call used and what it cost.
import { z } from 'zod'

export const usageSchema = z.strictObject({
  /** `<provider>/<model>` that answered. */
  model: z.string(),
  inputTokens: z.int().nonnegative(),
  outputTokens: z.int().nonnegative(),
  cacheReadTokens: z.int().nonnegative(),
  cacheWriteTokens: z.int().nonnegative(),
  /** Cost in millionths of a US dollar; null when the model has no known price. */
  microUsd: z.int().nonnegative().nullable(),
  /** True when a scripted server answered, not a real model. */
  scripted: z.boolean().optional(),
})
export type Usage = z.infer<typeof usageSchema>
