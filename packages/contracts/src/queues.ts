// The typed catalogue of queues: the queue is the thing that fails or is limited.
import type { EscalationNotice } from './escalation.ts'
import { escalationNoticeSchema } from './escalation.ts'
import type { Task } from './task.ts'
import { taskSchema } from './task.ts'

/** Payload schema of each queue kind. A kind without a handler does not compile. */
export const QUEUE_PAYLOADS = {
  llm: taskSchema,
  tool: taskSchema,
  escalations: escalationNoticeSchema,
} as const
export type QueueKind = keyof typeof QUEUE_PAYLOADS
export type QueuePayload = { llm: Task; tool: Task; escalations: EscalationNotice }

export const ESCALATIONS_QUEUE = 'escalations'

/**
 * The queue of a model, `llm.<provider>.<model>`. `model` is `<provider>/<model>`. BullMQ allows no `:` in a name; no model
 * has a `~`, so two models never share a queue.
 */
export const llmQueue = (model: string): string => {
  const cut = model.indexOf('/')
  return `llm.${model.slice(0, cut)}.${model.slice(cut + 1).replaceAll(':', '~')}`
}

/** Tools that every tool-worker has. A callback is told of by HTTP. */
export const BUILT_IN_TOOLS: ReadonlySet<string> = new Set(['http', 'callback'])

/** The queue of a tool: `tool.http` for the built-in ones, `tool.module` for every module tool. */
export const toolQueue = (tool: string): string => (BUILT_IN_TOOLS.has(tool) ? 'tool.http' : 'tool.module')

const SUSPECT = 'suspect.'

/**
 * Where a task goes that two workers died with: each worker takes one of these at a time, so what kills a worker there
 * takes no other suspect with it.
 */
export const suspectQueue = (queue: string): string => `${SUSPECT}${queue}`
export const isSuspectQueue = (queue: string): boolean => queue.startsWith(SUSPECT)

/** The kind of a queue by its name, or null. */
export const queueKind = (name: string): QueueKind | null => {
  if (isSuspectQueue(name)) return queueKind(name.slice(SUSPECT.length))
  if (name === ESCALATIONS_QUEUE) return 'escalations'
  if (name.startsWith('llm.')) return 'llm'
  return name.startsWith('tool.') ? 'tool' : null
}

/** Key prefix that gives each BullMQ queue a hash tag of its own. */
export const queuePrefix = (name: string): string => `sf:{q:${name}}`
