// The store as the engine's driver and the API see it. Two keep it: memory (tests, simulation) and Redis.
// One conformance suite (conformance.ts) runs against both. What each call promises is written here.
import type { Command, CommandOf, Event, Json, OutEntry, RunStatus, Verdict, WorkflowRef } from '@stepfleet/contracts'

/** The head of a run: derived from its journal, written by the same append. */
export interface RunHead {
  ns: string
  run: string
  status: RunStatus
  /** Sequence of the last event; 0 before the first. */
  version: number
  /** Random id of the last append (or of the submit): a version alone can lie after a fail-over. */
  tip: string
  workflow: WorkflowRef
  labels: Record<string, string>
  createdAtMs: number
  endedAtMs: number | null
  /** Hash of the request that made it; tells a repeat from a conflict. */
  fingerprint: string
  /** Sequence the newest snapshot stands at; 0: none. */
  snapshotSeq: number
}

export interface Submission {
  command: CommandOf<'start'>
  fingerprint: string
  /** A new random tip. */
  tip: string
  /**
   * `restart`: an ended run of the same id is deleted first, in the same script: journal, out, snapshot, due, unsent,
   * and its blobs but the one the new input names.
   */
  onConflict: 'reject' | 'restart'
}
/** `exists`: nothing was written; the caller compares fingerprints. A repeat, known by its tip, is `created` again. */
export type Submitted = { status: 'created'; head: RunHead } | { status: 'exists'; head: RunHead }

/** A command waiting in a mailbox. `atMs` is the Redis time of its arrival: the engine's `now`. */
export interface MailboxEntry {
  shard: number
  /** Stream id `<ms>-<n>`; later entries compare greater. */
  id: string
  atMs: number
  command: Command
}

/** One run's new facts and all that is derived from them, written by one script or not at all. */
export interface Append {
  ns: string
  run: string
  /** Epoch of the ownership this append is made under. */
  epoch: number
  engine: string
  expect: { version: number; tip: string }
  /** New random tip. With no events the tip and version stay as they are. */
  tip: string
  /**
   * Sequences continue at expect.version + 1, else the store throws. May be empty: then only acks, receipts, wake,
   * unsent are written, and a change of `status` or `out` throws, since no tip would tell its repeat.
   */
  events: readonly Event[]
  /** `from` is what the fold said; the index entry that goes is the one the head names. */
  status: { from: RunStatus; to: RunStatus }
  /** Set exactly when `status.to` is an end. */
  endedAtMs: number | null
  /** Fields set (a dispatch, or the next delivery) and removed in `out`. An ended run's `out` is deleted. */
  out: { set: readonly { path: string; attempt: number; delivery: number }[]; remove: readonly string[] }
  /** The run's next wake in Redis time; null: none; undefined: leave as it is. */
  wakeAtMs: number | null | undefined
  /** Names of messages that must leave; see `unsent`. */
  unsent: readonly string[]
  /** Mailbox entries served by this append. */
  ack: readonly string[]
  receipts: readonly { command: string; verdict: Verdict }[]
}

/**
 * `appended`; `repeat`: this very append (by its tip) was there already, nothing was added; `conflict`: version
 * or tip differ, drop the cached state and load it again; `deposed`: another engine owns the shard.
 */
export type Appended = 'appended' | 'repeat' | 'conflict' | 'deposed'

export interface RunFilter {
  status?: RunStatus | undefined
  workflow?: string | undefined
  labels?: Record<string, string> | undefined
  sinceMs?: number | undefined
  untilMs?: number | undefined
}
export interface Page<T> {
  items: T[]
  /** Opaque; null: this was the last page. */
  cursor: string | null
}

export interface StoredDefinition {
  name: string
  version: number | null
  hash: string
  /** Canonical JSON of the definition. */
  definition: Json
  createdAtMs: number
}

/** What callers need: submit, ask, read. */
export interface RunReader {
  submit(submission: Submission): Promise<Submitted>
  /** Puts a command into its run's mailbox; one that asks a receipt once in 24 h, a repeat adds nothing. */
  send(command: Command): Promise<void>
  receipt(ns: string, run: string, command: string): Promise<Verdict | null>
  head(ns: string, run: string): Promise<RunHead | null>
  /** Events with `from <= seq`, at most `limit`, upcast to today's version. */
  journal(ns: string, run: string, from: number, limit: number): Promise<Event[]>
  /** All of a run's `out`, or the named paths. */
  out(ns: string, run: string, paths?: readonly string[]): Promise<Map<string, OutEntry>>
  /**
   * Newest first, by time and id; all conditions together, `sinceMs` and `untilMs` inclusive. A page may be short and
   * still have a cursor, when too much had to be looked through. Throws BadCursorError.
   */
  list(ns: string, filter: RunFilter, limit: number, cursor: string | null): Promise<Page<RunHead>>
  putBlob(ns: string, run: string, sha: string, text: string): Promise<void>
  blob(ns: string, run: string, sha: string): Promise<Json | null>
  snapshot(ns: string, run: string): Promise<{ seq: number; text: string } | null>
  /** Redis time. */
  now(): Promise<number>
}

