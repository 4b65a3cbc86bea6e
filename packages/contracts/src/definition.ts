// The workflow definition as users write it. Unknown fields are refused; fields of the format that are not
// built yet are listed in NOT_SUPPORTED_YET and refused with that code by registration.
import { z } from 'zod'
import { durationSchema, periodSchema } from './duration.ts'
import { effectSchema } from './effect.ts'
import { failureCodes } from './failure.ts'
import { STEP_NAME } from './ids.ts'
import { jsonSchema } from './json.ts'

/** Limits of a definition and of a run; each has a clear error. */
export const LIMITS = {
  stepsPerDefinition: 1_000,
  stepsPerRun: 100_000,
  eachItems: 10_000,
  nesting: 8,
  expressionCost: 100_000,
  inlinePayloadBytes: 65_536,
  payloadBytes: 16 * 1024 * 1024,
  tasksOut: 500,
  labels: 16,
} as const

/**
 * Fields of the format that are refused with `not_supported_yet`: dotted places below a step (`*` is any name or
 * index), and below the definition.
 */
export const NOT_SUPPORTED_YET: { readonly definition: readonly string[]; readonly step: readonly string[] } = {
  definition: ['supervisor'],
  step: ['budget', 'thread'],
}

const jsonSchemaField = z.record(z.string(), jsonSchema)
const model = z
  .string()
  .regex(
    /^[a-z][a-z0-9_-]*\/[A-Za-z0-9._:-]+$/,
    'a model is written <provider>/<model>, for example anthropic/claude-sonnet-5-5',
  )

export const retrySchema = z.strictObject({
  /** All attempts together, the first one too. */
  attempts: z.int().min(1).max(10).optional(),
  initial: durationSchema.optional(),
  factor: z.number().min(1).max(10).optional(),
  max: durationSchema.optional(),
  /** Failures with these codes are not tried again. */
  never: z.array(z.enum(failureCodes)).optional(),
  /** Only failures with these codes are tried again, of those that may be. */
  only: z.array(z.enum(failureCodes)).min(1).optional(),
})
export type RetryDefinition = z.infer<typeof retrySchema>

/** Most tokens of an answer where a step says nothing: what is asked of every provider, and reserved in budgets. */
export const MAX_TOKENS = 4_096

/** Least tokens of a thinking budget: fewer are refused by Anthropic's API. */
const LEAST_THINKING = 1_024

/**
 * How much a model thinks before it answers: a level, which every provider with thinking models knows in some form, or
 * a budget in tokens, which only some models take. What is thought counts as output, against `max_tokens` too.
 */
export const thinkingSchema = z.union([
  z.enum(['low', 'medium', 'high']),
  z.strictObject({ budget: z.int().min(LEAST_THINKING).max(1_000_000) }),
])
export type Thinking = z.infer<typeof thinkingSchema>

/** Provider settings; which ones a model takes is in the capability table of the engine. */
export const modelSettingsSchema = z.strictObject({
  max_tokens: z.int().positive().max(1_000_000).optional(),
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().min(0).max(1).optional(),
  top_k: z.int().positive().optional(),
  stop: z.array(z.string()).max(8).optional(),
  /** Absent: what the model does by itself. */
  thinking: thinkingSchema.optional(),
  /** The provider keeps what it has read of the prompt for calls that begin the same. Agents: true unless they say otherwise. */
  cache: z.boolean().optional(),
})

const message = z.strictObject({ role: z.enum(['user', 'assistant']), content: z.string() })

/** Models to go on with, in this order, when one has failed for good or its circuit is open. */
const fallbackModels = z.array(model).min(1).max(8)

export const llmBodySchema = modelSettingsSchema.extend({
  model,
  fallback: fallbackModels.optional(),
  system: z.string().optional(),
  prompt: z.string().optional(),
  messages: z.array(message).min(1).optional(),
  output: jsonSchemaField.optional(),
})

/** What the model is told of a tool: its name, what it does, and the JSON Schema of its arguments (an object). */
const offered = { name: z.string().regex(STEP_NAME), description: z.string(), input: jsonSchemaField }

const agentTaskTool = z.strictObject({
  ...offered,
  tool: z.string(),
  with: z.record(z.string(), jsonSchema).optional(),
  effect: effectSchema.optional(),
  gate: z.boolean().optional(),
  timeout: periodSchema.optional(),
  retry: retrySchema.optional(),
})

export const approvalBodySchema = z.strictObject({
  show: jsonSchema.optional(),
  assignee: z.string().max(200).optional(),
  expires: periodSchema.optional(),
  on_expiry: z.enum(['reject', 'approve', 'escalate']).optional(),
})

