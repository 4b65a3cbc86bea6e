// Events: the facts of a journal. The journal is the only record of a run; all else is derived from it.
import { z } from 'zod'
import { actorSchema } from './actor.ts'
import { editSchema, parentSchema, workflowRefSchema } from './command.ts'
import { toolSpecSchema } from './conversation.ts'
import { budgetSchema, runBudgetSchema } from './definition.ts'
import { effectSchema } from './effect.ts'
import { failureSchema } from './failure.ts'
import { jsonSchema, payloadSchema } from './json.ts'
import { carrierSchema } from './trace.ts'
import { usageSchema } from './usage.ts'

/** Schema version of the events written today; older ones are upcast on read. */
export const EVENT_VERSION = 1

/** Why a case is open. */
export const caseReasonSchema = z.enum([
  'max_retries_exceeded',
  'permanent_failure',
  'ambiguous_state',
  'requires_human',
  'irreversible_action',
  'poison_step',
  'deadline_exceeded',
  'engine_failure',
  'low_confidence',
  'budget_exceeded',
])
export type CaseReason = z.infer<typeof caseReasonSchema>

/** A tool an agent may call, fixed in the journal when the agent starts. */
export const agentToolBindingSchema = z.strictObject({
  spec: toolSpecSchema,
  effect: effectSchema,
})
export type AgentToolBinding = z.infer<typeof agentToolBindingSchema>

const path = z.string()
const attempt = z.int().positive()
const delivery = z.int().positive()
const by = z.string()
const reason = z.string().optional()

/** What a composite or waiting step fixed when it became active. */
export const openingSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('each'), count: z.int().nonnegative() }),
  z.strictObject({ kind: z.literal('agent'), tools: z.array(agentToolBindingSchema) }),
  z.strictObject({ kind: z.literal('block') }),
  z.strictObject({ kind: z.literal('repeat') }),
  z.strictObject({
    kind: z.literal('run'),
    /** Id of the child; the same namespace. */
    run: z.string(),
    /** `name` or `name@3` */
    workflow: z.string(),
    input: payloadSchema,
    detach: z.boolean(),
  }),
  z.strictObject({ kind: z.literal('wait'), untilMs: z.int() }),
  z.strictObject({ kind: z.literal('signal'), name: z.string(), untilMs: z.int().nullable() }),
])
export type Opening = z.infer<typeof openingSchema>

