// Escalations: what the engine tells the desk, and the desk's cases.
import { z } from 'zod'
import { editSchema } from './command.ts'
import { caseReasonSchema } from './event.ts'
import { failureSchema } from './failure.ts'
import { jsonSchema } from './json.ts'
import { carrierSchema } from './trace.ts'
import { usageSchema } from './usage.ts'

/** One attempt of a step, as cases and run views show it. */
export const attemptViewSchema = z.strictObject({
  attempt: z.int().positive(),
  deliveries: z.int().positive(),
  status: z.enum(['running', 'completed', 'failed', 'lost']),
  dispatchedAtMs: z.int(),
  startedAtMs: z.int().nullable(),
  endedAtMs: z.int().nullable(),
  worker: z.string().nullable(),
  failure: failureSchema.nullable(),
  usage: usageSchema.nullable(),
  /** When the next attempt was planned for. */
  retryAtMs: z.int().nullable(),
})
export type AttemptView = z.infer<typeof attemptViewSchema>

const notice = {
  ns: z.string(),
  run: z.string(),
  path: z.string(),
  /** Case id: `esc_<run>_<seq of the event that opened it>`. */
  case: z.string(),
  atMs: z.int(),
  trace: carrierSchema.optional(),
}

/** A job of the `escalations` queue. Delivered at least once; the desk folds them by case id. */
export const escalationNoticeSchema = z.discriminatedUnion('type', [
  z.strictObject({
    ...notice,
    type: z.literal('opened'),
    reason: caseReasonSchema,
    workflow: z.string(),
    kind: z.string(),
    failure: failureSchema.optional(),
    attempts: z.array(attemptViewSchema),
    /** What the step was given, rendered; secrets stay markers. Cut to 64 KiB of JSON. */
    input: jsonSchema,
    /** For approvals and gates. */
    show: jsonSchema.optional(),
    assignee: z.string().optional(),
    expiresAtMs: z.int().optional(),
  }),
  z.strictObject({
    ...notice,
    type: z.literal('closed'),
    action: z.string(),
    by: z.string(),
    why: z.string().optional(),
  }),
])
export type EscalationNotice = z.infer<typeof escalationNoticeSchema>

export const caseSchema = z.strictObject({
  id: z.string(),
  ns: z.string(),
  run: z.string(),
  path: z.string(),
  workflow: z.string(),
  kind: z.string(),
  reason: caseReasonSchema,
  status: z.enum(['open', 'resolving', 'closed']),
  failure: failureSchema.nullable(),
  attempts: z.array(attemptViewSchema),
  input: jsonSchema,
  show: jsonSchema.nullable(),
  assignee: z.string().nullable(),
  openedAtMs: z.int(),
  expiresAtMs: z.int().nullable(),
  closedAtMs: z.int().nullable(),
  resolution: z
    .strictObject({ action: z.string(), by: z.string(), reason: z.string().nullable(), atMs: z.int() })
    .nullable(),
  /** What a person may do with it. */
  actions: z.array(z.enum(['retry', 'skip', 'override', 'fail', 'approve', 'reject'])),
})
export type Case = z.infer<typeof caseSchema>

const decision = { by: z.string().min(1).max(200), reason: z.string().max(2_000).optional() }
export const resolutionSchema = z.discriminatedUnion('action', [
  z.strictObject({ ...decision, action: z.literal('retry'), edit: editSchema.optional() }),
  z.strictObject({ ...decision, action: z.literal('skip') }),
  z.strictObject({ ...decision, action: z.literal('override'), output: jsonSchema }),
  z.strictObject({ ...decision, action: z.literal('fail') }),
  z.strictObject({ ...decision, action: z.literal('approve'), edits: jsonSchema.optional() }),
  z.strictObject({ ...decision, action: z.literal('reject') }),
])
export type Resolution = z.infer<typeof resolutionSchema>