export interface DefinitionStore {
  /** Equal content of the newest version gives that version again (`created: false`). */
  register(ns: string, name: string, hash: string, text: string): Promise<{ version: number; created: boolean }>
  /** Kept by hash, not listed: a definition that came with a run. */
  keep(ns: string, hash: string, text: string): Promise<void>
  /** `version` null: the newest. */
  definition(ns: string, name: string, version: number | null): Promise<StoredDefinition | null>
  byRef(ns: string, ref: WorkflowRef): Promise<Json | null>
  definitions(ns: string): Promise<{ name: string; latest: number }[]>
}

/** What the one owner of a shard needs. */
export interface ShardStore {
  /**
   * Takes or renews the lease of a shard: the epoch, or null while another engine's lease runs (Redis time).
   * Taking it (not renewing) counts the epoch up; `clean` tells whether the last owner released it (or there was
   * none). An engine whose lease ran out while nobody came renews. Engine ids are of one process life. `taken`: this
   * store has not told this engine of the epoch before; what counts is whether the epoch is the one it holds.
   */
  own(shard: number, engine: string, leaseMs: number): Promise<{ epoch: number; taken: boolean; clean: boolean } | null>
  release(shard: number, engine: string, epoch: number): Promise<void>
  /**
   * Entries after each given stream id (exclusive), in order within a shard, at most `count` of each; waits up to
   * `blockMs` (at most 10 s) when there are none. Whatever is in a mailbox is unserved: a new owner reads from `0`.
   * One read at a time. An entry that is no command at all goes to `dead` and is not answered.
   */
  read(from: readonly { shard: number; after: string }[], count: number, blockMs: number): Promise<MailboxEntry[]>
  /** Like `read` of one shard, without waiting; it may run beside a `read`. For what a dead owner left behind. */
  left(shard: number, after: string, count: number): Promise<MailboxEntry[]>
  /** Pipelined; each answers for itself. Appends of one run must not be in flight side by side. */
  append(appends: readonly Append[]): Promise<Appended[]>
  /** Acknowledges entries of runs that do not exist, under the epoch; who waits is refused with `unknown_run`. */
  discard(shard: number, engine: string, epoch: number, entries: readonly string[]): Promise<void>
  /** Moves ripe runs from `due` into the mailbox as `wake` commands; the next due time, or null. Nothing when deposed. */
  ripen(
    shard: number,
    engine: string,
    epoch: number,
    limit: number,
  ): Promise<{ moved: number; nextAtMs: number | null }>
  /** Messages of `append` that have not been marked `sent` and are older than `olderThanMs`. */
  unsent(shard: number, olderThanMs: number, limit: number): Promise<{ ns: string; run: string; message: string }[]>
  sent(shard: number, messages: readonly { ns: string; run: string; message: string }[]): Promise<void>
  /** Ignored when a later one is kept, or the journal does not reach `seq`. */
  putSnapshot(ns: string, run: string, seq: number, text: string): Promise<void>
  /** Counts one more trial of an entry, durably, and answers the count. Forgotten when the entry is served. */
  trial(shard: number, entry: string): Promise<number>
  /** Moves an entry to `dead` with the reason; the rest of the shard goes on. Who waits is refused. */
  bury(shard: number, entry: MailboxEntry, why: string): Promise<void>
  /** Workers that hold, or held, claims in the shard. */
  claimants(shard: number): Promise<string[]>
  /** Task ids a worker holds in the shard. */
  claimsOf(shard: number, worker: string): Promise<string[]>
  /** Forgets a worker whose claims are gone; one that still holds any stays. */
  forgetClaimant(shard: number, worker: string): Promise<void>
  /** Interrupts a waiting `read`, which then answers nothing; when none waits, the next one. */
  interrupt(): void
}

export interface Store extends RunReader, DefinitionStore, ShardStore {
  /** Ends what the store opened, not the connection it was given. */
  close(): Promise<void>
}
