// The handler of tool tasks: which tool, with what, and what comes of it.
import {
  BUILT_IN_TOOLS,
  type Json,
  LIMITS,
  nearest,
  type Task,
  type ToolInput,
  toolInputSchema,
} from '@stepfleet/contracts'
import { type CallbackRef, redact, type TaskContext, TaskFailure, type TaskHandler } from '@stepfleet/runtime'
import { ANSWERED, countsAgainstDependency, safeFailure, toFailure } from './failure.ts'
import { redactJson, type Secrets } from './secrets.ts'
import { type Callbacks, tellCallback } from './tools/callback.ts'
import type { Egress } from './tools/egress.ts'
import { callHttp, httpDependency } from './tools/http.ts'
import { callModule } from './tools/module.ts'
import type { Registry } from './tools/registry.ts'

export interface HandlerParts {
  registry: Registry
  egress: Egress
  secrets: Secrets
  callbacks: Callbacks
}

const parseInput = (input: Json): ToolInput => {
  const parsed = toolInputSchema.safeParse(input)
  if (parsed.success) return parsed.data
  throw new TaskFailure(safeFailure('tool_input_invalid', 'the task carries no tool and `with`'))
}

const unknownTool = (name: string, registry: Registry): TaskFailure => {
  const near = nearest(name, [...registry.keys()])
  const hint = near === null ? '' : `; it has ${near}`
  // not sent: another worker may have it, and nothing has happened here
  return new TaskFailure(
    safeFailure('tool_unknown', `this worker has no tool ${name}${hint}`, { details: { notSent: true } }),
  )
}

/** What JSON makes of the value: a Date is its text, undefined is null. */
const asJson = (tool: string, value: unknown): { text: string; output: Json } => {
  try {
    const text = JSON.stringify(value) ?? 'null'
    return { text, output: JSON.parse(text) }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new TaskFailure(safeFailure('tool_output_invalid', `${tool}: the result is not JSON: ${why}`))
  }
}

/** The output as it may be journaled: JSON, within the limit, without secret values. */
const finished = (tool: string, value: unknown): Json => {
  const { text, output } = asJson(tool, value)
  const bytes = Buffer.byteLength(text)
  if (bytes > LIMITS.payloadBytes) {
    throw new TaskFailure(
      safeFailure('payload_too_large', `${tool}: the result is ${bytes} bytes, over ${LIMITS.payloadBytes}`, {
        details: ANSWERED,
      }),
    )
  }
  // the text answers whether there is anything to blot out, far faster than a walk
  return redact(text) === text ? output : redactJson(output)
}

/** Which attempt a token is for. A run that is restarted under its id begins with another fact. */
const refOf = async ({ task, record }: TaskContext): Promise<CallbackRef> => {
  const { ns, run, path, attempt } = task
  const [started] = await record.events(ns, run, [1])
  if (!started) throw new Error(`run ${run} has no first event`)
  return { ns, run, startedAtMs: started.atMs, path, attempt }
}

const call = async (parts: HandlerParts, context: TaskContext): Promise<Json> => {
  const { task, signal, attempt, effectKey } = context
  const input = parseInput(context.input)
  const loaded = parts.registry.get(input.tool)
  if (!loaded && !BUILT_IN_TOOLS.has(input.tool)) throw unknownTool(input.tool, parts.registry)
  const resolved = await parts.secrets.resolve(input.with)
  const request = { input: resolved, effect: task.effect, effectKey, signal }
  if (input.tool === 'callback') {
    await tellCallback(parts.egress, parts.callbacks, { ...request, ref: await refOf(context) })
    return null
  }
  if (!loaded) {
    return finished(input.tool, await callHttp(parts.egress, request))
  }
  const result = await callModule(loaded, parts.secrets, {
    input: resolved,
    signal,
    effectKey,
    attempt,
    log: context.log,
  })
  return finished(input.tool, result)
}

const dependency = (_: Task, input: Json): string | null => {
  const parsed = toolInputSchema.safeParse(input)
  if (!parsed.success) return null
  return BUILT_IN_TOOLS.has(parsed.data.tool) ? httpDependency(parsed.data.with) : `tool:${parsed.data.tool}`
}

export const createHandler = (parts: HandlerParts): TaskHandler => ({
  dependency,
  run: async (context) => {
    try {
      return { output: await call(parts, context) }
    } catch (error) {
      // classified here, so that no error that may quote a secret leaves the handler
      throw new TaskFailure(toFailure(error, context.signal))
    }
  },
  classify: (error, context) => toFailure(error, context.signal),
  countsAgainstDependency,
})
