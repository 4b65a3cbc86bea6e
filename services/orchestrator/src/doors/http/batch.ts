// A batch of submits: each item is judged and answered on its own, in the order it came.

import { type batchResultSchema, submitRunSchema } from '@stepfleet/contracts'
import type { z } from 'zod'
import { summaryOf } from '../../views/summary.ts'
import type { HttpContext } from './context.ts'
import { errorsOfZod, problemOf, Rejection, rejectionOf } from './problems.ts'
import { type Caller, refuseLater, submitRun } from './submit.ts'

type Result = z.infer<typeof batchResultSchema>['results'][number]

/** Submits in flight at once: enough to fill a pipeline, few enough to leave room for others. */
const IN_FLIGHT = 32

const submitItem = async (context: HttpContext, ns: string, item: unknown, caller: Caller): Promise<Result> => {
  try {
    refuseLater(item)
    const wanted = submitRunSchema.safeParse(item, { reportInput: true })
    if (!wanted.success) {
      const errors = errorsOfZod(wanted.error, '', Object.keys(submitRunSchema.shape))
      throw new Rejection('bad_request', 'the run does not fit', { errors })
    }
    const { status, head } = await submitRun(context, ns, wanted.data, caller)
    return { status, run: summaryOf(head) }
  } catch (error) {
    const rejection = rejectionOf(error)
    if (rejection.code === 'internal_error') context.logger.error({ err: error }, 'submit of a batch failed')
    const problem = problemOf(rejection, undefined)
    return { status: problem.status, problem }
  }
}

const idOf = (item: unknown): string | null =>
  item !== null && typeof item === 'object' && 'id' in item && typeof item.id === 'string' ? item.id : null

/**
 * Submits every item; with an Idempotency-Key each has a key of its own, by its place. Items of the same id go one
 * after another, so the first of them makes the run. Once the fleet cannot be reached, the rest is not tried.
 */
export const runBatch = async (
  context: HttpContext,
  ns: string,
  items: readonly unknown[],
  { key, trace }: Caller,
): Promise<Result[]> => {
  const results: Result[] = new Array(items.length)
  const lastOf = new Map<string, Promise<unknown>>()
  let away: Result | null = null
  const one = async (item: unknown, i: number, before: Promise<unknown> | undefined): Promise<void> => {
    await before
    const result =
      away ?? (await submitItem(context, ns, item, { key: key === undefined ? undefined : `${key}#${i}`, trace }))
    if (result.problem?.code === 'fleet_unavailable') away = result
    results[i] = result
  }
  const running = new Set<Promise<void>>()
  for (const [i, item] of items.entries()) {
    const id = idOf(item)
    const done = one(item, i, id === null ? undefined : lastOf.get(id)).finally(() => running.delete(done))
    if (id !== null) lastOf.set(id, done)
    running.add(done)
    if (running.size >= IN_FLIGHT) await Promise.race(running)
  }
  await Promise.all(running)
  return results
}
