// The format of workflows as a JSON Schema (2020-12), for editors and for anyone who writes definitions by program:
// what zod knows of it, the rules between fields that zod leaves to registration, and a line of help for each field.
import { z } from 'zod'
import {
  AGENT_TOOLS,
  agentBodySchema,
  approvalBodySchema,
  budgetSchema,
  COMPENSATE_KINDS,
  cacheSchema,
  compensateSchema,
  concurrencySchema,
  confidenceSchema,
  definitionSchema,
  eachSchema,
  FALLBACK_KINDS,
  fallbackSchema,
  joinSchema,
  LIMITS,
  llmBodySchema,
  onFailureSchema,
  rateSchema,
  repeatSchema,
  retrySchema,
  runBodySchema,
  runBudgetSchema,
  STEP_KINDS,
  signalBodySchema,
  stepSchema,
  thinkingSchema,
  waitBodySchema,
} from './definition.ts'
import { DURATION, durationSchema, PERIOD, periodSchema } from './duration.ts'
import { effectSchema } from './effect.ts'
import type { Json } from './json.ts'

type Schema = { [key: string]: Json }

export const WORKFLOW_SCHEMA_ID = 'https://stepfleet.dev/schema/workflow.schema.json'

/** Shapes with a name of their own under `$defs`. */
const NAMED = {
  step: stepSchema,
  llm: llmBodySchema,
  agent: agentBodySchema,
  agent_task_tool: AGENT_TOOLS.tool,
  agent_run_tool: AGENT_TOOLS.run,
  agent_approval_tool: AGENT_TOOLS.approval,
  approval: approvalBodySchema,
  wait: waitBodySchema,
  signal: signalBodySchema,
  thinking: thinkingSchema,
  run: runBodySchema,
  each: eachSchema,
  join: joinSchema,
  repeat: repeatSchema,
  retry: retrySchema,
  compensate: compensateSchema,
  fallback: fallbackSchema,
  budget: budgetSchema,
  agent_budget: runBudgetSchema,
  confidence: confidenceSchema,
  on_failure: onFailureSchema,
  concurrency: concurrencySchema,
  rate: rateSchema,
  cache: cacheSchema,
  effect: effectSchema,
  duration: durationSchema,
  period: periodSchema,
} as const

const OFFERED = {
  name: 'What the model calls the tool.',
  description: 'What the tool does and when to use it: the model reads this.',
  input: 'JSON Schema of the arguments, an object.',
}
const SETTINGS = {
  max_tokens: 'Most tokens of one answer.',
  temperature: '0 to 2; not every model takes it.',
  top_p: '0 to 1; not every model takes it.',
  top_k: 'Not every model takes it.',
  stop: 'Texts that end the answer.',
  thinking:
    'How much the model thinks before it answers: low, medium, high, or {budget: <tokens>} where the model takes one.',
}
const CACHED = 'true: the provider keeps what it has read of the prompt for calls that begin the same.'
const MODEL = '`<provider>/<model>`, for example anthropic/claude-haiku-5-5.'
const MODELS = 'Models to go on with, in this order, when one has failed for good or its circuit is open.'
const OUTPUT = 'JSON Schema of the output. Without it the output is text.'

