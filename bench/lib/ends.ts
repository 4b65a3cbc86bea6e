// The ends of the chaos run: waits until every run has ended, and decides the cases that are left, as a person would.
import type { Expected } from '../checker.ts'
import { type Api, countRuns, expectOk, pause } from './http.ts'
import { readToolCalls } from './records.ts'

const ENDED = ['completed', 'failed', 'cancelled']
/** A late answer may still come: only what is open after this is left to a person. */
const LATE_MS = 3_000

interface Awaited extends Expected {
  /** What the tool gives for a `once` step that was called. */
  onceOutput: unknown
}

/**
 * A `once` step that had begun when its worker was stopped, and was not answered for after all: whether it was called is
 * not known. The person looks at the other side, which is the ledger: what was called has its result, what was not is
 * tried again. Gives how many cases that were.
 */
const decideCases = async (api: Api, runs: ReadonlyMap<string, Awaited>, effects: string): Promise<number> => {
  const { items } = expectOk(await api.get<{ items: { id: string }[] }>('/v1/runs?limit=200&status=escalated'))
  const called = new Set(readToolCalls(effects).map(({ key }) => key))
  let decided = 0
  for (const { id } of items) {
    const run = runs.get(id)
    for (const path of run?.oncePaths ?? []) {
      const step = `/v1/runs/${id}/steps/${encodeURIComponent(path)}`
      const answer = called.has(`default/${id}/${path}`)
        ? await api.post(`${step}/override`, { output: run?.onceOutput, by: 'chaos', reason: 'it was called' })
        : await api.post(`${step}/retry`, { by: 'chaos', reason: 'it was not called' })
      // a late answer may have closed it
      if (answer.status < 300) decided += 1
    }
  }
  return decided
}

/** Until all have ended, or the time is over. Gives how many cases a person had to decide. */
export const awaitEnds = async (
  api: Api,
  planned: readonly Awaited[],
  effects: string,
  limitMs: number,
): Promise<number> => {
  const runs = new Map(planned.map((one) => [one.run, one]))
  const startedMs = performance.now()
  let decided = 0
  while (performance.now() - startedMs < limitMs) {
    const counts = await Promise.all(ENDED.map((status) => countRuns(api, `status=${status}`).catch(() => 0)))
    if (counts.reduce((sum, count) => sum + count, 0) >= planned.length) return decided
    if (performance.now() - startedMs > LATE_MS) decided += await decideCases(api, runs, effects).catch(() => 0)
    await pause(500)
  }
  return decided
}