export const eventBodySchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('run.started'),
    workflow: workflowRefSchema,
    input: payloadSchema,
    labels: z.record(z.string(), z.string()),
    priority: z.int(),
    env: z.record(z.string(), z.string()),
    trace: carrierSchema.optional(),
    parent: parentSchema.optional(),
    /** When the run must have ended, Redis milliseconds. */
    deadlineAtMs: z.int().optional(),
    budget: budgetSchema.optional(),
  }),
  /** Something outside the run must come free before it begins. */
  z.strictObject({ type: z.literal('run.held'), why: z.string() }),
  /** The code of the workflow asks for a step: its definition, with literal values. It begins when nothing holds it. */
  z.strictObject({ type: z.literal('step.asked'), path, step: payloadSchema }),
  z.strictObject({ type: z.literal('step.opened'), path, opening: openingSchema }),
  z.strictObject({
    type: z.literal('step.dispatched'),
    path,
    attempt,
    delivery,
    queue: z.string(),
    /** The tool of a tool task; for an agent's tool use, the name the model called. */
    tool: z.string().optional(),
    effect: effectSchema,
    timeoutMs: z.int().positive(),
    /** Absent is 1; an operator's edit of the input counts it up. */
    edition: z.int().positive().optional(),
  }),
  /** An attempt of a callback without a `url` began: nobody is told, whoever is shown the run hands its token over. */
  z.strictObject({
    type: z.literal('callback.opened'),
    path,
    attempt,
    delivery,
    tool: z.string(),
    effect: effectSchema,
    /** The attempt fails when no answer came by then, Redis milliseconds. */
    untilMs: z.int(),
    edition: z.int().positive().optional(),
  }),
  /** The outside has taken the token of the attempt: no worker is busy with it, and the answer is waited for. */
  z.strictObject({
    type: z.literal('callback.told'),
    path,
    attempt,
    delivery,
    worker: z.string(),
    startedAtMs: z.int(),
    untilMs: z.int(),
  }),
  /** A sign of life: the time of the attempt starts anew. */
  z.strictObject({ type: z.literal('callback.alive'), path, attempt, untilMs: z.int() }),
  z.strictObject({
    type: z.literal('step.lost'),
    path,
    attempt,
    /** The delivery that was lost. */
    delivery,
    cause: z.enum(['worker', 'queue', 'released']),
    worker: z.string().optional(),
    why: z.string().optional(),
    /** The next delivery goes out not before this time; absent: at once; null: none does, the attempt has ended. */
    nextAtMs: z.int().nullable().optional(),
  }),
  /** Ready, but what it needs from outside the run is not there yet; it is tried again until it is. */
  z.strictObject({ type: z.literal('step.held'), path, why: z.string(), nextAtMs: z.int() }),
  z.strictObject({
    type: z.literal('step.attempt_failed'),
    path,
    attempt,
    /** The delivery that answered; absent when the engine gave the attempt up. */
    delivery: delivery.optional(),
    failure: failureSchema,
    usage: usageSchema.optional(),
    worker: z.string().optional(),
    startedAtMs: z.int().optional(),
    /** Absent when no attempt follows. */
    retryAtMs: z.int().optional(),
  }),
  z.strictObject({
    type: z.literal('step.completed'),
    path,
    output: payloadSchema,
    /** Absent for steps that no worker ran. */
    attempt: attempt.optional(),
    delivery: delivery.optional(),
    usage: usageSchema.optional(),
    worker: z.string().optional(),
    startedAtMs: z.int().optional(),
    /** It was taken from the cache; no worker ran. */
    cached: z.literal(true).optional(),
  }),
  /** An answer that is judged before it counts: the step has a `confidence`. */
  z.strictObject({
    type: z.literal('step.answered'),
    path,
    output: payloadSchema,
    attempt: attempt.optional(),
    delivery: delivery.optional(),
    usage: usageSchema.optional(),
    worker: z.string().optional(),
    startedAtMs: z.int().optional(),
  }),
  /** It failed for good, or its dependency's circuit is open, and goes on with another model, or with its fallback. */
  z.strictObject({
    type: z.literal('step.fallback'),
    path,
    failure: failureSchema,
    to: z.union([
      z.strictObject({ model: z.string() }),
      /** Path of the step that is done in its place. */
      z.strictObject({ step: z.string() }),
    ]),
  }),
  /** `output` is what `on_failure: {use}` gives in its place. */
  z.strictObject({
    type: z.literal('step.failed'),
    path,
    failure: failureSchema,
    output: payloadSchema.optional(),
    /** It was no result to anybody: what is around it fails too. */
    outward: z.literal(true).optional(),
  }),
  z.strictObject({
    type: z.literal('step.skipped'),
    path,
    because: z.enum(['if', 'needs', 'operator']),
    by: by.optional(),
    reason,
  }),
  z.strictObject({ type: z.literal('step.overridden'), path, output: payloadSchema, by, reason }),
  z.strictObject({ type: z.literal('step.retried'), path, edit: editSchema.optional(), by, reason }),
  /** New caps of an agent. */
  z.strictObject({ type: z.literal('step.budget_raised'), path, budget: runBudgetSchema, by, reason }),
  z.strictObject({
    type: z.literal('step.escalated'),
    path,
    case: z.string(),
    reason: caseReasonSchema,
    failure: failureSchema.optional(),
  }),
  z.strictObject({
    type: z.literal('escalation.resolved'),
    path,
    case: z.string(),
    action: z.enum(['approve', 'retry', 'skip', 'override', 'fail', 'late_result']),
    by,
    reason,
  }),
  z.strictObject({
    type: z.literal('approval.asked'),
    path,
    /** The id of its case at the desk. */
    case: z.string(),
    /** True when a person approves a step before it runs. */
    gate: z.boolean(),
    show: payloadSchema.optional(),
    assignee: z.string().optional(),
    expiresAtMs: z.int().optional(),
    onExpiry: z.enum(['reject', 'approve', 'escalate']),
  }),
  z.strictObject({
    type: z.literal('approval.given'),
    path,
    case: z.string(),
    approved: z.boolean(),
    by,
    reason,
    edits: jsonSchema.optional(),
  }),
  z.strictObject({ type: z.literal('signal.received'), name: z.string(), payload: payloadSchema }),
  z.strictObject({ type: z.literal('run.budget_raised'), budget: budgetSchema, by, reason }),
  z.strictObject({ type: z.literal('run.paused'), by, reason }),
  z.strictObject({ type: z.literal('run.resumed'), by, reason }),
  z.strictObject({ type: z.literal('cost.noted'), path, attempt, delivery, usage: usageSchema, why: z.string() }),
  /**
   * A step that was given up (cancelled, or failed for good) has happened after all: it is undone with what has
   * completed, should the run be undone.
   */
  z.strictObject({
    type: z.literal('step.happened'),
    path,
    attempt,
    delivery,
    output: payloadSchema,
    usage: usageSchema.optional(),
  }),
  /**
   * The run fails or was cancelled, and what has completed is undone first, newest first. What is open is cancelled,
   * but for `awaited`: tasks whose effect, if it happens, must be undone too.
   */
  z.strictObject({
    type: z.literal('run.compensating'),
    to: z.enum(['failed', 'cancelled']),
    awaited: z.array(z.string()),
    failure: failureSchema.optional(),
    path: path.optional(),
    by: by.optional(),
    reason,
  }),
  z.strictObject({ type: z.literal('run.completed'), output: payloadSchema }),
  z.strictObject({ type: z.literal('run.failed'), failure: failureSchema, path: path.optional() }),
  z.strictObject({ type: z.literal('run.cancelled'), by, reason }),
])
export type EventBody = z.infer<typeof eventBodySchema>
export type EventType = EventBody['type']

export const eventSchema = z.intersection(
  z.object({
    /** 1..n without gaps. */
    seq: z.int().positive(),
    /** Redis time in milliseconds; never runs back within a run. */
    atMs: z.int().nonnegative(),
    v: z.int().positive(),
    actor: actorSchema,
    /** Id of the command that led to it. */
    command: z.string(),
  }),
  eventBodySchema,
)
export type Event = EventBody & {
  seq: number
  atMs: number
  v: number
  actor: z.infer<typeof actorSchema>
  command: string
}
export type EventOf<T extends EventType> = Extract<Event, { type: T }>
