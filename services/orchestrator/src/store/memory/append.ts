// Append in memory: the checks and the effects of append.8.lua, in its order.
import { fullRunId, runKeys } from '@stepfleet/contracts'
import { checkAppend } from '../append-rules.ts'
import type { Append, Appended } from '../port.ts'
import { unclaim } from './claims.ts'
import type { MemoryRun, MemoryState } from './state.ts'

/** Fields of `out` set and removed; the claims that no outcome has ended go with them. */
const changeOut = (state: MemoryState, { ns, run, out, endedAtMs }: Append, found: MemoryRun): void => {
  const ended = endedAtMs !== null
  for (const path of [...out.set.map((set) => set.path), ...out.remove, ...(ended ? found.out.keys() : [])]) {
    const entry = found.out.get(path)
    if (entry) unclaim(state, { ns, run, path }, entry)
    found.out.delete(path)
  }
  if (ended) return
  for (const { path, attempt, delivery } of out.set) {
    const unclaimed = { worker: null, claimedAtMs: null, token: null, begun: false, reported: false }
    found.out.set(path, { attempt, delivery, ...unclaimed })
  }
}

/** Takes entries out of a shard's mailbox: whatever is in it is unserved. */
export const acknowledge = (state: MemoryState, shard: number, ids: readonly string[]): void => {
  const { mailbox, trials } = state.shard(shard)
  for (const id of ids) {
    const at = mailbox.findIndex((entry) => entry.id === id)
    if (at >= 0) mailbox.splice(at, 1)
    trials.delete(id)
  }
}

export const appendToMemory = (state: MemoryState, append: Append): Appended => {
  checkAppend(append)
  const { ns, run, expect, events, unsent, wakeAtMs } = append
  const { shard } = runKeys(ns, run)
  if (!state.owns(shard, append.engine, append.epoch)) return 'deposed'
  const found = state.run(ns, run)
  if (events.length > 0 && found?.head.tip === append.tip) return 'repeat'
  if (!found || found.head.version !== expect.version || found.head.tip !== expect.tip) return 'conflict'
  const { head } = found
  if (events.length > 0) {
    for (const event of events) found.events.push(event)
    head.version += events.length
    head.tip = append.tip
  }
  head.status = append.status.to
  changeOut(state, append, found)
  if (append.endedAtMs !== null) head.endedAtMs = append.endedAtMs
  const full = fullRunId(ns, run)
  const kept = state.shard(shard)
  if (wakeAtMs === null) kept.due.delete(full)
  else if (wakeAtMs !== undefined) kept.due.set(full, { ns, run, atMs: wakeAtMs })
  for (const message of unsent) {
    kept.unsent.set(`${full}|${message}`, { ns, run, message, sinceMs: state.clock.nowMs() })
  }
  acknowledge(state, shard, append.ack)
  for (const { command, verdict } of append.receipts) state.setReceipt(ns, run, command, verdict)
  return 'appended'
}
