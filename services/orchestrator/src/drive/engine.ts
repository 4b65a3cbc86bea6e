// The engine's life: own shards, read their mailboxes, judge, append, publish; ring due times, hand in the claims of
// dead workers, send what is late. Everything here may be killed at any line.
import { hostname } from 'node:os'
import type { CodeHost } from '@stepfleet/code-workflows'
import { type EngineInfo, FLEET, type ToolManifest, toolManifestSchema } from '@stepfleet/contracts'
import type { Spending } from '@stepfleet/engine'
import type { Logger, Publisher, RedisClient } from '@stepfleet/runtime'
import { Cluster } from 'ioredis'
import type { Store } from '../store/port.ts'
import { BeatWatch } from './beats.ts'
import { Due } from './due.ts'
import { Losses } from './losses.ts'
import { sendLate } from './outbox.ts'
import type { Outside } from './outside.ts'
import { Plans } from './plans.ts'
import { Pump } from './pump.ts'
import { Runs } from './runs.ts'
import { type OwnedShard, RENEW_EVERY_MS, Shards } from './shards.ts'

const BEAT_EVERY_MS = 200
const READ_BEATS_EVERY_MS = 100
const OUTBOX_EVERY_MS = 1_000
const TOOLS_EVERY_MS = 1_000
const READ_COUNT = 512
const READ_BLOCK_MS = 250
/** With this many entries in memory no more are read: the mailbox keeps them. */
const MAX_BACKLOG = 20_000
const AFTER_ERROR_MS = 200
/** An engine that has not come round its reading loop for this long is not ready. */
const DEAF_AFTER_MS = 10_000

