// The command that carries an outcome to the mailbox: always one that the engine can read.

import { createHash } from 'node:crypto'
import {
  type Carrier,
  type CommandOf,
  type Failure,
  failure,
  type Json,
  LIMITS,
  type Outcome,
  outcomeSchema,
  type Task,
  taskId,
  type Usage,
} from '@stepfleet/contracts'
import { redact } from './logger.ts'
import type { Result } from './task-worker-conclude.ts'

const invalidOutput = (why: string): Result => ({
  status: 'failed',
  failure: failure('tool_output_invalid', `the output is no JSON value: ${why}`),
})

const checkedOutput = (result: Extract<Result, { status: 'done' }>): Result => {
  if (!('value' in result.output)) return result
  try {
    const text: string | undefined = JSON.stringify(result.output.value)
    if (text === undefined) return invalidOutput(`it is ${typeof result.output.value}`)
    const bytes = Buffer.byteLength(text)
    if (bytes <= LIMITS.payloadBytes) return result
    const message = `the output is ${bytes} bytes of JSON, the limit is ${LIMITS.payloadBytes}`
    return { status: 'failed', failure: failure('payload_too_large', message) }
  } catch (error) {
    return invalidOutput(error instanceof Error ? error.message : String(error))
  }
}

const redactedJson = (value: Json): Json | undefined => {
  try {
    const read: Json = JSON.parse(redact(JSON.stringify(value)))
    return read
  } catch {
    // no JSON value, or a secret that is JSON syntax itself: better no details than odd ones
    return undefined
  }
}

// A failure's text may quote what the other side said, and that may quote a secret.
const redacted = ({ details, message, ...rest }: Failure): Failure => {
  const kept = details === undefined ? undefined : redactedJson(details)
  return { ...rest, message: redact(message).slice(0, 2_000), ...(kept === undefined ? {} : { details: kept }) }
}

/** A result that can be sent: an output that is no JSON or too large becomes a failure, secrets leave failures. */
export const reportable = (result: Result): Result => {
  switch (result.status) {
    case 'done':
      return checkedOutput(result)
    case 'failed':
      return { status: 'failed', failure: redacted(result.failure) }
    case 'released':
      return { ...result, why: redact(result.why) }
  }
}

export interface OutcomeClaim {
  worker: string
  token: string
  /** Redis time. */
  claimedAtMs: number
  durationMs: number
  /** The attempt's span. */
  trace?: Carrier | undefined
}

/** Command ids are at most 600 characters; task ids of deep paths are longer. */
const commandId = (task: Task, token: string): string => {
  const id = `${taskId(task)}.${token}`
  return id.length <= 600 ? id : `outcome.${createHash('sha256').update(id).digest('hex')}`
}

const problemOf = (outcome: Outcome): string | null => {
  // nothing in it is of the handler's making but the output, which is known to be JSON
  if (outcome.result.status === 'done' && outcome.usage === undefined) return null
  const read = outcomeSchema.safeParse(outcome)
  return read.success ? null : read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
}

/**
 * The outcome as a command. What a handler made up so that it does not fit the schema would be a command that no
 * engine can read: an odd usage (a negative count) is left out, an odd failure (an unknown code) is reported as one
 * that says so. `problem` is for the log.
 */
export const outcomeCommand = (
  task: Task,
  claim: OutcomeClaim,
  result: Result,
  usage: Usage | undefined,
): { command: CommandOf<'outcome'>; problem: string | null } => {
  const { ns, run, path, attempt, delivery } = task
  const { worker, token, claimedAtMs, durationMs, trace } = claim
  const base = { path, attempt, delivery, worker, claimedAtMs, durationMs }
  const given: Outcome = { ...base, ...(usage ? { usage } : {}), result }
  const problem = problemOf(given)
  const odd = failure('engine_failure', `the worker's outcome does not fit its schema: ${problem}`)
  const unpaid: Outcome = { ...base, result }
  const fallback = (): Outcome =>
    problemOf(unpaid) === null ? unpaid : { ...base, result: { status: 'failed', failure: odd } }
  const command: CommandOf<'outcome'> = {
    type: 'outcome',
    id: commandId(task, token),
    ns,
    run,
    by: { kind: 'worker', id: worker },
    ...(trace ? { trace } : {}),
    outcome: problem === null ? given : fallback(),
  }
  return { command, problem }
}
