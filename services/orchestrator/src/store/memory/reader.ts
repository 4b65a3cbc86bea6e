// What callers need of a run, in memory: submit, ask, read.
import { fullRunId, hasEnded, isBlob, type Json } from '@stepfleet/contracts'
import type { Page, RunFilter, RunHead, RunReader, Submission, Submitted } from '../port.ts'
import { formatCursor, matches, newestFirst, parseCursor } from '../run-order.ts'
import { upcast } from '../upcast.ts'
import type { MemoryState } from './state.ts'

const forget = (state: MemoryState, ns: string, run: string, keptBlob: string | null): void => {
  const full = fullRunId(ns, run)
  const { due, unsent } = state.shardOf(ns, run)
  due.delete(full)
  for (const [key, message] of unsent) if (message.ns === ns && message.run === run) unsent.delete(key)
  const blobs = state.blobs.get(full)
  for (const sha of blobs?.keys() ?? []) if (sha !== keptBlob) blobs?.delete(sha)
  state.runs.delete(full)
}

const submit = (state: MemoryState, { command, tip, fingerprint, onConflict }: Submission): Submitted => {
  const { ns, run, workflow, labels, input } = command
  const was = state.run(ns, run)
  if (was) {
    if (was.submitTip === tip) return { status: 'created', head: { ...was.head } }
    if (onConflict !== 'restart' || !hasEnded(was.head.status)) return { status: 'exists', head: { ...was.head } }
    forget(state, ns, run, isBlob(input) ? input.blob : null)
  }
  const head: RunHead = {
    ...{ ns, run, status: 'queued', version: 0, tip, workflow, labels, fingerprint },
    ...{ createdAtMs: state.clock.nowMs(), endedAtMs: null, snapshotSeq: 0 },
  }
  state.runs.set(fullRunId(ns, run), { head, submitTip: tip, events: [], out: new Map(), snapshot: null })
  state.deliver(command)
  return { status: 'created', head: { ...head } }
}

const list = (state: MemoryState, ns: string, filter: RunFilter, from: { limit: number; cursor: string | null }) => {
  const after = from.cursor === null ? null : parseCursor(from.cursor)
  const all = [...state.runs.values()]
    .map((run) => run.head)
    .filter((head) => head.ns === ns && matches(head, filter) && (!after || newestFirst(after, head) < 0))
    .sort(newestFirst)
  const items = all.slice(0, from.limit).map((head) => ({ ...head }))
  const last = items.at(-1)
  const page: Page<RunHead> = { items, cursor: last && all.length > items.length ? formatCursor(last) : null }
  return page
}

export const createMemoryReader = (state: MemoryState): RunReader => ({
  submit: async (submission) => submit(state, submission),
  send: async (command) => {
    if (command.receipt && !state.openReceipt(command.ns, command.run, command.id)) return
    state.deliver(command)
  },
  receipt: async (ns, run, command) => state.receipt(ns, run, command),
  head: async (ns, run) => {
    const found = state.run(ns, run)
    return found ? { ...found.head } : null
  },
  journal: async (ns, run, from, limit) =>
    (state.run(ns, run)?.events ?? [])
      .slice(Math.max(from - 1, 0), Math.max(from - 1, 0) + limit)
      .map((event) => upcast({ ...event })),
  out: async (ns, run, paths) => {
    const out = state.run(ns, run)?.out ?? new Map()
    const wanted = paths ? [...out].filter(([path]) => paths.includes(path)) : [...out]
    return new Map(wanted.map(([path, entry]) => [path, { ...entry }]))
  },
  list: async (ns, filter, limit, cursor) => list(state, ns, filter, { limit, cursor }),
  putBlob: async (ns, run, sha, text) => {
    const full = fullRunId(ns, run)
    const blobs = state.blobs.get(full) ?? new Map<string, string>()
    state.blobs.set(full, blobs.set(sha, text))
  },
  blob: async (ns, run, sha) => {
    const text = state.blobs.get(fullRunId(ns, run))?.get(sha)
    if (text === undefined) return null
    const value: Json = JSON.parse(text)
    return value
  },
  snapshot: async (ns, run) => {
    const snapshot = state.run(ns, run)?.snapshot
    return snapshot ? { ...snapshot } : null
  },
  now: async () => state.clock.nowMs(),
})
