// An append as the arguments of its script.
import { formatOut, runKeys, shardKeys } from '@stepfleet/contracts'
import type { Append } from '../port.ts'

const wake = (atMs: number | null | undefined): string => (atMs === undefined ? '' : atMs === null ? '-' : String(atMs))

/** KEYS and ARGV of append.8.lua. */
export const appendArgs = (append: Append): string[] => {
  const { ns, run, expect, events, out, unsent, ack } = append
  const keys = runKeys(ns, run)
  const { owner, due, unsent: unsentKey, mailbox, trials } = shardKeys(keys.shard)
  const args = [owner, keys.head, keys.journal, keys.out, due, unsentKey, mailbox, trials]
  args.push(append.engine, String(append.epoch), String(expect.version), expect.tip, append.tip, ns, run)
  args.push(append.status.to, append.endedAtMs === null ? '' : String(append.endedAtMs), wake(append.wakeAtMs))
  args.push(...[events, out.set, out.remove, unsent, ack].map((list) => String(list.length)))
  // the sequence is the entry's id
  for (const event of events) args.push(JSON.stringify({ ...event, seq: undefined }))
  for (const { path, attempt, delivery } of out.set) args.push(path, formatOut(attempt, delivery))
  for (const list of [out.remove, unsent, ack]) for (const item of list) args.push(item)
  for (const { command, verdict } of append.receipts) args.push(command, JSON.stringify(verdict))
  return args
}
