// Lists runs, newest first, over the indexes of all shards.
import { runKeys, SHARDS, shardKeys } from '@stepfleet/contracts'
import type { RedisClient } from '@stepfleet/runtime'
import { z } from 'zod'
import type { Page, RunFilter, RunHead } from '../port.ts'
import { formatCursor, matches, newestFirst, type Place, parseCursor } from '../run-order.ts'
import { parseHead } from './heads.ts'
import { pipelined } from './pipelined.ts'

interface Query {
  ns: string
  filter: RunFilter
  limit: number
  cursor: string | null
}

/** A call looks at no more runs than about this: then it answers what it found, with a cursor to go on from. */
const MOST_LOOKED_AT = 5_000

const shards = Array.from({ length: SHARDS }, (_, shard) => shard)
const members = z.array(z.string())
const hash = z.record(z.string(), z.string())

/** The indexes that each hold every run the filter asks for. */
const indexNames = ({ status, workflow, labels }: RunFilter): string[] => {
  const names = Object.entries(labels ?? {}).map(([key, value]) => `label:${key}:${value}`)
  if (workflow !== undefined) names.push(`workflow:${workflow}`)
  if (status !== undefined) names.push(`status:${status}`)
  return names.length > 0 ? names : ['all']
}

/** Per shard the shortest of those indexes: the others are checked on the heads. */
const chooseIndexes = async (client: RedisClient, { ns, filter }: Query): Promise<string[]> => {
  const names = indexNames(filter)
  const keysOf = (shard: number): string[] => names.map((name) => shardKeys(shard).index(ns, name))
  if (names.length === 1) return shards.flatMap(keysOf)
  const calls = shards.flatMap((shard) => keysOf(shard).map((key) => ({ shard, key })))
  const sizes = await pipelined(
    client,
    calls.map(({ shard, key }) => ({ shard, add: (pipeline) => pipeline.zcard(key) })),
  )
  return shards.map((shard) => {
    const first = shard * names.length
    const mine = sizes.slice(first, first + names.length).map(Number)
    return calls[first + mine.indexOf(Math.min(...mine))]?.key ?? ''
  })
}

interface Chunk {
  places: Place[]
  /** There are no older ones in this shard. */
  exhausted: boolean
}

/** The next places of every shard after `place`: those of the same millisecond, and at most `size` older ones. */
const nextChunks = async (
  client: RedisClient,
  keys: string[],
  range: { after: Place; minMs: number; size: number },
) => {
  const { after, minMs, size } = range
  const replies = await pipelined(
    client,
    shards.flatMap((shard) => {
      const key = keys[shard] ?? ''
      return [
        {
          shard,
          add: (pipeline) => pipeline.zrangebyscore(key, after.createdAtMs, after.createdAtMs, 'WITHSCORES'),
        },
        {
          shard,
          add: (pipeline) =>
            pipeline.zrevrangebyscore(key, `(${after.createdAtMs}`, minMs, 'WITHSCORES', 'LIMIT', 0, size),
        },
      ]
    }),
  )
  return shards.map((shard): Chunk => {
    const older = placesOf(replies[2 * shard + 1])
    const ties = placesOf(replies[2 * shard]).filter((place) => newestFirst(after, place) < 0)
    return { places: [...ties, ...older], exhausted: older.length < size }
  })
}

const placesOf = (reply: unknown): Place[] => {
  const flat = members.parse(reply)
  return Array.from({ length: flat.length / 2 }, (_, i) => ({
    run: flat[2 * i] ?? '',
    createdAtMs: Number(flat[2 * i + 1]),
  }))
}

/**
 * The places that are certainly the next ones of all shards together: what a shard has not shown yet is older than
 * the last it showed.
 */
const certain = (chunks: readonly Chunk[]): { places: Place[]; all: boolean } => {
  const places = chunks.flatMap((chunk) => chunk.places).sort(newestFirst)
  const floors = chunks.flatMap((chunk) => (chunk.exhausted ? [] : (chunk.places.at(-1) ?? [])))
  const floor = floors.sort(newestFirst)[0]
  return { places: floor ? places.filter((place) => newestFirst(place, floor) <= 0) : places, all: floor === undefined }
}

const loadHeads = async (client: RedisClient, ns: string, places: readonly Place[]): Promise<(RunHead | null)[]> => {
  const found = await pipelined(
    client,
    places.map(({ run }) => {
      const { shard, head } = runKeys(ns, run)
      return { shard, add: (pipeline) => pipeline.hgetall(head) }
    }),
  )
  return places.map(({ run }, i) => parseHead(ns, run, hash.parse(found[i])))
}

export const listRuns = async (client: RedisClient, query: Query): Promise<Page<RunHead>> => {
  const { ns, filter, limit, cursor } = query
  const keys = await chooseIndexes(client, query)
  const minMs = filter.sinceMs ?? 0
  const size = Math.max(8, Math.ceil(limit / 8))
  const items: RunHead[] = []
  // `~` sorts behind every id, so nothing of this millisecond has been seen
  let after: Place = cursor ? parseCursor(cursor) : { createdAtMs: filter.untilMs ?? Number.MAX_SAFE_INTEGER, run: '~' }
  for (let lookedAt = 0; lookedAt < MOST_LOOKED_AT; ) {
    const { places, all } = certain(await nextChunks(client, keys, { after, minMs, size }))
    for (let i = 0; i < places.length; ) {
      const batch = places.slice(i, i + Math.max(limit - items.length, 8))
      const heads = await loadHeads(client, ns, batch)
      for (const [k, place] of batch.entries()) {
        after = place
        const head = heads[k]
        if (head && matches(head, filter)) items.push(head)
        if (items.length < limit) continue
        const more = !all || i + k + 1 < places.length
        return { items, cursor: more ? formatCursor(after) : null }
      }
      i += batch.length
    }
    if (all) return { items, cursor: null }
    lookedAt += places.length
  }
  return { items, cursor: formatCursor(after) }
}
