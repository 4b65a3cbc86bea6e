// observe: what a wake must know of the tasks it looks at: their `out` fields, and whether unclaimed ones still have a job.
import { type Observation, taskId } from '@stepfleet/contracts'
import { dueChecks, lastAttempt } from '@stepfleet/engine'
import type { Publisher } from '@stepfleet/runtime'
import type { Store } from '../store/port.ts'
import type { LoadedRun } from './runs.ts'

interface ObserveDeps {
  store: Pick<Store, 'out'>
  publisher: Pick<Publisher, 'findJob'>
}

/** The tasks out at these paths, as their fields say now. */
const look = async (deps: ObserveDeps, run: LoadedRun, paths: readonly string[]): Promise<Map<string, Observation>> => {
  const seen = new Map<string, Observation>()
  if (paths.length === 0) return seen
  const out = await deps.store.out(run.ns, run.run, paths)
  for (const path of paths) {
    const entry = out.get(path)
    const step = run.state.steps.get(path)
    const last = step && lastAttempt(step)
    if (!entry || !step?.queue || !last) continue
    const task = taskId({ ns: run.ns, run: run.run, path, attempt: last.attempt, delivery: last.delivery })
    const { claimedAtMs, begun, reported } = entry
    seen.set(path, { task, claimedAtMs, begun, reported, jobMissing: false })
  }
  return seen
}

const isUnclaimed = ({ claimedAtMs, reported }: Observation): boolean => claimedAtMs === null && !reported

/**
 * A job that was taken and is still unclaimed is a dead worker's: its claim comes within a millisecond, and should it come
 * all the same, the next delivery has superseded it. But while jobs were looked for, a live worker may have claimed
 * what was unclaimed before, and its call would be made twice: so the fields are read once more behind the search.
 */
export const observe = async (
  deps: ObserveDeps,
  run: LoadedRun,
  nowMs: number,
): Promise<ReadonlyMap<string, Observation>> => {
  const seen = await look(deps, run, dueChecks(run.state, nowMs))
  const gone: string[] = []
  for (const [path, one] of seen) {
    const queue = run.state.steps.get(path)?.queue
    if (!queue || !isUnclaimed(one)) continue
    if ((await deps.publisher.findJob(queue, one.task)) !== 'waiting') gone.push(path)
  }
  for (const [path, one] of await look(deps, run, gone)) seen.set(path, { ...one, jobMissing: isUnclaimed(one) })
  return seen
}
