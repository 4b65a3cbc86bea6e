// The mailbox: how every command reaches the engine, and how its sender learns the verdict.
import { type Command, fullRunId, runKeys, shardKeys, type Verdict, verdictSchema } from '@stepfleet/contracts'
import type { ClientContext, Result } from 'ioredis'
import { luaScript, type RedisClient } from './redis.ts'

declare module 'ioredis' {
  interface RedisCommander<Context extends ClientContext> {
    sfSend(...args: string[]): Result<number, Context>
  }
}

export interface Mailbox {
  /**
   * Puts a command into its run's mailbox. One that asks a receipt is put there once in 24 h: a second one with its
   * id adds nothing and shares its receipt.
   */
  send(command: Command): Promise<void>
  /** Null: not judged yet, never sent, or older than 24 h. */
  receipt(ns: string, run: string, command: string): Promise<Verdict | null>
  /** Sends with `receipt: true` and waits for the verdict at most `waitMs`; null: the engine was not that quick. */
  ask(command: Command, waitMs: number): Promise<Verdict | null>
}

const FIRST_POLL_MS = 5
const LAST_POLL_MS = 50

/** Key of a command's receipt. It names the run, since two runs of a shard may be sent the same `Idempotency-Key`. */
export const receiptKey = (ns: string, run: string, command: string): string =>
  shardKeys(runKeys(ns, run).shard).receipt(`${fullRunId(ns, run)}/${command}`)

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Calls `look` until it answers or `waitMs` are over, at first every 5 ms, then up to every 50 ms. */
export const pollReceipt = async (look: () => Promise<Verdict | null>, waitMs: number): Promise<Verdict | null> => {
  const endMs = performance.now() + waitMs
  for (let pauseMs = FIRST_POLL_MS; ; pauseMs = Math.min(pauseMs * 1.5, LAST_POLL_MS)) {
    const verdict = await look()
    const leftMs = endMs - performance.now()
    if (verdict || leftMs <= 0) return verdict
    await later(Math.min(pauseMs, leftMs))
  }
}

export const createMailbox = (client: RedisClient): Mailbox => {
  client.defineCommand('sfSend', luaScript(new URL('./lua/send.2.lua', import.meta.url)))

  const send = async (command: Command): Promise<void> => {
    const { ns, run, id } = command
    const { mailbox } = shardKeys(runKeys(ns, run).shard)
    await client.sfSend(mailbox, receiptKey(ns, run, id), JSON.stringify(command), command.receipt ? '1' : '')
  }

  const receipt = async (ns: string, run: string, command: string): Promise<Verdict | null> => {
    const text = await client.get(receiptKey(ns, run, command))
    return text ? verdictSchema.parse(JSON.parse(text)) : null
  }

  return {
    send,
    receipt,
    ask: async (command, waitMs) => {
      await send({ ...command, receipt: true })
      return pollReceipt(() => receipt(command.ns, command.run, command.id), waitMs)
    },
  }
}