const caps = {
  /** US dollars; what a call may cost at most is reserved before it. */
  usd: z.number().positive().max(1_000_000).optional(),
  /** Tokens in and out, cached ones too. */
  tokens: z.int().positive().optional(),
}
/** Of one run, where it goes before its definition's, or of one agent. */
export const runBudgetSchema = z.strictObject(caps)
export type RunBudget = z.infer<typeof runBudgetSchema>

/** `name`, the newest version when the child starts, or `name@3`. */
export const WORKFLOW_REF = /^[a-z][a-z0-9_-]{0,63}(@[1-9]\d*)?$/
const workflowName = z.string().regex(WORKFLOW_REF, 'a workflow is named `name` or `name@3`')

/** A child workflow. With `detach` the step completes with `{run}` as soon as the child is accepted. */
export const runBodySchema = z.union([
  workflowName,
  z.strictObject({
    workflow: workflowName,
    input: jsonSchema.optional(),
    detach: z.boolean().optional(),
  }),
])

/** The arguments are the input of the child, or what the approval shows, where nothing else is said. */
const agentRunTool = z.strictObject({ ...offered, run: runBodySchema })
const agentApprovalTool = z.strictObject({ ...offered, approval: approvalBodySchema })

/** Inline tools by what runs them. */
export const AGENT_TOOLS = { tool: agentTaskTool, run: agentRunTool, approval: agentApprovalTool } as const
export const agentToolSchema = z.union([z.string().regex(STEP_NAME), agentTaskTool, agentRunTool, agentApprovalTool])

export const agentBodySchema = modelSettingsSchema.extend({
  model,
  /** As for `llm`. The turns after one that another model answered stay with that model. */
  fallback: fallbackModels.optional(),
  system: z.string().optional(),
  prompt: z.string(),
  output: jsonSchemaField.optional(),
  max_turns: z.int().min(1).max(1_000).optional(),
  /** The agent fails when so many turns in a row ask for the same tools with the same arguments. Default 5. */
  max_identical: z.int().min(2).max(1_000).optional(),
  tools: z.array(agentToolSchema).max(128).optional(),
  /** Of all its model calls; in an `each` or `repeat`, of each item or iteration. */
  budget: runBudgetSchema.optional(),
})

export const waitBodySchema = z.union([
  z.string(),
  z.strictObject({ for: z.string() }),
  z.strictObject({ until: z.string() }),
])

export const signalBodySchema = z.union([
  z.string(),
  z.strictObject({ name: z.string(), schema: jsonSchemaField.optional(), timeout: periodSchema.optional() }),
])

/** How items are joined: `any` and `{atLeast: n}` end as soon as enough have completed; the others are cancelled. */
export const joinSchema = z.union([z.enum(['all', 'any', 'settled']), z.strictObject({ atLeast: z.int().min(1) })])

export const eachSchema = z.union([
  z.string(),
  z.strictObject({
    in: z.union([z.string(), z.array(jsonSchema)]),
    as: z.string().regex(STEP_NAME).optional(),
    concurrency: z.int().min(1).max(10_000).optional(),
    join: joinSchema.optional(),
  }),
])

/** Again and again, until the expression is true (`output` is this time's, `previous` the one before) or `max` times. */
export const repeatSchema = z.strictObject({
  until: z.string().optional(),
  max: z.int().min(1).max(1_000),
  /** `complete` (default): with the last output. */
  on_max: z.enum(['complete', 'fail']).optional(),
})

/** At most `limit` at a time of all that have the same `key`, in the whole fleet. The key may hold expressions. */
export const concurrencySchema = z.strictObject({ key: z.string().min(1), limit: z.int().min(1).max(100_000) })
/** At most `limit` starts in any `per`, of all that have the same `key`, in the whole fleet. */
export const rateSchema = concurrencySchema.extend({ per: periodSchema })
/** A finished output is taken again for `ttl` by steps with the same `key`; default key: what the step is given. */
export const cacheSchema = z.strictObject({ key: z.string().min(1).optional(), ttl: periodSchema })

export const onFailureSchema = z.union([z.enum(['escalate', 'fail', 'continue']), z.strictObject({ use: jsonSchema })])

const withSchema = z.record(z.string(), jsonSchema)
const priority = z.int().min(1).max(5)

/** What undoes a step: a task or a child workflow. Its expressions also know `output`, the step's own. */
export const compensateSchema = z.strictObject({
  llm: llmBodySchema.optional(),
  tool: z.string().optional(),
  with: withSchema.optional(),
  run: runBodySchema.optional(),
  retry: retrySchema.optional(),
  timeout: periodSchema.optional(),
  deadline: periodSchema.optional(),
  effect: effectSchema.optional(),
})
export type CompensateDefinition = z.infer<typeof compensateSchema>
/**
 * What is done in place of a step that failed for good: a step of its own, whose output the step takes. Its expressions
 * also know `error`, the failure `{code, class, message}`.
 */
