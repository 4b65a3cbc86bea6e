// The store over Redis, standalone or Cluster.
import { FLEET, SHARDS } from '@stepfleet/contracts'
import { BLOCKING_LIMIT_MS, type RedisClient } from '@stepfleet/runtime'
import { Cluster, type Redis } from 'ioredis'
import type { Store } from './port.ts'
import { createDefinitions } from './redis/definitions.ts'
import { BlockingReader, type MailboxReader, PollingReader } from './redis/mailbox-reader.ts'
import { createReader } from './redis/reader.ts'
import { defineStoreScripts } from './redis/scripts.ts'
import { createShards } from './redis/shards.ts'

/** This Redis holds the runs of a fleet with another number of shards: no run would be found. */
export class ShardCountError extends Error {
  constructor(stored: string) {
    super(
      `this Redis was started with ${stored} shards, this version has ${SHARDS}: use the Redis or the version it belongs to`,
    )
    this.name = 'ShardCountError'
  }
}

/** Writes the shard count at the first start of a fleet; throws ShardCountError when it was another. */
export const checkShards = async (client: RedisClient): Promise<void> => {
  await client.set(FLEET.shards, String(SHARDS), 'NX')
  const stored = await client.get(FLEET.shards)
  if (stored !== String(SHARDS)) throw new ShardCountError(stored ?? 'no')
}

const duplicate = (client: Redis): Redis => {
  const connection = client.duplicate({ maxRetriesPerRequest: null, socketTimeout: BLOCKING_LIMIT_MS + 2_000 })
  // outages are told by the connection it is a copy of; without a listener ioredis prints them
  connection.on('error', () => {})
  return connection
}

const readerOf = (client: RedisClient): MailboxReader =>
  client instanceof Cluster ? new PollingReader(client) : new BlockingReader(client, () => duplicate(client))

/**
 * The store over a connection that stays its maker's to close; `close` ends only what the store opened (one
 * connection for waiting reads, made at the first of them). One `read` at a time. Connection errors reject with
 * ioredis's errors; while its options let it reconnect for ever, calls wait. Every script recognises a repeat.
 */
export const createRedisStore = (client: RedisClient): Store => {
  defineStoreScripts(client)
  const reader = readerOf(client)
  return {
    ...createReader(client),
    ...createDefinitions(client),
    ...createShards(client, reader),
    close: () => reader.close(),
  }
}
