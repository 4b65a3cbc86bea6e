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
