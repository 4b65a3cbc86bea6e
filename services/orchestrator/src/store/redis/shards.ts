// What the one owner of a shard needs, over Redis.
import { randomUUID } from 'node:crypto'
import { type Command, runKeys, shardKeys } from '@stepfleet/contracts'
import { type RedisClient, receiptKey } from '@stepfleet/runtime'
import { z } from 'zod'
import { checkAppend } from '../append-rules.ts'
import type { Appended, MailboxEntry, ShardStore } from '../port.ts'
import { buriedVerdict, discardedVerdict } from '../verdicts.ts'
import { appendArgs } from './append-args.ts'
import type { MailboxReader, RawEntry } from './mailbox-reader.ts'
import { pipelined } from './pipelined.ts'

const owned = z.tuple([z.coerce.number(), z.enum(['0', '1'])]).nullable()
const appended = z.enum(['appended', 'repeat', 'conflict', 'deposed'])
const ripened = z.tuple([z.number(), z.string()])
/** Has enough to be routed; its sender validated the rest, perhaps by a later schema than ours. */
const isCommand = (body: unknown): body is Command =>
  typeof body === 'object' &&
  body !== null &&
  ['id', 'type', 'ns', 'run'].every((part) => typeof Reflect.get(body, part) === 'string')

/** Null when it is no command. */
const parseCommand = (text: string): Command | null => {
  try {
    const body: unknown = JSON.parse(text)
    return isCommand(body) ? body : null
  } catch {
    return null
  }
}

const splitMessage = (member: string): { ns: string; run: string; message: string } => {
  const tilde = member.indexOf('~')
  const bar = member.indexOf('|')
  return { ns: member.slice(0, tilde), run: member.slice(tilde + 1, bar), message: member.slice(bar + 1) }
}

type Burial = { shard: number; id: string; why: string; command: Command | null }

const bury = async (client: RedisClient, { shard, id, why, command }: Burial): Promise<void> => {
  const { mailbox, dead, trials } = shardKeys(shard)
  const receipt = command ? receiptKey(command.ns, command.run, command.id) : shardKeys(shard).receipt('none')
  const verdict = command?.receipt ? JSON.stringify(buriedVerdict(why)) : ''
  await client.sfBury(mailbox, dead, trials, receipt, id, why, verdict)
}

const parseEntries = async (client: RedisClient, raw: readonly RawEntry[]): Promise<MailboxEntry[]> => {
  const entries: MailboxEntry[] = []
  for (const { shard, id, text } of raw) {
    const command = parseCommand(text)
    if (command) entries.push({ shard, id, atMs: Number.parseInt(id, 10), command })
    else await bury(client, { shard, id, why: 'not a command', command: null })
  }
  return entries
}

type Leases = Pick<ShardStore, 'own' | 'release'>

const createLeases = (client: RedisClient): Leases => {
  // the epoch each engine was told last: an answer whose first copy was lost must still say `taken`
  const told = new Map<string, number>()
  return {
    own: async (shard, engine, leaseMs) => {
      const answer = owned.parse(await client.sfOwn(shardKeys(shard).owner, engine, String(leaseMs)))
      if (!answer) return null
      const [epoch, clean] = answer
      const taken = told.get(`${shard} ${engine}`) !== epoch
      told.set(`${shard} ${engine}`, epoch)
      return { epoch, taken, clean: clean === '1' }
    },
    release: async (shard, engine, epoch) => {
      await client.sfRelease(shardKeys(shard).owner, engine, String(epoch))
    },
  }
}

type Mail = Pick<ShardStore, 'read' | 'left' | 'interrupt' | 'append' | 'discard' | 'ripen' | 'trial' | 'bury'>

const createMail = (client: RedisClient, reader: MailboxReader): Mail => ({
  read: async (from, count, blockMs) => parseEntries(client, await reader.read(from, count, blockMs)),
  left: async (shard, after, count) => {
    const found = await client.xrange(shardKeys(shard).mailbox, `(${after}`, '+', 'COUNT', count)
    return parseEntries(
      client,
      found.map(([id, fields]) => ({ shard, id, text: fields[1] ?? '' })),
    )
  },
  interrupt: () => reader.interrupt(),
  append: async (appends): Promise<Appended[]> => {
    appends.forEach(checkAppend)
    const answers = await pipelined(
      client,
      appends.map((append) => {
        const args = appendArgs(append)
        return { shard: runKeys(append.ns, append.run).shard, add: (pipeline) => pipeline.sfAppend(...args) }
      }),
    )
    return answers.map((answer) => appended.parse(answer))
  },
  discard: async (shard, engine, epoch, entries) => {
    if (entries.length === 0) return
    const { owner, mailbox, trials } = shardKeys(shard)
    const verdict = JSON.stringify(discardedVerdict)
    await client.sfDiscard(owner, mailbox, trials, engine, String(epoch), verdict, ...entries)
  },
  ripen: async (shard, engine, epoch, limit) => {
    const { owner, due, mailbox } = shardKeys(shard)
    const by = JSON.stringify({ kind: 'engine', id: engine })
    const answer = await client.sfRipen(owner, due, mailbox, engine, String(epoch), String(limit), by)
    const [moved, next] = ripened.parse(answer)
    return { moved, nextAtMs: next === '' ? null : Number(next) }
  },
  trial: async (shard, entry) => client.sfTrial(shardKeys(shard).trials, entry, randomUUID()),
  bury: (shard, { id, command }, why) => bury(client, { shard, id, why, command }),
})

export const createShards = (client: RedisClient, reader: MailboxReader): ShardStore => ({
  ...createLeases(client),
  ...createMail(client, reader),
  unsent: async (shard, olderThanMs, limit) =>
    (await client.sfUnsent(shardKeys(shard).unsent, String(olderThanMs), String(limit))).map(splitMessage),
  sent: async (shard, messages) => {
    if (messages.length === 0) return
    const members = messages.map(({ ns, run, message }) => `${ns}~${run}|${message}`)
    await client.zrem(shardKeys(shard).unsent, ...members)
  },
  putSnapshot: async (ns, run, seq, text) => {
    const { head, snapshot } = runKeys(ns, run)
    await client.sfSnapshot(head, snapshot, String(seq), text)
  },
  claimants: (shard) => client.smembers(shardKeys(shard).claimants),
  claimsOf: (shard, worker) => client.smembers(shardKeys(shard).claims(worker)),
  forgetClaimant: async (shard, worker) => {
    await client.sfForget(shardKeys(shard).claimants, shardKeys(shard).claims(worker), worker)
  },
})
