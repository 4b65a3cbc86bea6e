// What the memory store keeps: shards and runs as Redis would hold them, and the mailboxes' arrivals.
import { type Command, type Event, fullRunId, type OutEntry, runKeys, SHARDS, type Verdict } from '@stepfleet/contracts'
import type { MailboxEntry, RunHead } from '../port.ts'

/** Stands for Redis's TIME. */
export interface Clock {
  nowMs(): number
}

export interface MemoryRun {
  head: RunHead
  /** Tip of the submit that made it: a repeat is known by it. */
  submitTip: string
  events: Event[]
  out: Map<string, OutEntry>
  snapshot: { seq: number; text: string } | null
}

export interface Unsent {
  ns: string
  run: string
  message: string
  sinceMs: number
}

export interface MemoryShard {
  /** `engine` null: released, or never owned. */
  owner: { engine: string | null; epoch: number; untilMs: number; tookClean: boolean }
  mailbox: MailboxEntry[]
  lastId: { ms: number; n: number }
  due: Map<string, { ns: string; run: string; atMs: number }>
  unsent: Map<string, Unsent>
  /** By `<ns>~<run>/<command id>`; a null verdict: sent, not yet judged. */
  receipts: Map<string, { verdict: Verdict | null; untilMs: number }>
  trials: Map<string, number>
  dead: { entry: MailboxEntry; why: string }[]
  claims: Map<string, Set<string>>
  claimants: Set<string>
}

const RECEIPT_MS = 86_400_000

const emptyShard = (): MemoryShard => ({
  owner: { engine: null, epoch: 0, untilMs: 0, tookClean: false },
  mailbox: [],
  lastId: { ms: 0, n: 0 },
  due: new Map(),
  unsent: new Map(),
  receipts: new Map(),
  trials: new Map(),
  dead: [],
  claims: new Map(),
  claimants: new Set(),
})

/** Orders stream ids `<ms>-<n>`. `0` is before all. */
export const compareIds = (a: string, b: string): number => {
  const [aMs = 0, aN = 0] = a.split('-').map(Number)
  const [bMs = 0, bN = 0] = b.split('-').map(Number)
  return aMs - bMs || aN - bN
}

export class MemoryState {
  readonly clock: Clock
  readonly runs = new Map<string, MemoryRun>()
  /** By full run id: a blob may be there before its run. */
  readonly blobs = new Map<string, Map<string, string>>()
  /** Called at each arrival in any mailbox. */
  readonly listeners = new Set<() => void>()
  private readonly shards: readonly MemoryShard[]

  constructor(clock: Clock) {
    this.clock = clock
    this.shards = Array.from({ length: SHARDS }, emptyShard)
  }

  shard(shard: number): MemoryShard {
    const found = this.shards[shard]
    if (!found) throw new Error(`no shard ${shard}`)
    return found
  }

  shardOf(ns: string, run: string): MemoryShard {
    return this.shard(runKeys(ns, run).shard)
  }

  run(ns: string, run: string): MemoryRun | undefined {
    return this.runs.get(fullRunId(ns, run))
  }

  owns(shard: number, engine: string, epoch: number): boolean {
    const { owner } = this.shard(shard)
    return owner.engine === engine && owner.epoch === epoch
  }

  /** Adds to the mailbox of the command's run, behind what waits there. Ids never run back, whatever the clock does. */
  deliver(command: Command): void {
    const { shard } = runKeys(command.ns, command.run)
    const { mailbox, lastId } = this.shard(shard)
    const ms = Math.max(this.clock.nowMs(), lastId.ms)
    lastId.n = ms === lastId.ms ? lastId.n + 1 : 0
    lastId.ms = ms
    mailbox.push({ shard, id: `${ms}-${lastId.n}`, atMs: ms, command })
    for (const listener of [...this.listeners]) listener()
  }

  /** False: there is one already. */
  openReceipt(ns: string, run: string, command: string): boolean {
    const { receipts } = this.shardOf(ns, run)
    const key = `${fullRunId(ns, run)}/${command}`
    const known = receipts.get(key)
    if (known && known.untilMs > this.clock.nowMs()) return false
    receipts.set(key, { verdict: null, untilMs: this.clock.nowMs() + RECEIPT_MS })
    return true
  }

  setReceipt(ns: string, run: string, command: string, verdict: Verdict): void {
    const key = `${fullRunId(ns, run)}/${command}`
    this.shardOf(ns, run).receipts.set(key, { verdict, untilMs: this.clock.nowMs() + RECEIPT_MS })
  }

  receipt(ns: string, run: string, command: string): Verdict | null {
    const known = this.shardOf(ns, run).receipts.get(`${fullRunId(ns, run)}/${command}`)
    return known && known.untilMs > this.clock.nowMs() ? known.verdict : null
  }
}
