// Runs as the REST API takes and shows them.
import { z } from 'zod'
import { workflowRefSchema } from './command.ts'
import { budgetSchema, runBudgetSchema } from './definition.ts'
import { periodSchema } from './duration.ts'
import { attemptViewSchema } from './escalation.ts'
import { failureSchema } from './failure.ts'
import { runIdSchema } from './ids.ts'
import { jsonSchema } from './json.ts'
import { problemSchema } from './problem.ts'

export const runStatusSchema = z.enum([
  'queued',
  'running',
  'waiting',
  'paused',
  'escalated',
  'completed',
  'failed',
  'cancelled',
])
export type RunStatus = z.infer<typeof runStatusSchema>
export const hasEnded = (status: RunStatus): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled'

export const stepStatusSchema = z.enum([
  'pending',
  'scheduled',
  'running',
  'retrying',
  'waiting',
  'escalated',
  'completed',
  'failed',
  'skipped',
  'overridden',
  'cancelled',
  'compensated',
])
export type StepStatus = z.infer<typeof stepStatusSchema>

export const labelsSchema = z
  .record(z.string().regex(/^[A-Za-z0-9_-]{1,128}$/), z.string().max(256))
  .refine((labels) => Object.keys(labels).length <= 16, 'at most 16 labels')

/** Body of `POST /v1/runs`: exactly one of `workflow` and `definition`. */
export const submitRunSchema = z.strictObject({
  /** `name` or `name@3` */
  workflow: z
    .string()
    .regex(/^[a-z][a-z0-9_-]{0,63}(@[1-9]\d*)?$/, 'a workflow is named `name` or `name@3`')
    .optional(),
  version: z.int().positive().optional(),
  /** As `GET /v1/schema/workflow` says; checked like a registration, so that all its errors come at once. */
  definition: z.record(z.string(), jsonSchema).optional(),
  input: jsonSchema.optional(),
  id: runIdSchema.optional(),
  labels: labelsSchema.optional(),
  priority: z.int().min(1).max(5).optional(),
  /** From the start; what is not done by then fails. Goes before the definition's. */
  deadline: periodSchema.optional(),
  /** What the run may spend on model calls. Goes before the definition's. */
  budget: runBudgetSchema.optional(),
  onConflict: z.enum(['reject', 'use_existing', 'restart']).optional(),
})
export type SubmitRun = z.infer<typeof submitRunSchema>

/** Cost of a run or step: known micro-dollars, tokens, and model calls whose price is unknown. */
export const costSchema = z.strictObject({
  microUsd: z.int(),
  inputTokens: z.int(),
  outputTokens: z.int(),
  /** Model calls that were paid, failed attempts too. */
  calls: z.int(),
  unpricedCalls: z.int(),
  /** True when any call was answered by a scripted server. */
  scripted: z.boolean(),
})
export type Cost = z.infer<typeof costSchema>

/** What was paid for nothing: answers that came when their step had another, or none was wanted any more. */
export const wasteSchema = z.strictObject({
  calls: z.int(),
  tokens: z.int(),
  microUsd: z.int(),
  /** Model calls whose worker died: what they cost is not known. */
  lostCalls: z.int(),
})
export type Waste = z.infer<typeof wasteSchema>

const amount = z.strictObject({ usd: z.number(), tokens: z.int() })
/** The budget of a run as it is now; `reserved` is what calls under way may cost. */
export const budgetViewSchema = budgetSchema.extend({ spent: amount, reserved: amount })

export const stepViewSchema = z.strictObject({
  path: z.string(),
  parent: z.string().nullable(),
  kind: z.string(),
  status: stepStatusSchema,
  /** Why it waits, in words; null when it does not. */
  why: z.string().nullable(),
  attempt: z.int().nonnegative(),
  attempts: z.array(attemptViewSchema),
  readyAtMs: z.int().nullable(),
  startedAtMs: z.int().nullable(),
  endedAtMs: z.int().nullable(),
  worker: z.string().nullable(),
  servedBy: z.string().nullable(),
  cost: costSchema,
  output: jsonSchema.nullable(),
  failure: failureSchema.nullable(),
  case: z.string().nullable(),
  /** What is done in its place, by the path of that step, and what it failed with. */
  fallback: z.strictObject({ path: z.string(), failure: failureSchema }).optional(),
  /** An answer that was not sure enough, and waits for a person. */
  answer: jsonSchema.optional(),
  /** Id of the child run it started. */
  child: z.string().optional(),
  /** While it waits for one: the token that answers it, since when and until when it waits. */
  callback: z.strictObject({ token: z.string(), sinceMs: z.int(), untilMs: z.int() }).optional(),
})
export type StepView = z.infer<typeof stepViewSchema>

export const runSummarySchema = z.strictObject({
  id: z.string(),
  namespace: z.string(),
  workflow: workflowRefSchema,
  status: runStatusSchema,
  labels: z.record(z.string(), z.string()),
  createdAtMs: z.int(),
  endedAtMs: z.int().nullable(),
  version: z.int().nonnegative(),
})
export type RunSummary = z.infer<typeof runSummarySchema>

export const runViewSchema = runSummarySchema.extend({
  priority: z.int(),
  input: jsonSchema,
  output: jsonSchema.nullable(),
  failure: failureSchema.nullable(),
  failedStep: z.string().nullable(),
  why: z.string().nullable(),
  cost: costSchema,
  waste: wasteSchema,
  budget: budgetViewSchema.optional(),
  /** The run that started it, and the step of that run. */
  parent: z.strictObject({ run: z.string(), path: z.string() }).optional(),
  deadlineAtMs: z.int().optional(),
  steps: z.array(stepViewSchema),
})
export type RunView = z.infer<typeof runViewSchema>

export const batchResultSchema = z.strictObject({
  results: z.array(
    z.strictObject({ status: z.int(), run: runSummarySchema.optional(), problem: problemSchema.optional() }),
  ),
})
