// The worker of a simulation: what it would report for a task, by mocks and faults, checked as real workers check.
import {
  type Failure,
  failure,
  type Json,
  type LlmInput,
  llmInputSchema,
  type Outcome,
  type Task,
  type ToolManifest,
  toolInputSchema,
  type Usage,
} from '@stepfleet/contracts'
import { parsePath } from '@stepfleet/engine'
import { inWords, type JsonSchema, type SchemaChecks } from '@stepfleet/schemas'
import { InvalidOptions } from './errors.ts'
import { estimateUsage } from './estimate.ts'
import type { Faults } from './faults.ts'
import { invent } from './invent.ts'
import type { Mocks, Said } from './mocks.ts'
import type { MockCall } from './options.ts'
import { jsonOf, type SimulatedRun } from './simulated-run.ts'

export interface WorkerParts {
  mocks: Mocks
  faults: Faults
  checks: SchemaChecks
  tools: ReadonlyMap<string, ToolManifest>
  /** Noted: this step ran on a made-up answer. */
  assume(path: string): void
}

/** A task, what it is called, and what a mock is told of it. */
export interface Job {
  task: Task
  names: readonly string[]
  call: MockCall
}

interface Answered {
  result: Outcome['result']
  usage?: Usage
}

const done = (output: Json, usage?: Usage): Answered => ({
  result: { status: 'done', output: { value: output } },
  ...(usage ? { usage } : {}),
})

const failed = (task: Task, given: Failure, usage?: Usage): Answered => ({
  result: { status: 'failed', failure: asAmbiguous(task, given) },
  ...(usage ? { usage } : {}),
})

/** As workers do: when a `once` task fails in a way that a repeat might mend, nobody knows whether its effect happened. */
const asAmbiguous = (task: Task, given: Failure): Failure => {
  const { details } = given
  const notSent = isRecord(details) && details.notSent === true
  if (task.effect !== 'once' || given.class !== 'transient' || notSent) return given
  return failure('outcome_unknown', `the effect may have happened: ${given.message}`, {
    details: { cause: given.code },
  })
}

const isRecord = (value: Json | undefined): value is Record<string, Json> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** Secrets as a tool would get them, but for their values: `secret CRM_TOKEN`. */
const withSecrets = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(withSecrets)
  if (!isRecord(value)) return value
  if (typeof value.$secret === 'string') return `secret ${value.$secret}`
  if (Array.isArray(value.$concat)) return value.$concat.map(withSecrets).join('')
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withSecrets(inner)]))
}

/** What the task was given, as a mock is shown it. */
const shownInput = (task: Task): Json => {
  const input = jsonOf(task.input)
  return task.kind === 'llm' ? input : withSecrets(toolInputSchema.parse(input).with)
}

/** What a mock is told of a call. */
export const mockCall = (run: SimulatedRun, path: string, attempt: number, input: Json): MockCall => {
  const index = /.*\[(\d+)\]/.exec(path)?.[1]
  const { role, turn } = parsePath(path)
  return {
    path: run.fullPath(path),
    step: run.fullId(path),
    attempt,
    input,
    ...(index === undefined ? {} : { index: Number(index) }),
    ...(role === 'turn' && turn !== null ? { turn } : {}),
  }
}

/** What a mock is told of a task. */
export const callOf = (run: SimulatedRun, task: Task): MockCall =>
  mockCall(run, task.path, task.attempt, shownInput(task))

const timedOut = (task: Task): Answered => failed(task, failure('timeout', `no result within ${task.timeoutMs} ms`))

/** What the worker reports. `late`: its time was over before it was done. */
export const work = async (parts: WorkerParts, run: SimulatedRun, job: Job, late: boolean): Promise<Answered> => {
  const { task, names, call } = job
  const fault = parts.faults.failureFor(names, call.path, task.attempt)
  if (fault) return failed(task, fault)
  if (late) return timedOut(task)
  return task.kind === 'llm' ? model(parts, run, job) : tool(parts, job)
}

/** The tool that runs. */
export const toolOf = (task: Task): string => toolInputSchema.parse(jsonOf(task.input)).tool

