// Names of the Redis keys, and the shard of a run. ARCHITECTURE.md says who owns which.

export const SHARDS = 64

/** FNV-1a, 32 bit, of the UTF-16 code units (ids are ASCII). Source: http://www.isthe.com/chongo/tech/comp/fnv/ */
const fnv1a = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) {
    hash ^= text.charCodeAt(i)
    hash = Math.imul(hash, 0x01000193)
  }
  return hash >>> 0
}

/** Shard of a run, 0..shards-1. Fixed for ever by the stored shard count. */
export const shardOf = (ns: string, run: string, shards: number = SHARDS): number => fnv1a(`${ns}~${run}`) % shards

const tag = (shard: number): string => `{s${String(shard).padStart(2, '0')}}`
const ofShard = (shard: number, name: string): string => `sf:${tag(shard)}:${name}`
const ofRun = (shard: number, ns: string, run: string, name: string): string =>
  ofShard(shard, `run:${ns}~${run}:${name}`)

/** Keys of one shard. */
export const shardKeys = (shard: number) => ({
  mailbox: ofShard(shard, 'mailbox'),
  owner: ofShard(shard, 'owner'),
  due: ofShard(shard, 'due'),
  unsent: ofShard(shard, 'unsent'),
  dead: ofShard(shard, 'dead'),
  /** Hash mailbox entry id → times an engine died while it was tried alone. */
  trials: ofShard(shard, 'trials'),
  /** Set of workers that hold claims in this shard. */
  claimants: ofShard(shard, 'claimants'),
  claims: (worker: string) => ofShard(shard, `claims:${worker}`),
  /** `id` is `<ns>~<run>/<command id>`. */
  receipt: (id: string) => ofShard(shard, `receipt:${id}`),
  /** zset run → created at, per namespace and index (`all`, `status:running`, `workflow:x`, `label:k:v`). */
  index: (ns: string, name: string) => ofShard(shard, `idx:${ns}:${name}`),
})
export type ShardKeys = ReturnType<typeof shardKeys>

/** Keys of one run. */
export const runKeys = (ns: string, run: string, shards: number = SHARDS) => {
  const shard = shardOf(ns, run, shards)
  return {
    shard,
    journal: ofRun(shard, ns, run, 'journal'),
    head: ofRun(shard, ns, run, 'head'),
    out: ofRun(shard, ns, run, 'out'),
    snapshot: ofRun(shard, ns, run, 'snapshot'),
    blob: (sha: string) => ofRun(shard, ns, run, `blob:${sha}`),
  }
}
export type RunKeys = ReturnType<typeof runKeys>

/** Keys of the fleet: each process writes its own field. */
export const FLEET = {
  /** string: the shard count, written once */
  shards: 'sf:{fleet}:shards',
  /** hash worker → beat counter */
  beats: 'sf:{fleet}:beats',
  /** hash worker → WorkerInfo JSON */
  workers: 'sf:{fleet}:workers',
  /** hash engine → EngineInfo JSON */
  engines: 'sf:{fleet}:engines',
  /** set of queue names that have been used */
  queues: 'sf:{fleet}:queues',
  /** hash tool → ToolManifest JSON */
  tools: 'sf:{fleet}:tools',
  /** string: what the tokens of callbacks are signed with, made once */
  callbackSecret: 'sf:{fleet}:callback-secret',
  /** zset dependency → epoch ms of its circuit's last use in Redis; those that never opened are not in it */
  circuits: 'sf:{fleet}:circuits',
  /** channel: what `circuitKey` holds, at each change, as JSON */
  circuitChanges: 'sf:{fleet}:circuit-changes',
} as const

/** Hash: the circuit of a dependency, shared by the fleet; in a slot of its own. Absent: it is closed. */
export const circuitKey = (dependency: string): string => `sf:{c:${dependency}}`
/** Hash of the calls that the fleet has made of late while the circuit was closed; one for each epoch of the circuit. */
export const circuitCallsKey = (dependency: string, epoch: string): string => `${circuitKey(dependency)}:calls:${epoch}`

/** Hash `<name>@<version>` → definition JSON, `<name>#latest` → version, `hash:<sha>` → `<name>@<version>`. */
export const workflowsKey = (ns: string): string => `sf:{w:${ns}}`
/** A definition that came with a run, by its hash. */
export const definitionKey = (ns: string, hash: string): string => `sf:{d:${ns}~${hash}}`
/** A limit that the fleet shares; `digest` is the hex SHA-256 of its key text. Each has a slot of its own. */
export const limitKey = (ns: string, digest: string): string => `sf:{l:${ns}~${digest}}`
/** A cached output, JSON text with a time to live; `digest` as for limits. */
export const cacheKey = (ns: string, digest: string): string => `sf:{x:${ns}~${digest}}`
/** Budgets of a namespace: `held:<run>`, `run:<run>`, `workflow:<name>:<day>`, `day:<day>`; all in one slot. */
export const budgetKey = (ns: string, name: string): string => `sf:{b:${ns}}:${name}`
export const deskKeys = (ns: string) => ({
  case: (id: string) => `sf:{esc:${ns}}:case:${id}`,
  open: `sf:{esc:${ns}}:open`,
  all: `sf:{esc:${ns}}:all`,
})
