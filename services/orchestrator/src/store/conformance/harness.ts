// What the conformance suite needs of a store under test, and short ways to make runs, facts and appends.
import {
  type CommandOf,
  type Event,
  type EventBody,
  formatOut,
  type OutEntry,
  parseOut,
  runKeys,
  type TaskRef,
} from '@stepfleet/contracts'
import type { Claims, RunRecord } from '@stepfleet/runtime'
import { expect } from 'vitest'
import type { Append, Appended, MailboxEntry, RunHead, Store, Submission } from '../port.ts'

/** An empty store, and the claims over the same record. */
export interface Harness {
  store: Store
  claims: Claims & RunRecord
  /** Lets the store's time pass until the check answers true; throws after long enough. */
  until(check: () => Promise<boolean>): Promise<void>
  stop(): Promise<void>
}

export const NS = 'default'
export const ENGINE = 'engine-1'
let count = 0
/** A word that was not there before. */
export const fresh = (word: string): string => {
  count += 1
  return `${word}-${count}`
}

/** A run id that was not there before, in this shard. */
export const freshIn = (shard: number, ns = NS): string => {
  let run = fresh('run')
  while (shardOfRun(run, ns) !== shard) run = fresh('run')
  return run
}

export const workflow = (name = 'report') => ({ name, version: 1, hash: `hash-of-${name}` })

export const startCommand = (run: string, more: Partial<CommandOf<'start'>> = {}): CommandOf<'start'> => ({
  type: 'start',
  id: `start/${run}`,
  ns: NS,
  run,
  by: { kind: 'caller', id: 'test' },
  workflow: workflow(),
  input: { value: { topic: 'tea' } },
  labels: {},
  priority: 3,
  env: {},
  ...more,
})

export const submission = (command: CommandOf<'start'>, more: Partial<Submission> = {}): Submission => ({
  command,
  fingerprint: 'print',
  tip: fresh('tip'),
  onConflict: 'reject',
  ...more,
})

export const signal = (run: string, more: Partial<CommandOf<'signal'>> = {}): CommandOf<'signal'> => ({
  type: 'signal',
  id: fresh('signal'),
  ns: NS,
  run,
  by: { kind: 'caller', id: 'test' },
  name: 'go',
  payload: { value: 1 },
  ...more,
})

export const outcome = (
  task: TaskRef,
  claimedAtMs: number,
  more: { worker?: string; id?: string } = {},
): CommandOf<'outcome'> => {
  const worker = more.worker ?? 'worker-1'
  const { ns, run, path, attempt, delivery } = task
  return {
    type: 'outcome',
    id: more.id ?? `outcome/${path}.${attempt}.${delivery}`,
    ns,
    run,
    by: { kind: 'worker', id: worker },
    outcome: {
      ...{ path, attempt, delivery, worker, claimedAtMs, durationMs: 5 },
      result: { status: 'done', output: { value: 'tea' } },
    },
  }
}

export const fact = (seq: number, body: EventBody, command = 'test'): Event => ({
  ...body,
  seq,
  atMs: 1_000 + seq,
  v: 1,
  actor: { kind: 'engine', id: ENGINE },
  command,
})

export const note = (seq: number): Event => fact(seq, { type: 'signal.received', name: 'go', payload: { value: seq } })

export const shardOfRun = (run: string, ns = NS): number => runKeys(ns, run).shard

/** A run that ENGINE owns the shard of. */
export interface OwnedRun {
  ns: string
  run: string
  shard: number
  epoch: number
  head(): Promise<RunHead>
  /** An append to the head as it is; one fact unless told otherwise. */
  make(more?: Partial<Append>): Promise<Append>
  append(more?: Partial<Append>): Promise<Appended>
}

export const ownedRun = async (h: Harness, run = fresh('run'), ns = NS): Promise<OwnedRun> => {
  const { store } = h
  const shard = shardOfRun(run, ns)
  await store.submit(submission(startCommand(run, { ns })))
  const lease = await store.own(shard, ENGINE, 60_000)
  const epoch = lease?.epoch ?? 0
  const head = async (): Promise<RunHead> => {
    const found = await store.head(ns, run)
    if (!found) throw new Error(`no head of ${run}`)
    return found
  }
  const make = async (more: Partial<Append> = {}): Promise<Append> => {
    const { version, tip, status } = await head()
    return {
      ...{ ns, run, epoch, engine: ENGINE, expect: { version, tip }, tip: fresh('tip'), events: [note(version + 1)] },
      ...{ status: { from: status, to: 'running' }, endedAtMs: null, out: { set: [], remove: [] } },
      ...{ wakeAtMs: undefined, unsent: [], ack: [], receipts: [] },
      ...more,
    }
  }
  return { ns, run, shard, epoch, head, make, append: async (more) => appendOne(store, await make(more)) }
}

export const appendOne = async (store: Store, append: Append): Promise<Appended> => {
  const [answer] = await store.append([append])
  if (!answer) throw new Error('append answered nothing')
  return answer
}

/** All that waits in the mailbox of a shard. */
export const waiting = (store: Store, shard: number): Promise<MailboxEntry[]> =>
  store.read([{ shard, after: '0' }], 10_000, 0)

export const unclaimed = (attempt: number, delivery: number): OutEntry => parseOut(formatOut(attempt, delivery))

export const dispatch = (path: string, attempt = 1, delivery = 1) => ({
  out: { set: [{ path, attempt, delivery }], remove: [] },
})

export const endOf = (run: RunHead): Partial<Append> => ({
  events: [fact(run.version + 1, { type: 'run.completed', output: { value: 'tea' } })],
  status: { from: run.status, to: 'completed' },
  endedAtMs: 5_000,
})

/** Everything a store tells of a run: to compare before and after what must change nothing. */
export const all = async (h: Harness, { ns, run, shard }: { ns: string; run: string; shard: number }) => ({
  head: await h.store.head(ns, run),
  journal: await h.store.journal(ns, run, 1, 10_000),
  out: [...(await h.store.out(ns, run))].sort(),
  mailbox: await waiting(h.store, shard),
  unsent: await h.store.unsent(shard, 0, 10_000),
  claimants: (await h.store.claimants(shard)).sort(),
})

export const expectUnchanged = async (
  h: Harness,
  run: { ns: string; run: string; shard: number },
  act: () => Promise<void>,
): Promise<void> => {
  const before = await all(h, run)
  await act()
  expect(await all(h, run)).toEqual(before)
}
