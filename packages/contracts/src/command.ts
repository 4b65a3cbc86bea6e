// Commands: everything that asks a run to change. They reach the engine through the mailbox of the run's shard.
import { z } from 'zod'
import { actorSchema } from './actor.ts'
import { budgetSchema, runBudgetSchema } from './definition.ts'
import { failureClassSchema, failureCodes, failureSchema } from './failure.ts'
import { namespaceSchema, runIdSchema, stepPathSchema } from './ids.ts'
import { jsonSchema, payloadSchema } from './json.ts'
import { outcomeSchema } from './outcome.ts'
import { carrierSchema } from './trace.ts'

export const workflowRefSchema = z.strictObject({
  name: z.string(),
  /** null when the definition came with the run and is not registered. */
  version: z.int().positive().nullable(),
  /** SHA-256 of the canonical definition. */
  hash: z.string(),
})
export type WorkflowRef = z.infer<typeof workflowRefSchema>

/** An operator's change of a step's input: makes a new effect key. */
export const editSchema = z.strictObject({
  /** tool steps: the whole new `with` */
  with: z.record(z.string(), jsonSchema).optional(),
  /** llm steps */
  model: z.string().optional(),
  prompt: z.string().optional(),
})
export type Edit = z.infer<typeof editSchema>

/** What the driver saw of a task that is out, handed to the engine with a wake. */
export const observationSchema = z.strictObject({
  task: z.string(),
  claimedAtMs: z.int().nullable(),
  begun: z.boolean(),
  reported: z.boolean(),
  /** No job of it waits in its queue. Only looked up when it is unclaimed. */
  jobMissing: z.boolean(),
})
export type Observation = z.infer<typeof observationSchema>

/** The run that a run is a child of, and the step of it that started this one. */
export const parentSchema = z.strictObject({
  run: z.string(),
  path: z.string(),
  /** 1 for the child of a run that nobody started as a child. */
  depth: z.int().positive(),
  /** The parent does not wait: it is not told of the end. */
  detached: z.boolean(),
})
export type Parent = z.infer<typeof parentSchema>

/** How a child run ended, as its parent is told. */
export const childResultSchema = z.discriminatedUnion('status', [
  z.strictObject({ status: z.literal('completed'), output: payloadSchema }),
  z.strictObject({ status: z.literal('failed'), failure: failureSchema }),
  z.strictObject({ status: z.literal('cancelled'), by: z.string(), reason: z.string().optional() }),
  /** It never began: the workflow is unknown, or its input does not fit. */
  z.strictObject({ status: z.literal('refused'), failure: failureSchema }),
])
export type ChildResult = z.infer<typeof childResultSchema>

/** What somebody outside says of an attempt whose token they have. */
export const callbackAnswerSchema = z.discriminatedUnion('status', [
  z.strictObject({ status: z.literal('completed'), output: payloadSchema }),
  z.strictObject({
    status: z.literal('failed'),
    code: z.enum(failureCodes),
    /** Absent: that of the code; in a step of effect `once` nobody knows then whether it happened. */
    class: failureClassSchema.optional(),
    message: z.string().max(2_000),
    details: jsonSchema.optional(),
  }),
  /** A heartbeat: the work goes on. */
  z.strictObject({ status: z.literal('alive') }),
])
export type CallbackAnswer = z.infer<typeof callbackAnswerSchema>

const base = {
  /** From `Idempotency-Key`, task id or wake. A command with a receipt is never judged again. */
  id: z.string().max(600),
  ns: namespaceSchema,
  run: runIdSchema,
  by: actorSchema,
  trace: carrierSchema.optional(),
  /** True when the sender waits for a receipt. */
  receipt: z.boolean().optional(),
}
const reason = z.string().max(2_000).optional()
const onStep = { ...base, path: stepPathSchema, reason, case: z.string().optional() }

export const commandSchema = z.discriminatedUnion('type', [
  z.strictObject({
    ...base,
    type: z.literal('start'),
    workflow: workflowRefSchema,
    input: payloadSchema,
    labels: z.record(z.string(), z.string()),
    priority: z.int().min(1).max(5),
    env: z.record(z.string(), z.string()),
    parent: parentSchema.optional(),
    /** How long the run may take, from its start; over what its definition says. */
    deadlineMs: z.int().positive().optional(),
    /** What the run may spend; over what its definition says. */
    budget: runBudgetSchema.optional(),
  }),
  /** A child run ended. */
  z.strictObject({
    ...base,
    type: z.literal('child'),
    path: stepPathSchema,
    child: z.string(),
    result: childResultSchema,
  }),
  z.strictObject({ ...base, type: z.literal('outcome'), outcome: outcomeSchema }),
  /** The answer to a callback; its token says all but the answer. */
  z.strictObject({
    ...base,
    type: z.literal('callback'),
    path: stepPathSchema,
    attempt: z.int().positive(),
    /** Start of the run: a run that was restarted under the same id is another one. */
    startedAtMs: z.int().nonnegative(),
    answer: callbackAnswerSchema,
  }),
  z.strictObject({
    ...base,
    type: z.literal('lost'),
    path: stepPathSchema,
    attempt: z.int().positive(),
    delivery: z.int().positive(),
    worker: z.string(),
    begun: z.boolean(),
  }),
  /** `paths`: steps that what they waited for outside of the run has come free for. */
  z.strictObject({ ...base, type: z.literal('wake'), paths: z.array(z.string()).optional() }),
  z.strictObject({ ...base, type: z.literal('signal'), name: z.string().max(128), payload: payloadSchema }),
  /** `compensate` false: what has completed stays done. */
  z.strictObject({ ...base, type: z.literal('cancel'), reason, compensate: z.boolean().optional() }),
  /** New caps of the run, or of the agent at `path`; what failed for the old ones is tried again. */
  z.strictObject({ ...base, type: z.literal('budget'), budget: budgetSchema, path: stepPathSchema.optional(), reason }),
  z.strictObject({ ...base, type: z.literal('pause'), reason }),
  z.strictObject({ ...base, type: z.literal('resume'), reason }),
  z.strictObject({
    ...onStep,
    type: z.literal('approve'),
    approved: z.boolean(),
    edits: jsonSchema.optional(),
  }),
  z.strictObject({ ...onStep, type: z.literal('retry'), edit: editSchema.optional() }),
  z.strictObject({ ...onStep, type: z.literal('skip') }),
  z.strictObject({ ...onStep, type: z.literal('override'), output: payloadSchema }),
  z.strictObject({ ...onStep, type: z.literal('fail') }),
])
export type Command = z.infer<typeof commandSchema>
export type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>

/** The engine's answer to a command, kept 24 hours as its receipt. */
export const verdictSchema = z.discriminatedUnion('status', [
  z.strictObject({ status: z.literal('applied'), seq: z.int().nonnegative() }),
  z.strictObject({
    status: z.literal('refused'),
    /** Problem code for the API, for example `step_not_waiting`. */
    code: z.string(),
    message: z.string(),
  }),
])
export type Verdict = z.infer<typeof verdictSchema>
