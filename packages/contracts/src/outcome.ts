// Outcomes: what a worker reports for a task.
import { z } from 'zod'
import { failureSchema } from './failure.ts'
import { stepPathSchema } from './ids.ts'
import { payloadSchema } from './json.ts'
import { usageSchema } from './usage.ts'

/** Why a task came back unbegun: the worker leaves, its dependency's circuit is open, or its provider's limit is reached. */
export const releaseReasonSchema = z.enum(['draining', 'circuit_open', 'provider_limit'])
export type ReleaseReason = z.infer<typeof releaseReasonSchema>

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
    /** The worker gave the task back unbegun: costs a delivery, no attempt. */
    z.strictObject({
      status: z.literal('released'),
      /** For a person: what it waits for, until when. */
      why: z.string().max(500),
      retryAfterMs: z.int().nonnegative(),
      reason: releaseReasonSchema.optional(),
      /** `anthropic/claude-sonnet-5-5`, `http:host`; absent when the worker leaves. */
      dependency: z.string().max(300).optional(),
    }),
  ]),
})
export type Outcome = z.infer<typeof outcomeSchema>
