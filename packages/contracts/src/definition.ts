// The workflow definition as users write it. Unknown fields are refused; fields of the format that are not
// built yet are listed in NOT_SUPPORTED_YET and refused with that code by registration.
import { z } from 'zod'
import { durationSchema } from './duration.ts'
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

/** Dotted places (`*` is any name) of format fields that are refused with `not_supported_yet`. */
export const NOT_SUPPORTED_YET: readonly string[] = [
  'budget',
  'deadline',
  'supervisor',
  'concurrency',
  'steps.*.run',
  'steps.*.steps',
  'steps.*.repeat',
  'steps.*.compensate',
  'steps.*.needs_any',
  'steps.*.priority',
  'steps.*.cache',
  'steps.*.concurrency',
  'steps.*.rate',
  'steps.*.fallback',
  'steps.*.confidence',
  'steps.*.budget',
  'steps.*.thread',
  'steps.*.llm.fallback',
  'steps.*.llm.cache',
  'steps.*.agent.fallback',
  'steps.*.agent.budget',
  'steps.*.agent.tools.*.run',
  'steps.*.agent.tools.*.approval',
]

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
  never: z.array(z.enum(failureCodes)).optional(),
})
export type RetryDefinition = z.infer<typeof retrySchema>

/** Provider settings; which ones a model takes is in the capability table of the engine. */
export const modelSettingsSchema = z.strictObject({
  max_tokens: z.int().positive().max(1_000_000).optional(),
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().min(0).max(1).optional(),
  top_k: z.int().positive().optional(),
  stop: z.array(z.string()).max(8).optional(),
})

const message = z.strictObject({ role: z.enum(['user', 'assistant']), content: z.string() })

export const llmBodySchema = modelSettingsSchema.extend({
  model,
  system: z.string().optional(),
  prompt: z.string().optional(),
  messages: z.array(message).min(1).optional(),
  output: jsonSchemaField.optional(),
})

const agentHttpTool = z.strictObject({
  name: z.string().regex(STEP_NAME),
  description: z.string(),
  input: jsonSchemaField,
  tool: z.string(),
  with: z.record(z.string(), jsonSchema).optional(),
  effect: effectSchema.optional(),
  gate: z.boolean().optional(),
  timeout: durationSchema.optional(),
  retry: retrySchema.optional(),
})
export const agentToolSchema = z.union([z.string().regex(STEP_NAME), agentHttpTool])

export const agentBodySchema = modelSettingsSchema.extend({
  model,
  system: z.string().optional(),
  prompt: z.string(),
  output: jsonSchemaField.optional(),
  max_turns: z.int().min(1).max(1_000).optional(),
  tools: z.array(agentToolSchema).max(128).optional(),
})

export const approvalBodySchema = z.strictObject({
  show: jsonSchema.optional(),
  assignee: z.string().max(200).optional(),
  expires: durationSchema.optional(),
  on_expiry: z.enum(['reject', 'approve', 'escalate']).optional(),
})

export const waitBodySchema = z.union([
  z.string(),
  z.strictObject({ for: z.string() }),
  z.strictObject({ until: z.string() }),
])

export const signalBodySchema = z.union([
  z.string(),
  z.strictObject({ name: z.string(), schema: jsonSchemaField.optional(), timeout: durationSchema.optional() }),
])

/** How items are joined. `any` and `atLeast` are not built yet. */
export const joinSchema = z.enum(['all', 'settled'])

export const eachSchema = z.union([
  z.string(),
  z.strictObject({
    in: z.union([z.string(), z.array(jsonSchema)]),
    as: z.string().regex(STEP_NAME).optional(),
    concurrency: z.int().min(1).max(10_000).optional(),
    join: joinSchema.optional(),
  }),
])

export const stepSchema = z.strictObject({
  description: z.string().optional(),
  // kinds: exactly one
  llm: llmBodySchema.optional(),
  agent: agentBodySchema.optional(),
  tool: z.string().optional(),
  with: z.record(z.string(), jsonSchema).optional(),
  approval: approvalBodySchema.optional(),
  wait: waitBodySchema.optional(),
  signal: signalBodySchema.optional(),
  value: jsonSchema.optional(),
  // modifiers
  needs: z.array(z.string()).optional(),
  if: z.union([z.string(), z.boolean()]).optional(),
  each: eachSchema.optional(),
  retry: retrySchema.optional(),
  timeout: durationSchema.optional(),
  deadline: durationSchema.optional(),
  effect: effectSchema.optional(),
  gate: z.boolean().optional(),
  on_failure: z.enum(['escalate', 'fail', 'continue']).optional(),
})
export type StepDefinition = z.infer<typeof stepSchema>

export const STEP_KINDS = ['llm', 'agent', 'tool', 'approval', 'wait', 'signal', 'value'] as const
export type StepKind = (typeof STEP_KINDS)[number]

export const definitionSchema = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, 'a workflow name is lower case letters, digits, _ and -'),
  description: z.string().optional(),
  input: jsonSchemaField.optional(),
  defaults: z.strictObject({ retry: retrySchema.optional(), timeout: durationSchema.optional() }).optional(),
  irreversible: z.enum(['gate']).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  steps: z.record(
    z.string().regex(STEP_NAME, 'a step name is a lower case letter, then letters, digits and _'),
    stepSchema,
  ),
  output: jsonSchema.optional(),
})
export type Definition = z.infer<typeof definitionSchema>
