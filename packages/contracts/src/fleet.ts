// What each process of the fleet says of itself.
import { z } from 'zod'
import { toolSpecSchema } from './conversation.ts'
import { effectSchema } from './effect.ts'

export const workerInfoSchema = z.strictObject({
  id: z.string(),
  service: z.enum(['llm-worker', 'tool-worker']),
  host: z.string(),
  pid: z.int(),
  version: z.string(),
  startedAtMs: z.int(),
  queues: z.array(z.string()),
  slots: z.int().positive(),
  /** Task ids it runs now, as of its last publication (each second and on change, throttled). */
  tasks: z.array(z.string()),
  /** Circuits of this process: dependency → state. */
  circuits: z.record(z.string(), z.enum(['closed', 'open', 'halfOpen'])),
  draining: z.boolean(),
})
export type WorkerInfo = z.infer<typeof workerInfoSchema>

/**
 * `halfOpen`: one worker of the fleet tries one call. `recovering`: it went well, and calls are let through in growing
 * waves.
 */
export const circuitStateSchema = z.enum(['closed', 'open', 'halfOpen', 'recovering'])
export type CircuitState = z.infer<typeof circuitStateSchema>

/** What has a circuit: `anthropic/claude-sonnet-5-5` (a model), `http:example.org`, `tool:search`, `mcp:files`. */
export const dependencySchema = z
  .string()
  .max(300)
  .regex(
    /^[A-Za-z0-9._-]+[:/][\x21-\x7e]+$/,
    'a circuit is named <provider>/<model>, http:<host>, tool:<name> or mcp:<server>',
  )

/** The circuit of one dependency, as the fleet has it. Times are epoch milliseconds. */
export const circuitViewSchema = z.strictObject({
  dependency: z.string(),
  state: circuitStateSchema,
  /** When it first opened, of this outage; when it was forced; null: it is closed. */
  sinceMs: z.int().nullable(),
  /** For a person: `circuit http:example.org is open since 12:03:04Z (503 ×7); next probe at 12:03:19Z`. */
  why: z.string().nullable(),
  /** The first task that comes after it is the probe. null: no probe is waited for. */
  nextProbeAtMs: z.int().nullable(),
  /** An operator holds it so, whatever calls do. */
  forced: z.enum(['open', 'closed']).nullable(),
  /** The operator. */
  by: z.string().nullable(),
  /** Live workers that have used it. */
  workers: z.int().nonnegative(),
})
export type CircuitView = z.infer<typeof circuitViewSchema>

/** `force` null: workers decide again. */
export const forceCircuitSchema = z.strictObject({
  force: z.enum(['open', 'closed']).nullable(),
  by: z.string().min(1).max(200).optional().describe('Who decides. `api` without it.'),
  reason: z.string().max(300).optional().describe('Why; tasks that wait for the circuit show it.'),
})
export type ForceCircuit = z.infer<typeof forceCircuitSchema>

export const engineInfoSchema = z.strictObject({
  id: z.string(),
  host: z.string(),
  pid: z.int(),
  version: z.string(),
  startedAtMs: z.int(),
  shards: z.array(z.int()),
})
export type EngineInfo = z.infer<typeof engineInfoSchema>

/** What a worker publishes of a module tool. */
export const toolManifestSchema = z.strictObject({
  spec: toolSpecSchema,
  effect: effectSchema,
  timeoutMs: z.int().positive().optional(),
  secrets: z.array(z.string()),
})
export type ToolManifest = z.infer<typeof toolManifestSchema>