const tool = async (parts: WorkerParts, { task, names, call }: Job): Promise<Answered> => {
  const name = toolOf(task)
  // that the outside was told is no answer: that one comes from there (outside.ts)
  if (name === 'callback') return done(null)
  const schema = parts.tools.get(name)?.spec.input
  const wrong = isRecord(schema) ? parts.checks.check(schema, call.input, '') : []
  if (wrong.length > 0) return failed(task, failure('tool_input_invalid', `${name}: ${inWords(wrong, 3).join('; ')}`))
  const said = await parts.mocks.ask(names, call)
  if (!said) {
    parts.assume(call.path)
    return done(name === 'http' ? { status: expectedStatus(call.input), headers: {}, body: null } : null)
  }
  return said.kind === 'failure' ? failed(task, said.failure) : done(said.kind === 'value' ? said.value : null)
}

const expectedStatus = (input: Json): Json => {
  const expect = isRecord(input) ? input.expect : undefined
  return (Array.isArray(expect) ? expect[0] : expect) ?? 200
}

const model = async (parts: WorkerParts, run: SimulatedRun, { task, names, call }: Job): Promise<Answered> => {
  const input = llmInputSchema.parse(jsonOf(task.input))
  const said = (await parts.mocks.ask(names, call)) ?? assumed(parts, input, call)
  if (said.kind === 'failure') return failed(task, said.failure)
  if (said.kind === 'tools') return done(...turnOf(input, run, said))
  const answer = fitting(parts, input, said)
  const usage = estimateUsage(input, answer.value, run.events)
  if (answer.wrong !== null) return failed(task, failure('malformed_output', answer.wrong), usage)
  if (!input.agent) return done(answer.value, usage)
  const text = typeof answer.value === 'string' && !input.output ? answer.value : JSON.stringify(answer.value)
  return done({ content: [{ type: 'text', text }], text, toolUses: [] }, usage)
}

const assumed = (parts: WorkerParts, input: LlmInput, call: MockCall): Said => {
  parts.assume(call.path)
  if (!input.output) return { kind: 'value', value: `mocked answer of ${call.step}` }
  const made = invent(input.output)
  const wrong = parts.checks.check(input.output, made, '')
  if (wrong.length === 0) return { kind: 'value', value: made }
  throw new InvalidOptions(
    `nothing that fits the output schema of ${call.step} could be made up (${inWords(wrong, 3).join('; ')}): give mocks['${call.step}']`,
  )
}

const turnOf = (input: LlmInput, run: SimulatedRun, said: Said & { kind: 'tools' }): [Json, Usage] => {
  const content: Json[] = [
    ...(said.text === '' ? [] : [{ type: 'text', text: said.text }]),
    ...said.uses.map((use) => ({ type: 'tool_use', ...use })),
  ]
  return [{ content, text: said.text, toolUses: said.uses }, estimateUsage(input, content, run.events)]
}

const parsed = (text: string): { value: Json } | null => {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return null
  }
}

/** The answer as the worker reads it, and what is wrong with it. */
const fitting = (
  { checks }: WorkerParts,
  { output }: LlmInput,
  said: Said & { kind: 'value' | 'text' },
): { value: Json; wrong: string | null } => {
  if (said.kind === 'text' && output) return fittingText(checks, output, said.text)
  const value = said.kind === 'text' ? said.text : said.value
  if (output) {
    const wrong = checks.check(output, value, '')
    return {
      value,
      wrong: wrong.length === 0 ? null : `the answer does not fit its schema: ${inWords(wrong, 3).join('; ')}`,
    }
  }
  if (typeof value !== 'string') return { value, wrong: 'without an output schema a model answers with text' }
  // silence is never success
  return { value, wrong: value.trim() === '' ? 'the model answered with nothing' : null }
}

/** The last turn of an agent with an output schema: JSON text, or a value that only looks like a turn. */
const fittingText = (checks: SchemaChecks, schema: JsonSchema, text: string): { value: Json; wrong: string | null } => {
  const read = parsed(text)
  if (read && checks.check(schema, read.value, '').length === 0) return { value: read.value, wrong: null }
  const whole = { text }
  const wrong = checks.check(schema, whole, '')
  if (wrong.length === 0) return { value: whole, wrong: null }
  const why = read ? inWords(checks.check(schema, read.value), 3).join('; ') : 'it is not JSON'
  return { value: text, wrong: `the answer does not fit its schema: ${why}` }
}