export interface EngineOptions {
  id: string
  version: string
  store: Store
  redis: RedisClient
  publisher: Publisher
  /** The publisher shares the store's one connection, so that order is kept between the two. */
  ordered: boolean
  /** What runs ask of the fleet, and what leaves them that is no job. */
  outside: Outside
  /** What model calls cost; without it, by the prices of this release. */
  spending?: Spending
  /** Where the code of workflows runs; whoever made it closes it. */
  code: CodeHost
  logger: Logger
  cacheBytes: number
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export class Engine {
  readonly #options: EngineOptions
  readonly #beats: BeatWatch
  readonly #plans: Plans
  readonly #runs: Runs
  readonly #shards: Shards
  readonly #pump: Pump
  readonly #due: Due
  readonly #losses: Losses
  readonly #timers: NodeJS.Timeout[] = []
  readonly #startedAtMs = Date.now()
  #tools: ReadonlyMap<string, ToolManifest> = new Map()
  #stopping = false
  #lastReadMs = performance.now()
  #reading: Promise<void> = Promise.resolve()

  constructor(options: EngineOptions) {
    const { id, store, redis, publisher, logger } = options
    this.#options = options
    this.#beats = new BeatWatch(redis, redis instanceof Cluster ? null : async () => redis.client('LIST'))
    this.#plans = new Plans(store)
    this.#runs = new Runs(store, this.#plans, options.cacheBytes)
    this.#shards = new Shards(
      store,
      id,
      {
        taken: (shard, clean) => this.#taken(shard, clean),
        idle: (shard) => this.#pump.idle(shard),
        lost: (shard) => this.#lost(shard),
      },
      logger,
    )
    this.#due = new Due(store, id, this.#shards.owned, logger)
    this.#pump = new Pump({
      store,
      publisher,
      logger,
      engine: id,
      outside: options.outside,
      code: options.code,
      ordered: options.ordered,
      runs: this.#runs,
      tools: () => this.#tools,
      spending: options.spending,
      epochOf: (shard) => this.#taking.get(shard)?.epoch ?? this.#shards.owned.get(shard)?.epoch,
      armed: (shard, atMs) => this.#due.arm(shard, atMs),
      deposed: (shard) => this.#shards.drop(shard),
      reread: (shard) => this.#reread(shard),
    })
    this.#losses = new Losses({
      store,
      redis,
      beats: this.#beats,
      engine: id,
      logger,
      shards: () => this.#shards.owned.keys(),
    })
  }

  /** Shards that are being taken: their old entries are tried before reading starts. */
  readonly #taking = new Map<number, OwnedShard>()

  /** Mailboxes were read within the last seconds, or there is nothing to own because other engines do. */
  get isReading(): boolean {
    return !this.#stopping && performance.now() - this.#lastReadMs < DEAF_AFTER_MS
  }

  async start(): Promise<void> {
    await this.#refreshTools()
    await this.#publishInfo()
    await this.#beat()
    await this.#beats.read()
    // before the shards are taken, which may take long: who is alive must be known by then
    this.#every(BEAT_EVERY_MS, () => this.#beat())
    this.#every(READ_BEATS_EVERY_MS, async () => this.#losses.handIn(await this.#beats.read()))
    await this.#settle()
    this.#every(RENEW_EVERY_MS, () => this.#settle())
    this.#every(OUTBOX_EVERY_MS, () => this.#sendLate())
    this.#every(TOOLS_EVERY_MS, () => this.#refreshTools())
    this.#reading = this.#read()
  }

  /** Stops reading, lets what is under way finish, lets the shards go. */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const timer of this.#timers) clearInterval(timer)
    this.#due.stop()
    this.#options.store.interrupt()
    await this.#reading
    while (this.#pump.backlog > 0 || [...this.#shards.owned.keys()].some((shard) => !this.#pump.idle(shard)))
      await pause(5)
    await this.#shards.releaseAll()
    await this.#options.redis.hdel(FLEET.engines, this.#options.id)
    await this.#options.redis.hdel(FLEET.beats, this.#options.id)
  }

  async #read(): Promise<void> {
    const { store, logger } = this.#options
    while (!this.#stopping) {
      this.#lastReadMs = performance.now()
      const from = [...this.#shards.owned.values()].filter((owned) => !owned.leaving)
      if (from.length === 0 || this.#pump.backlog > MAX_BACKLOG) {
        await pause(10)
        continue
      }
      try {
        const entries = await store.read(
          from.map(({ shard, after }) => ({ shard, after })),
          READ_COUNT,
          READ_BLOCK_MS,
        )
        for (const entry of entries) {
          const owned = this.#shards.owned.get(entry.shard)
          if (owned) owned.after = entry.id
          this.#due.sync(entry.atMs)
        }
        this.#pump.take(entries)
      } catch (error) {
        if (!this.#stopping) logger.warn({ err: error }, 'mailboxes could not be read; trying again')
        await pause(AFTER_ERROR_MS)
      }
    }
  }

  #reread(shard: number): void {
    const owned = this.#shards.owned.get(shard)
    if (!owned) return
    owned.after = '0'
    this.#options.store.interrupt()
  }

  /** What a dead owner left behind: its entries one by one, its unsent messages, the claims of dead workers, due times. */
  async #taken(owned: OwnedShard, clean: boolean): Promise<void> {
    const { shard } = owned
    this.#taking.set(shard, owned)
    try {
      if (!clean) await this.#tryOldEntries(owned)
    } finally {
      this.#taking.delete(shard)
    }
    this.#due.arm(shard, 0)
    queueMicrotask(() => void this.#afterTaking(shard))
  }

  async #afterTaking(shard: number): Promise<void> {
    try {
      await sendLate(this.#deps, shard, 0)
      await pause(READ_BEATS_EVERY_MS * 2)
      await this.#losses.takeOver(shard)
    } catch (error) {
      this.#options.logger.warn({ err: error, shard }, 'taking over a shard is not complete; its checks will')
    }
  }

  async #tryOldEntries(owned: OwnedShard): Promise<void> {
    const { store } = this.#options
    const untilMs = await store.now()
    for (;;) {
      const entries = await store.left(owned.shard, owned.after, 100)
      for (const entry of entries) {
        owned.after = entry.id
        await this.#pump.tryAlone(entry)
      }
      const last = entries.at(-1)
      if (!last || last.atMs > untilMs) return
    }
  }

  #lost(shard: number): void {
    this.#pump.forget(shard)
    this.#due.forget(shard)
  }

  get #deps() {
    const { store, publisher, logger, id, outside, code, spending } = this.#options
    return {
      store,
      publisher,
      logger,
      outside,
      code,
      spending,
      engine: id,
      plans: this.#plans,
      tools: () => this.#tools,
    }
  }

  async #sendLate(): Promise<void> {
    for (const shard of this.#shards.owned.keys()) await sendLate(this.#deps, shard)
  }

  async #settle(): Promise<void> {
    const engines = new Set([this.#options.id, ...this.#beats.alive('e_')])
    await this.#shards.settle([...engines])
  }

  async #beat(): Promise<void> {
    await this.#options.redis.hincrby(FLEET.beats, this.#options.id, 1)
  }

  async #publishInfo(): Promise<void> {
    const { id, version } = this.#options
    const shards = [...this.#shards.owned.keys()].sort((a, b) => a - b)
    const info: EngineInfo = { id, host: hostname(), pid: process.pid, version, startedAtMs: this.#startedAtMs, shards }
    await this.#options.redis.hset(FLEET.engines, id, JSON.stringify(info))
  }

  async #refreshTools(): Promise<void> {
    const manifests = await this.#options.redis.hgetall(FLEET.tools)
    const parsed = Object.entries(manifests).map(
      ([name, text]) => [name, toolManifestSchema.parse(JSON.parse(text))] as const,
    )
    this.#tools = new Map(parsed)
    await this.#publishInfo()
  }

  /** Runs a chore again and again, never twice at a time; what fails is tried at its next time. */
  #every(ms: number, chore: () => Promise<void>): void {
    let running = false
    const timer = setInterval(() => {
      if (running || this.#stopping) return
      running = true
      chore()
        .catch((error: unknown) => this.#options.logger.warn({ err: error }, 'engine chore failed; it runs again'))
        .finally(() => {
          running = false
        })
    }, ms)
    this.#timers.push(timer)
  }
}