export const fallbackSchema = compensateSchema.extend({
  agent: agentBodySchema.optional(),
  approval: approvalBodySchema.optional(),
  value: jsonSchema.optional(),
  gate: z.boolean().optional(),
})
export type FallbackDefinition = z.infer<typeof fallbackSchema>
export const FALLBACK_KINDS = ['llm', 'agent', 'tool', 'approval', 'run', 'value'] as const

/** An answer that is less sure than `min` (0 to 1) is not taken: a person decides. `from` knows `output`. */
export const confidenceSchema = z.strictObject({ min: z.number().min(0).max(1), from: z.string().min(1) })

/** What may be spent: by a run, and by all runs of a workflow in one day (UTC). */
export const budgetSchema = z.strictObject({ ...caps, per_day: z.strictObject(caps).optional() })
export type BudgetDefinition = z.infer<typeof budgetSchema>

export const COMPENSATE_KINDS = ['llm', 'tool', 'run'] as const

const stepName = z.string().regex(STEP_NAME, 'a step name is a lower case letter, then letters, digits and _')

export const stepSchema = z.strictObject({
  description: z.string().optional(),
  // kinds: exactly one
  llm: llmBodySchema.optional(),
  agent: agentBodySchema.optional(),
  tool: z.string().optional(),
  with: withSchema.optional(),
  approval: approvalBodySchema.optional(),
  wait: waitBodySchema.optional(),
  signal: signalBodySchema.optional(),
  run: runBodySchema.optional(),
  value: jsonSchema.optional(),
  /** A nested block: outside of it only its `output` is seen, or a map of its steps' outputs. */
  get steps() {
    return z.record(stepName, stepSchema).optional()
  },
  output: jsonSchema.optional(),
  // modifiers
  needs: z.array(z.string()).optional(),
  /** These may be skipped: the step runs when all have ended and one of them has completed. */
  needs_any: z.array(z.string()).min(1).optional(),
  if: z.union([z.string(), z.boolean()]).optional(),
  each: eachSchema.optional(),
  repeat: repeatSchema.optional(),
  retry: retrySchema.optional(),
  timeout: periodSchema.optional(),
  deadline: periodSchema.optional(),
  effect: effectSchema.optional(),
  compensate: compensateSchema.optional(),
  fallback: fallbackSchema.optional(),
  confidence: confidenceSchema.optional(),
  gate: z.boolean().optional(),
  on_failure: onFailureSchema.optional(),
  priority: priority.optional(),
  concurrency: concurrencySchema.optional(),
  rate: rateSchema.optional(),
  cache: cacheSchema.optional(),
})
export type StepDefinition = z.infer<typeof stepSchema>

export const STEP_KINDS = ['llm', 'agent', 'tool', 'approval', 'wait', 'signal', 'run', 'steps', 'value'] as const
export type StepKind = (typeof STEP_KINDS)[number]

export const definitionSchema = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, 'a workflow name is lower case letters, digits, _ and -'),
  description: z.string().optional(),
  input: jsonSchemaField.optional(),
  defaults: z.strictObject({ retry: retrySchema.optional(), timeout: periodSchema.optional() }).optional(),
  /** Of a whole run, from its start: what is not done by then fails with `deadline_exceeded`. */
  deadline: periodSchema.optional(),
  /** What may be spent on model calls: by a run, and by all runs of the workflow in a day. */
  budget: budgetSchema.optional(),
  irreversible: z.enum(['gate']).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  /** Of runs: the others wait, in the order they came. The key sees `input` and `run`. */
  concurrency: concurrencySchema.optional(),
  steps: z.record(stepName, stepSchema),
  output: jsonSchema.optional(),
})
export type Definition = z.infer<typeof definitionSchema>

/** Every step with its id (`block/inner`) and its place in the definition, nested ones behind the block they stand in. */
export const allSteps = (
  steps: Definition['steps'],
  around: { id: string; place: string } = { id: '', place: 'steps' },
): { id: string; place: string; step: StepDefinition }[] =>
  Object.entries(steps).flatMap(([name, step]) => {
    const id = around.id === '' ? name : `${around.id}/${name}`
    const place = `${around.place}.${name}`
    return [{ id, place, step }, ...(step.steps ? allSteps(step.steps, { id, place: `${place}.steps` }) : [])]
  })
