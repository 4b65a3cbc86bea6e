// Commands on many shards in as few writes as Redis allows: on a Cluster a pipeline per node. A standalone client gathers
// what is sent at once by itself, and does without: ioredis copies every script and command onto each pipeline it makes,
// some 700 properties, which cost a lone hand-off more than its append.
import { shardKeys } from '@stepfleet/contracts'
import type { RedisClient } from '@stepfleet/runtime'
import { type ChainableCommander, Cluster, type Redis } from 'ioredis'

/** One command on one shard. */
export interface ShardCall {
  shard: number
  add(commander: ChainableCommander | Redis): unknown
}

const SLOTS = 16_384

/** CRC16-XMODEM of a hash tag. Source: Redis Cluster specification, appendix A. */
const slotOfTag = (tag: string): number => {
  let crc = 0
  for (const char of tag) {
    crc ^= char.charCodeAt(0) << 8
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
    crc &= 0xffff
  }
  return crc % SLOTS
}

/** Slot of every key of a shard. */
export const slotOfShard = (shard: number): number => {
  const { mailbox } = shardKeys(shard)
  return slotOfTag(mailbox.slice(mailbox.indexOf('{') + 1, mailbox.indexOf('}')))
}

/** The node that serves a shard, or the shard itself while the Cluster's layout is not known. */
const nodeOf = (client: Cluster, shard: number): string => client.slots[slotOfShard(shard)]?.[0] ?? String(shard)

// While slots move, a node answers for some of its pipeline only, or ioredis finds it no longer serves all of it.
const REDIRECTED = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|All keys in the pipeline)/

const exec = async (client: Cluster, calls: readonly ShardCall[]): Promise<[Error | null, unknown][]> => {
  const pipeline = client.pipeline()
  for (const call of calls) call.add(pipeline)
  try {
    return (await pipeline.exec()) ?? []
  } catch (error) {
    const why = error instanceof Error ? error : new Error(String(error))
    return calls.map(() => [why, undefined])
  }
}

const execGroup = async (client: Cluster, calls: readonly ShardCall[]): Promise<[Error | null, unknown][]> => {
  const answers = await exec(client, calls)
  if (calls.length > 1) {
    for (const [i, call] of calls.entries()) {
      const error = answers[i]?.[0]
      // a pipeline of one command follows redirections
      if (error && REDIRECTED.test(error.message)) answers.splice(i, 1, ...(await exec(client, [call])))
    }
  }
  return answers
}

/** Waits for all, also when one fails: what is still under way must not overtake what its caller does next. */
const settled = async (answers: readonly unknown[]): Promise<unknown[]> =>
  (await Promise.allSettled(answers)).map((answer) => {
    if (answer.status === 'rejected') throw answer.reason
    return answer.value
  })

/**
 * Answers in the order of the calls. Throws the first error there is; what the other calls did stays done. There is
 * no order between calls: a script that Redis has forgotten is sent again behind the others.
 */
export const pipelined = async (client: RedisClient, calls: readonly ShardCall[]): Promise<unknown[]> => {
  if (calls.length === 0) return []
  if (!(client instanceof Cluster)) return settled(calls.map((call) => call.add(client)))
  const groups = new Map<string, number[]>()
  for (const [i, call] of calls.entries()) {
    const group = nodeOf(client, call.shard)
    const members = groups.get(group)
    if (members) members.push(i)
    else groups.set(group, [i])
  }
  const results: unknown[] = new Array(calls.length)
  await Promise.all(
    [...groups.values()].map(async (members) => {
      const answers = await execGroup(
        client,
        members.flatMap((i) => calls[i] ?? []),
      )
      for (const [k, i] of members.entries()) {
        const [error, value] = answers[k] ?? [new Error('a pipeline answered too little'), undefined]
        if (error) throw error
        results[i] = value
      }
    }),
  )
  return results
}
