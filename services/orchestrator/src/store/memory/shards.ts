// What the one owner of a shard needs, in memory.
import { fullRunId } from '@stepfleet/contracts'
import type { MailboxEntry, ShardStore } from '../port.ts'
import { buriedVerdict, discardedVerdict } from '../verdicts.ts'
import { acknowledge, appendToMemory } from './append.ts'
import { compareIds, type MemoryState } from './state.ts'

const own = (state: MemoryState, shard: number, engine: string, leaseMs: number) => {
  const { owner } = state.shard(shard)
  const now = state.clock.nowMs()
  if (owner.engine === engine) {
    owner.untilMs = now + leaseMs
    return { epoch: owner.epoch, taken: false, clean: owner.tookClean }
  }
  if (owner.engine !== null && owner.untilMs > now) return null
  owner.tookClean = owner.engine === null
  owner.engine = engine
  owner.untilMs = now + leaseMs
  owner.epoch += 1
  return { epoch: owner.epoch, taken: true, clean: owner.tookClean }
}

const ripen = (state: MemoryState, shard: number, engine: string, limit: number) => {
  const { due } = state.shard(shard)
  const now = state.clock.nowMs()
  const byTime = [...due].sort(([a, x], [b, y]) => x.atMs - y.atMs || (a < b ? -1 : 1))
  const ripe = byTime.filter(([, wake]) => wake.atMs <= now).slice(0, limit)
  for (const [full, { ns, run, atMs }] of ripe) {
    due.delete(full)
    state.deliver({ type: 'wake', id: `wake/${run}/${atMs}`, ns, run, by: { kind: 'engine', id: engine } })
  }
  return { moved: ripe.length, nextAtMs: byTime[ripe.length]?.[1].atMs ?? null }
}

const discard = (state: MemoryState, shard: number, entries: readonly string[]): void => {
  for (const { id, command } of state.shard(shard).mailbox) {
    if (!entries.includes(id) || !command.receipt) continue
    state.setReceipt(command.ns, command.run, command.id, discardedVerdict)
  }
  acknowledge(state, shard, entries)
}

const bury = (state: MemoryState, entry: MailboxEntry, why: string): void => {
  const { mailbox, dead } = state.shard(entry.shard)
  if (!mailbox.some(({ id }) => id === entry.id)) return
  dead.push({ entry, why })
  acknowledge(state, entry.shard, [entry.id])
  const { ns, run, id, receipt } = entry.command
  if (receipt) state.setReceipt(ns, run, id, buriedVerdict(why))
}

type Read = Pick<ShardStore, 'read' | 'interrupt'>

/** The only real timer here: a read waits `blockMs` of real time. */
const createRead = (state: MemoryState): Read => {
  let interrupted = false
  let wake: (() => void) | null = null
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        state.listeners.delete(end)
        wake = null
        resolve()
      }
      const timer = setTimeout(end, ms)
      state.listeners.add(end)
      wake = end
    })
  return {
    read: async (from, count, blockMs) => {
      const endMs = performance.now() + blockMs
      for (;;) {
        if (interrupted) {
          interrupted = false
          return []
        }
        const found = from.flatMap(({ shard, after }) =>
          state
            .shard(shard)
            .mailbox.filter((entry) => compareIds(entry.id, after) > 0)
            .slice(0, count),
        )
        const leftMs = endMs - performance.now()
        if (found.length > 0 || leftMs <= 0) return found
        await pause(leftMs)
      }
    },
    interrupt: () => {
      interrupted = true
      wake?.()
    },
  }
}

export const createMemoryShards = (state: MemoryState): ShardStore => ({
  ...createRead(state),
  own: async (shard, engine, leaseMs) => own(state, shard, engine, leaseMs),
  release: async (shard, engine, epoch) => {
    if (state.owns(shard, engine, epoch)) Object.assign(state.shard(shard).owner, { engine: null, untilMs: 0 })
  },
  left: async (shard, after, count) =>
    state
      .shard(shard)
      .mailbox.filter((entry) => compareIds(entry.id, after) > 0)
      .slice(0, count),
  append: async (appends) => appends.map((append) => appendToMemory(state, append)),
  discard: async (shard, engine, epoch, entries) => {
    if (state.owns(shard, engine, epoch)) discard(state, shard, entries)
  },
  ripen: async (shard, engine, epoch, limit) =>
    state.owns(shard, engine, epoch) ? ripen(state, shard, engine, limit) : { moved: 0, nextAtMs: null },
  unsent: async (shard, olderThanMs, limit) =>
    [...state.shard(shard).unsent.entries()]
      .filter(([, { sinceMs }]) => sinceMs <= state.clock.nowMs() - olderThanMs)
      .sort(([a, x], [b, y]) => x.sinceMs - y.sinceMs || (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([, { ns, run, message }]) => ({ ns, run, message })),
  sent: async (shard, messages) => {
    for (const { ns, run, message } of messages) {
      state.shard(shard).unsent.delete(`${fullRunId(ns, run)}|${message}`)
    }
  },
  putSnapshot: async (ns, run, seq, text) => {
    const found = state.run(ns, run)
    if (!found || seq > found.head.version || seq < found.head.snapshotSeq) return
    found.snapshot = { seq, text }
    found.head.snapshotSeq = seq
  },
  trial: async (shard, entry) => {
    const { trials } = state.shard(shard)
    const count = (trials.get(entry) ?? 0) + 1
    trials.set(entry, count)
    return count
  },
  bury: async (_shard, entry, why) => bury(state, entry, why),
  claimants: async (shard) => [...state.shard(shard).claimants],
  claimsOf: async (shard, worker) => [...(state.shard(shard).claims.get(worker) ?? [])],
  forgetClaimant: async (shard, worker) => {
    const { claims, claimants } = state.shard(shard)
    if ((claims.get(worker)?.size ?? 0) > 0) return
    claims.delete(worker)
    claimants.delete(worker)
  },
})
