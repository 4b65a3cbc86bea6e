// Reads mailboxes as they fill: one blocking XREAD on a standalone Redis, patient polling on a Cluster.
import { randomUUID } from 'node:crypto'
import { SHARDS, shardKeys } from '@stepfleet/contracts'
import { BLOCKING_LIMIT_MS, type RedisClient } from '@stepfleet/runtime'
import type { Cluster, Redis } from 'ioredis'
import { z } from 'zod'
import { pipelined } from './pipelined.ts'

export interface RawEntry {
  shard: number
  id: string
  /** The command's JSON. */
  text: string
}

export type From = readonly { shard: number; after: string }[]

export interface MailboxReader {
  /** At most `count` entries of each shard. Answers early, and perhaps with nothing, when interrupted. */
  read(from: From, count: number, blockMs: number): Promise<RawEntry[]>
  interrupt(): void
  close(): Promise<void>
}

const replySchema = z.array(z.tuple([z.string(), z.array(z.tuple([z.string(), z.array(z.string())]))])).nullable()

const MAILBOXES = Array.from({ length: SHARDS }, (_, shard) => shardKeys(shard).mailbox)
const SHARD_OF = new Map(MAILBOXES.map((mailbox, shard) => [mailbox, shard]))

type Reply = NonNullable<z.infer<typeof replySchema>>

const replyOf = (reply: unknown): Reply => replySchema.parse(reply) ?? []

const entriesOf = (reply: Reply): RawEntry[] =>
  reply.flatMap(([key, entries]) => {
    const shard = SHARD_OF.get(key)
    return shard === undefined ? [] : entries.map(([id, fields]) => ({ shard, id, text: fields[1] ?? '' }))
  })

/** Lets a waiting read be woken; an interrupt that finds none waiting wakes the next one. */
class Interrupt {
  private pending = false
  private wake: (() => void) | null = null

  /** True when a read was waiting. */
  raise(): boolean {
    const { wake } = this
    this.wake = null
    this.pending = wake === null
    wake?.()
    return wake !== null
  }

  /** Takes an interrupt that came before. */
  take(): boolean {
    const { pending } = this
    this.pending = false
    return pending
  }

  raised(): Promise<null> {
    return new Promise((resolve) => {
      this.wake = () => resolve(null)
    })
  }

  disarm(): void {
    this.wake = null
  }
}

/**
 * One XREAD waits on a connection of its own. An interrupt answers at once, whatever Redis does, and rings a
 * doorbell: a stream of this reader's that each XREAD waits on too, or the connection would stay blocked for the rest
 * of its time. (CLIENT UNBLOCK misses an XREAD that is still on its way.)
 */
export class BlockingReader implements MailboxReader {
  private readonly client: RedisClient
  private readonly open: () => Redis
  private readonly interrupts = new Interrupt()
  private readonly bell = `sf:{fleet}:bell:${randomUUID()}`
  private lastRing = '0-0'
  private connection: Redis | null = null
  private last: Promise<void> = Promise.resolve()

  /** `open` is called at the first read: a process that never reads needs no second connection. */
  constructor(client: RedisClient, open: () => Redis) {
    this.client = client
    this.open = open
  }

  async read(from: From, count: number, blockMs: number): Promise<RawEntry[]> {
    if (this.interrupts.take()) return []
    // behind the XREAD of an interrupted read, which has to learn of its bell first
    const reply = this.last.then(() => this.xread(from, count, Math.min(blockMs, BLOCKING_LIMIT_MS)))
    this.last = reply.then(
      () => {},
      () => {},
    )
    const raised = this.interrupts.raised()
    try {
      return entriesOf((await Promise.race([reply, raised])) ?? [])
    } finally {
      // after an interrupt nobody waits for the reply: its entries are read again, since reading takes nothing away
      this.interrupts.disarm()
    }
  }

  private async xread(from: From, count: number, blockMs: number): Promise<Reply> {
    this.connection ??= this.open()
    const keys = [...from.map(({ shard }) => MAILBOXES[shard] ?? ''), this.bell]
    const streams = [...keys, ...from.map(({ after }) => after), this.lastRing]
    // BLOCK 0 would wait for ever
    const reply = replyOf(
      blockMs > 0
        ? await this.connection.xread('COUNT', count, 'BLOCK', blockMs, 'STREAMS', ...streams)
        : await this.connection.xread('COUNT', count, 'STREAMS', ...streams),
    )
    const rung = reply.find(([key]) => key === this.bell)
    this.lastRing = rung?.[1].at(-1)?.[0] ?? this.lastRing
    return reply
  }

  interrupt(): void {
    if (!this.interrupts.raise()) return
    const ring = this.client.pipeline().xadd(this.bell, 'MAXLEN', 1, '*', 'r', '1').expire(this.bell, 3_600)
    // no bell, no harm: the read has been answered, and its XREAD ends by itself
    ring.exec().catch(() => {})
  }

  async close(): Promise<void> {
    this.interrupts.raise()
    this.connection?.disconnect()
    this.connection = null
  }
}

const FIRST_PAUSE_MS = 2
const LAST_PAUSE_MS = 25

/** A blocking XREAD of many shards is cross-slot: a Cluster is asked again and again, one pipeline per node. */
export class PollingReader implements MailboxReader {
  private readonly client: Cluster
  private readonly interrupts = new Interrupt()

  constructor(client: Cluster) {
    this.client = client
  }

  async read(from: From, count: number, blockMs: number): Promise<RawEntry[]> {
    const endMs = performance.now() + blockMs
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS)) {
      if (this.interrupts.take()) return []
      const entries = await this.look(from, count)
      const leftMs = endMs - performance.now()
      if (entries.length > 0 || leftMs <= 0) return entries
      if (await this.pause(Math.min(pauseMs, leftMs))) return []
    }
  }

  private async look(from: From, count: number): Promise<RawEntry[]> {
    const replies = await pipelined(
      this.client,
      from.map(({ shard, after }) => ({
        shard,
        add: (pipeline) => pipeline.xread('COUNT', count, 'STREAMS', shardKeys(shard).mailbox, after),
      })),
    )
    return replies.flatMap((reply) => entriesOf(replyOf(reply)))
  }

  /** True when interrupted. */
  private async pause(ms: number): Promise<boolean> {
    const raised = this.interrupts.raised()
    let timer: NodeJS.Timeout | undefined
    const over = new Promise<true>((resolve) => {
      timer = setTimeout(() => resolve(true), ms)
    })
    const woken = (await Promise.race([over, raised])) === null
    clearTimeout(timer)
    this.interrupts.disarm()
    return woken
  }

  interrupt(): void {
    this.interrupts.raise()
  }

  async close(): Promise<void> {
    this.interrupts.raise()
  }
}
