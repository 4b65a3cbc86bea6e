// Outcomes: what a worker reports for a task.
import { z } from 'zod'
import { failureSchema } from './failure.ts'
import { stepPathSchema } from './ids.ts'
import { payloadSchema } from './json.ts'
import { usageSchema } from './usage.ts'

export const outcomeSchema = z.strictObject({
  path: stepPathSchema,
  attempt: z.int().positive(),
  delivery: z.int().positive(),
  worker: z.string(),
  /** Redis time of the claim. */
  claimedAtMs: z.int().nonnegative(),
  durationMs: z.int().nonnegative(),
  usage: usageSchema.optional(),
  result: z.discriminatedUnion('status', [
    z.strictObject({ status: z.literal('done'), output: payloadSchema }),
    z.strictObject({ status: z.literal('failed'), failure: failureSchema }),
    /** The worker gave the task back unbegun (drain, open circuit): costs a delivery, no attempt. */
    z.strictObject({ status: z.literal('released'), why: z.string().max(500), retryAfterMs: z.int().nonnegative() }),
  ]),
})
export type Outcome = z.infer<typeof outcomeSchema>
