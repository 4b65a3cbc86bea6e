// Outbox: messages whose append went through but that have not left. The owner makes them again from the journal.
import { fullRunId } from '@stepfleet/contracts'
import type { Logger, Publisher } from '@stepfleet/runtime'
import type { Store } from '../store/port.ts'
import { type JudgeDeps, remake, sorted } from './judge.ts'
import type { Plans } from './plans.ts'
import { loadRun } from './runs.ts'

/** A message is late when it has not left after this. */
const LATE_MS = 2_000
const BATCH = 200

export interface OutboxDeps extends JudgeDeps {
  store: Store
  publisher: Publisher
  plans: Plans
  logger: Logger
}

interface Late {
  ns: string
  run: string
}

const remembered = <T>(load: (of: Late) => Promise<T>): ((of: Late) => Promise<T>) => {
  const known = new Map<string, Promise<T>>()
  return (of) => {
    const key = fullRunId(of.ns, of.run)
    const loading = known.get(key) ?? load(of)
    known.set(key, loading)
    return loading
  }
}

/** Publishes what stays unsent in a shard. `lateMs` 0: all of it, when the shard has just been taken. */
export const sendLate = async (deps: OutboxDeps, shard: number, lateMs: number = LATE_MS): Promise<number> => {
  const late = await deps.store.unsent(shard, lateMs, BATCH)
  // loaded anew, once each: the cached state may be ahead of what is appended, and a wide run takes a second
  const load = remembered(({ ns, run }: Late) => loadRun(deps, ns, run))
  for (const { ns, run, message } of late) {
    const loaded = await load({ ns, run })
    const [event] = loaded ? await deps.store.journal(ns, run, Number(message), 1) : []
    const messages = loaded && event ? await remake(deps, loaded, event) : []
    const { jobs, others } = sorted(messages)
    await deps.publisher.publish(jobs)
    for (const other of others) await deps.outside.leave({ ns, run, seq: Number(message) }, other)
  }
  if (late.length > 0) {
    await deps.store.sent(shard, late)
    deps.logger.info({ shard, messages: late.length }, 'late messages sent')
  }
  return late.length
}