/** One line of help per field, by the name of its shape; an editor shows it. The empty name is the definition. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '': {
    $schema: 'The schema of this file, for editors.',
    name: 'Name of the workflow: lower case letters, digits, _ and -.',
    description: 'What the workflow does, for people.',
    input: 'JSON Schema of the input; every run is checked against it.',
    defaults: 'What holds for all steps that say nothing else.',
    deadline: 'Of a whole run, from its start; then it fails with deadline_exceeded.',
    budget: 'What may be spent on model calls.',
    irreversible: '`gate`: steps that cannot be undone need a gate.',
    labels: 'Labels of every run.',
    concurrency: 'At most so many runs with the same key at a time; the key knows `input` and `run`.',
    steps: 'The steps by name. A step waits for the steps its expressions mention, and for those in `needs`.',
    output: "The run's output; without it a map of all steps' outputs.",
  },
  step: {
    description: 'What the step is for, for people.',
    llm: 'One model call.',
    agent: 'A model with tools, until it answers.',
    tool: '`http`, `callback`, or the name of a module tool; its input is in `with`.',
    with: 'Input of the tool. May hold expressions and ${{ secrets.NAME }}.',
    approval: 'Waits for a person.',
    wait: 'Waits for a time: `10m`, {for} or {until}. Holds no worker.',
    signal: 'Waits for a named signal; the output is its payload.',
    run: 'A child workflow: `name`, `name@3`, or {workflow, input, detach}.',
    value: 'A value with expressions; no worker is involved.',
    steps: 'A nested block of steps.',
    output: "What the block gives; without it a map of its steps' outputs.",
    needs: 'Steps to wait for, besides those that expressions mention.',
    needs_any: 'Of these, one must complete; the others may be skipped.',
    if: 'One expression, true or false. False: the step is skipped.',
    each: 'The step once per item of a list.',
    repeat: 'The step again and again, until something is true.',
    retry: 'How failed attempts are repeated.',
    timeout: 'Time of one attempt.',
    deadline: 'Time of the whole step, from when it was first ready.',
    effect: 'What running it twice would do: nothing (read), the same (idempotent), or harm (once).',
    compensate: 'What undoes the step when the run fails or is cancelled.',
    fallback: "What is done in place of the step when it has failed for good; its output is the step's.",
    confidence: 'An answer that is less sure than this waits for a person.',
    gate: 'true: a person approves before it runs.',
    on_failure: 'What a failure for good does: escalate (default), fail, continue, or {use: <value>}.',
    priority: '1 (first) to 5; default: that of the run.',
    concurrency: 'At most so many at a time with the same key, in the whole fleet.',
    rate: 'At most so many starts in a time with the same key, in the whole fleet.',
    cache: 'A finished output is taken again.',
  },
  llm: {
    ...SETTINGS,
    cache: CACHED,
    model: MODEL,
    fallback: MODELS,
    system: 'System prompt.',
    prompt: 'The prompt, with expressions; or use `messages`.',
    messages: 'A conversation instead of one prompt.',
    output: OUTPUT,
  },
  agent: {
    ...SETTINGS,
    cache: `${CACHED} Default: true.`,
    model: MODEL,
    system: 'System prompt.',
    prompt: 'The task, with expressions.',
    output: OUTPUT,
    max_turns: 'Most model calls (default 20); then max_turns_exceeded.',
    max_identical: 'Turns in a row that may ask for the same (default 5); then repeated_calls.',
    budget: 'What all its model calls may cost: usd, tokens or both.',
    fallback: MODELS,
    tools: 'Names of module tools, or tools described here.',
  },
  agent_task_tool: {
    ...OFFERED,
    tool: '`http`, `callback`, or the name of a module tool.',
    with: 'Its input; `args` are the arguments of the model.',
    effect: 'What running it twice would do.',
    gate: 'true: a person approves each use.',
    timeout: 'Time of one attempt.',
    retry: 'How failed attempts are repeated.',
  },
  agent_run_tool: {
    ...OFFERED,
    run: 'A child workflow; the arguments are its input, unless `input` says otherwise.',
    timeout: 'Time of one use.',
  },
  agent_approval_tool: {
    ...OFFERED,
    approval: 'A person decides; the arguments are shown, unless `show` says otherwise.',
  },
  approval: {
    show: 'What the person is shown.',
    assignee: 'Who should decide.',
    expires: 'Then `on_expiry`.',
    on_expiry: 'reject (default), approve or escalate.',
  },
  signal: {
    name: 'Name of the signal.',
    schema: 'JSON Schema of the payload.',
    timeout: 'Then signal_timeout.',
  },
  thinking: { budget: 'Tokens it may think, less than max_tokens; not every model takes one.' },
  run: {
    workflow: '`name`, the newest version when the child starts, or `name@3`.',
    input: 'Input of the child.',
    detach: 'true: completes with {run} as soon as the child is accepted.',
  },
  each: {
    in: 'A list, or one expression that gives one.',
    as: 'What the item is called (default `item`).',
    concurrency: 'Most items open at a time.',
    join: 'all (default), settled, any, or {atLeast: n}.',
  },
  repeat: {
    until: 'Judged after each iteration; knows `output`, `previous` and all that the step knows.',
    max: 'Most iterations.',
    on_max: 'complete (default) with the last output, or fail with max_iterations_exceeded.',
  },
  retry: {
    attempts: 'All attempts together, the first one too.',
    initial: 'Pause before the second attempt.',
    factor: 'By what the pause grows.',
    max: 'Longest pause.',
    never: 'Failure codes that are not tried again.',
    only: 'The only failure codes that are tried again.',
  },
  compensate: {
    llm: 'One model call.',
    tool: '`http`, `callback`, or the name of a module tool; its input is in `with`.',
    with: "Input of the tool; `output` is the step's own.",
    run: 'A child workflow.',
    retry: 'How failed attempts are repeated.',
    timeout: 'Time of one attempt.',
    deadline: 'Time of the whole compensation.',
    effect: 'What running it twice would do.',
  },
  budget: {
    usd: 'US dollars of one run; what a call may cost at most is reserved before it.',
    tokens: 'Tokens of one run, in and out.',
    per_day: 'What all runs of the workflow may spend in a day (UTC).',
  },
  agent_budget: {
    usd: 'US dollars of all its calls; what a call may cost at most is reserved before it.',
    tokens: 'Tokens of all its calls, in and out.',
  },
  fallback: {
    llm: 'One model call.',
    agent: 'A model with tools, until it answers.',
    tool: '`http`, `callback`, or the name of a module tool; its input is in `with`.',
    with: 'Input of the tool; `error` is what the step failed with.',
    approval: 'Asks a person.',
    run: 'A child workflow.',
    value: 'A value with expressions.',
    retry: 'How failed attempts are repeated.',
    timeout: 'Time of one attempt.',
    deadline: 'Time of the whole fallback.',
    effect: 'What running it twice would do.',
    gate: 'true: a person approves before the tool runs.',
  },
  confidence: {
    min: '0 to 1.',
    from: 'One expression that gives a number; `output` is the answer.',
  },
  concurrency: { key: 'Text with expressions; equal keys share the limit.', limit: 'At most so many at a time.' },
  rate: {
    key: 'Text with expressions; equal keys share the limit.',
    limit: 'At most so many starts.',
    per: 'In this time.',
  },
  cache: { key: 'Text with expressions; default: everything the step is given.', ttl: 'How long an output is kept.' },
}

const oneOf = (fields: readonly string[]): Schema => ({ oneOf: fields.map((field) => ({ required: [field] })) })

/** Rules between fields, which registration checks in code. */
const RULES: Readonly<Record<string, Schema>> = {
  step: { ...oneOf(STEP_KINDS), dependentRequired: { with: ['tool'], output: ['steps'] } },
  compensate: { ...oneOf(COMPENSATE_KINDS), dependentRequired: { with: ['tool'] } },
  fallback: { ...oneOf(FALLBACK_KINDS), dependentRequired: { with: ['tool'] } },
  llm: oneOf(['prompt', 'messages']),
  period: {
    pattern: PERIOD.source,
    description: 'A whole number from 1 with ms, s, m, h or d, at most 90d.',
    examples: ['500ms', '30s', '10m', '24h'],
  },
  duration: {
    pattern: DURATION.source,
    description: 'A whole number with ms, s, m, h or d, at most 90d.',
    examples: ['500ms', '30s', '10m', '24h'],
  },
}

