// What comes to a worker as a job, and how its outcomes leave it.
import { type Task, type TaskKind, taskSchema } from '@stepfleet/contracts'
import type { Claims, RunRecord } from './claims-port.ts'
import type { Logger } from './logger.ts'
import type { Sent, Spooled } from './spool.ts'

/** A task of this worker's kind, or null: logged, and its job is finished, since nothing else can be done with it. */
export const readTask = (job: { id: string; data: unknown }, kind: TaskKind, logger: Logger): Task | null => {
  const read = taskSchema.safeParse(job.data)
  if (read.success && read.data.kind === kind) return read.data
  const why = read.success ? `it is for ${read.data.kind} workers` : read.error.issues.slice(0, 3)
  logger.error({ job: job.id, why }, 'not a task: dropped')
  return null
}

/** Makes the payload (a blob may have to be written first), then reports. Repeats are recognised by the token. */
export const sendBy =
  (claims: Claims & RunRecord) =>
  async ({ token, command }: Spooled): Promise<Sent> => {
    const { ns, run, outcome } = command
    const { result, path, attempt, delivery } = outcome
    const ready =
      result.status === 'done' && 'value' in result.output
        ? { ...result, output: await claims.payload(ns, run, result.output.value) }
        : result
    const task = { ns, run, path, attempt, delivery }
    return claims.report(task, token, { ...command, outcome: { ...outcome, result: ready } })
  }
