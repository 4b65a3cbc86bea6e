// The limits of the fleet over Redis, standalone or Cluster: one script each, in the slot of the limit.
import { createHash } from 'node:crypto'
import { cacheKey, jsonSchema, limitKey } from '@stepfleet/contracts'
import { luaScript, type RedisClient } from '@stepfleet/runtime'
import type { ClientContext, Result } from 'ioredis'
import { z } from 'zod'
import { holderText, parseHolder } from './holders.ts'
import {
  CALL_AGAIN_MS,
  CALLS,
  type FleetLimits,
  type Holder,
  kindOf,
  type LimitKind,
  type LimitName,
  PATIENCE,
  type Patience,
  POLL_SPREAD_MS,
} from './port.ts'

declare module 'ioredis' {
  interface RedisCommander<Context extends ClientContext> {
    sfTakePlace(...args: string[]): Result<unknown, Context>
    sfReleasePlace(...args: string[]): Result<number, Context>
    sfCallWaiters(...args: string[]): Result<string[], Context>
  }
}

const FILES = {
  sfTakePlace: 'take.4.lua',
  sfReleasePlace: 'release.4.lua',
  sfCallWaiters: 'call.4.lua',
} as const

const HOLDERS = 100
const takenSchema = z.tuple([z.int(), z.int(), z.coerce.number(), z.int()])

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

type LimitKeys = [places: string, queue: string, due: string, who: string]

const keysOf = (ns: string, kind: LimitKind, key: string): LimitKeys => {
  const base = `${limitKey(ns, sha256(key))}:${kind}`
  return [`${base}:places`, `${base}:queue`, `${base}:due`, `${base}:who`]
}

/**
 * Limits over a connection that stays its maker's to close. Connection errors reject with ioredis's errors; while its
 * options let it reconnect for ever, calls wait. A call that is sent again does nothing more.
 */
export const createRedisLimits = (client: RedisClient, patience: Patience = PATIENCE): FleetLimits => {
  for (const [name, file] of Object.entries(FILES)) {
    client.defineCommand(name, luaScript(new URL(`./lua/${file}`, import.meta.url)))
  }

  const late = (): string[] => [`${patience.lateMs}`, `${patience.forgottenMs}`]

  const callWaiters = async (keys: LimitKeys, againMs: number | null): Promise<Holder[]> => {
    const waiters = await client.sfCallWaiters(...keys, ...late(), `${againMs ?? ''}`, `${CALLS}`)
    return waiters.map(parseHolder)
  }

  const release = async (ns: string, { kind, key }: LimitName, holder: Holder, seq: number): Promise<Holder[]> => {
    const keys = keysOf(ns, kind, key)
    const released = client.sfReleasePlace(...keys, holderText(holder), `${seq}`)
    // sent behind it without waiting; should the first be lost, it comes again, and so does this
    const called = callWaiters(keys, CALL_AGAIN_MS)
    await Promise.all([released, called])
    return called
  }

  return {
    take: async (ns, { key, limit, perMs, holder, version }) => {
      const keys = keysOf(ns, kindOf(perMs), key)
      const about = [holderText(holder), `${limit}`, `${perMs ?? ''}`, `${version}`]
      const poll = [`${patience.pollMs}`, `${POLL_SPREAD_MS}`]
      const answer = await client.sfTakePlace(...keys, ...about, ...late(), ...poll)
      const [granted, ahead, againAtMs, uncalled] = takenSchema.parse(answer)
      const call = uncalled === 1 ? await callWaiters(keys, null) : []
      return granted === 1 ? { granted: true, call } : { granted: false, ahead, againAtMs, call }
    },
    release,
    holders: async (ns, key, olderThanMs) => {
      const [places] = keysOf(ns, 'concurrency', key)
      const [seconds, micros] = await client.time()
      const before = (Number(seconds) * 1_000 - olderThanMs) * 1_000 + Number(micros)
      return (await client.zrangebyscore(places, '-inf', before, 'LIMIT', 0, HOLDERS)).map(parseHolder)
    },
    cached: async (ns, key) => {
      const text = await client.get(cacheKey(ns, sha256(key)))
      return text === null ? null : { value: jsonSchema.parse(JSON.parse(text)) }
    },
    store: async (ns, key, value, ttlMs) => {
      await client.set(cacheKey(ns, sha256(key)), JSON.stringify(value), 'PX', ttlMs)
    },
  }
}