const isSchema = (value: Json | undefined): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Without what says nothing: keys are always text, and a whole number is always a safe one. */
const tidy = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(tidy)
  if (!isSchema(value)) return value
  const idle = ([key, member]: [string, Json]): boolean =>
    (key === 'propertyNames' && JSON.stringify(member) === '{"type":"string"}') ||
    (key === 'maximum' && member === Number.MAX_SAFE_INTEGER)
  return Object.fromEntries(
    Object.entries(value)
      .filter((entry) => !idle(entry))
      .map(([key, member]) => [key, tidy(member)]),
  )
}

/** The properties of a shape, also where it is one of several. */
const propertiesOf = (schema: Schema): Schema | null => {
  if (isSchema(schema.properties)) return schema.properties
  const variants = Array.isArray(schema.anyOf) ? schema.anyOf : []
  return variants.flatMap((variant) => (isSchema(variant) ? [propertiesOf(variant)] : [])).find((one) => one) ?? null
}

const describe = (schema: Schema, name: string): Schema => {
  const properties = propertiesOf(schema)
  for (const [field, description] of Object.entries(FIELDS[name] ?? {})) {
    const property = properties?.[field]
    if (isSchema(property)) property.description = description
  }
  return { ...schema, ...RULES[name] }
}

/** What zod makes of the shapes, as plain JSON: the named ones under `$defs`. */
const generated = (): Schema => {
  const names = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(NAMED)) names.add(schema, { id })
  const schema = z.toJSONSchema(definitionSchema, { unrepresentable: 'any', metadata: names, io: 'input' })
  const plain = tidy(JSON.parse(JSON.stringify(schema)))
  return isSchema(plain) ? plain : {}
}

/**
 * The published JSON Schema of the workflow format: `schema/workflow.schema.json`, also `GET /v1/schema/workflow`.
 * A definition that registration takes fits it; registration refuses more (names, expressions, cycles). A new object
 * each time.
 */
export const workflowJsonSchema = (): Schema => {
  const { $schema, $defs, ...definition } = generated()
  const root = describe(definition, '')
  const { labels, steps } = propertiesOf(root) ?? {}
  if (isSchema(labels)) labels.maxProperties = LIMITS.labels
  if (isSchema(steps)) Object.assign(steps, { minProperties: 1, maxProperties: LIMITS.stepsPerDefinition })
  const named = isSchema($defs) ? Object.entries($defs) : []
  return {
    ...{ $schema: $schema ?? null, $id: WORKFLOW_SCHEMA_ID },
    title: 'Stepfleet workflow',
    description: 'A graph of named steps. A step waits for the steps its expressions mention.',
    ...root,
    $defs: Object.fromEntries(
      named.map(([name, schema]) => [name, isSchema(schema) ? describe(schema, name) : schema]),
    ),
  }
}
