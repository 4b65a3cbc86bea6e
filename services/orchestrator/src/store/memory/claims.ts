// Claims, reports and the run's record in memory.
import { fullRunId, type Json, type OutEntry, type TaskRef, taskId } from '@stepfleet/contracts'
import { type Claims, makePayload, type RunRecord } from '@stepfleet/runtime'
import { upcast } from '../upcast.ts'
import type { MemoryState } from './state.ts'

const entryOf = (state: MemoryState, task: TaskRef): OutEntry | undefined =>
  state.run(task.ns, task.run)?.out.get(task.path)

/** The entry when the task is out under this token. */
const heldEntry = (state: MemoryState, task: TaskRef, token: string): OutEntry | null => {
  const entry = entryOf(state, task)
  const held = entry?.attempt === task.attempt && entry.delivery === task.delivery && entry.token === token
  return entry && held ? entry : null
}

/** Ends the claim of an entry that goes or has reported, as far as no outcome ended it. */
export const unclaim = (state: MemoryState, task: Omit<TaskRef, 'attempt' | 'delivery'>, entry: OutEntry): void => {
  if (entry.worker === null || entry.reported) return
  const id = taskId({ ns: task.ns, run: task.run, path: task.path, attempt: entry.attempt, delivery: entry.delivery })
  state.shardOf(task.ns, task.run).claims.get(entry.worker)?.delete(id)
}

const createClaimsOnly = (state: MemoryState): Claims => ({
  claim: async (task, worker, token) => {
    const entry = entryOf(state, task)
    if (!entry) return { status: 'refused', why: 'not_out' }
    if (entry.attempt !== task.attempt || entry.delivery !== task.delivery) {
      return { status: 'refused', why: 'superseded' }
    }
    if (entry.reported) return { status: 'refused', why: 'reported' }
    if (entry.claimedAtMs !== null) {
      return entry.token === token ? { status: 'granted', atMs: entry.claimedAtMs } : { status: 'refused', why: 'held' }
    }
    const atMs = state.clock.nowMs()
    Object.assign(entry, { worker, claimedAtMs: atMs, token })
    const { claims, claimants } = state.shardOf(task.ns, task.run)
    claims.set(worker, (claims.get(worker) ?? new Set()).add(taskId(task)))
    claimants.add(worker)
    return { status: 'granted', atMs }
  },
  begin: async (task, token) => {
    const entry = heldEntry(state, task, token)
    if (!entry || entry.reported) return false
    entry.begun = true
    return true
  },
  report: async (task, token, command) => {
    const entry = heldEntry(state, task, token)
    if (entry?.reported) return 'repeat'
    if (entry) {
      unclaim(state, task, entry)
      entry.reported = true
      state.deliver(command)
      return 'reported'
    }
    const run = state.run(task.ns, task.run)
    if (run && command.outcome.claimedAtMs < run.head.createdAtMs) return 'late'
    if (run?.events.slice(-200).some((event) => event.command === command.id)) return 'repeat'
    if (!state.openReceipt(task.ns, task.run, command.id)) return 'repeat'
    state.deliver(command)
    return 'late'
  },
  stillOut: async (tasks) => tasks.map((task) => entryOf(state, task)?.attempt === task.attempt),
})

const createRunRecord = (state: MemoryState): RunRecord => {
  const blobsOf = (ns: string, run: string): Map<string, string> => {
    const blobs = state.blobs.get(fullRunId(ns, run)) ?? new Map<string, string>()
    state.blobs.set(fullRunId(ns, run), blobs)
    return blobs
  }
  return {
    events: async (ns, run, seqs) =>
      seqs.map((seq) => {
        const event = state.run(ns, run)?.events[seq - 1]
        if (!event) throw new Error(`the journal of ${ns}~${run} has no entry ${seq}`)
        return upcast({ ...event })
      }),
    blob: async (ns, run, sha) => {
      const text = blobsOf(ns, run).get(sha)
      if (text === undefined) throw new Error(`the run ${ns}~${run} has no blob ${sha}`)
      const value: Json = JSON.parse(text)
      return value
    },
    payload: (ns, run, value) =>
      makePayload(value, async (sha, text) => {
        blobsOf(ns, run).set(sha, text)
      }),
  }
}

export const createMemoryClaims = (state: MemoryState): Claims & RunRecord => ({
  ...createClaimsOnly(state),
  ...createRunRecord(state),
})
