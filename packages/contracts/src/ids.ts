// Ids and paths: their grammar, and the compound ids built from them.
import { z } from 'zod'

export const STEP_NAME = /^[a-z][a-z0-9_]{0,47}$/
export const SCOPE_ID = /^[A-Za-z0-9_-]{1,128}$/
/** A step path: `search[3]`, `draft/iter-2`, `work/turn-17/llm`, `work/turn-17/tool-0`. */
export const STEP_PATH = /^[a-z][a-z0-9_-]*(\[\d+\])?(\/[a-z][a-z0-9_-]*(\[\d+\])?)*$/

export const namespaceSchema = z.string().regex(SCOPE_ID, 'a namespace is 1 to 128 of A-Z a-z 0-9 _ -')
export const runIdSchema = z.string().regex(SCOPE_ID, 'a run id is 1 to 128 of A-Z a-z 0-9 _ -')
export const stepPathSchema = z.string().max(512).regex(STEP_PATH, 'not a step path')

export const DEFAULT_NAMESPACE = 'default'

/** What a task id says: one delivery of one attempt of one step. */
export interface TaskRef {
  ns: string
  run: string
  path: string
  /** from 1 */
  attempt: number
  /** from 1 */
  delivery: number
}

/** The full id of a run, `<ns>~<run>`. */
export const fullRunId = (ns: string, run: string): string => `${ns}~${run}`

/** Task id and BullMQ job id, `<ns>~<run>.<step>.<attempt>.<delivery>`. */
export const taskId = (ref: TaskRef): string => `${ref.ns}~${ref.run}.${ref.path}.${ref.attempt}.${ref.delivery}`

const TASK_ID = /^([A-Za-z0-9_-]+)~([A-Za-z0-9_-]+)\.(.+)\.(\d+)\.(\d+)$/

/** The parts of a task id, or null when it is none. */
export const parseTaskId = (id: string): TaskRef | null => {
  const match = TASK_ID.exec(id)
  if (!match) return null
  const [, ns = '', run = '', path = '', attempt = '', delivery = ''] = match
  return { ns, run, path, attempt: Number(attempt), delivery: Number(delivery) }
}

/**
 * The idempotency key handed to tools and providers, `<ns>/<run>/<step>`: the same for every attempt and
 * delivery. Only an operator's edit of the input makes a new one: `edition` 2 gives `…~2`.
 */
export const effectKey = (ns: string, run: string, path: string, edition = 1): string =>
  edition === 1 ? `${ns}/${run}/${path}` : `${ns}/${run}/${path}~${edition}`
