// Losses: the claims of dead workers become `lost` commands, through the mailbox like everything else.
import { type CommandOf, FLEET, parseTaskId } from '@stepfleet/contracts'
import type { Logger, RedisClient } from '@stepfleet/runtime'
import type { Store } from '../store/port.ts'
import type { BeatWatch } from './beats.ts'

/** What a dead process said of itself is forgotten after this. */
const FORGET_MS = 300_000

export interface LossesDeps {
  store: Store
  redis: Pick<RedisClient, 'hdel'>
  beats: BeatWatch
  engine: string
  logger: Logger
  shards(): Iterable<number>
}

export class Losses {
  readonly #deps: LossesDeps
  /** Dead workers whose claims of a shard have been handed in, by `<shard> <worker>`. */
  readonly #done = new Set<string>()

  constructor(deps: LossesDeps) {
    this.#deps = deps
  }

  /** Hands in the claims of these workers, and of workers that nobody has heard of, in all owned shards. */
  async handIn(dead: readonly string[]): Promise<void> {
    const workers = dead.filter((id) => !id.startsWith('e_'))
    for (const key of this.#done) if (this.#deps.beats.isAlive(key.slice(key.indexOf(' ') + 1))) this.#done.delete(key)
    for (const worker of workers) {
      await Promise.all([...this.#deps.shards()].map((shard) => this.#handInShard(shard, worker)))
      if (this.#deps.beats.silentMs(worker) > FORGET_MS) await this.#forget(worker)
    }
  }

  /** A shard that was just taken: claims may be left of workers that died while nobody owned it. */
  async takeOver(shard: number): Promise<void> {
    for (const worker of await this.#deps.store.claimants(shard)) {
      this.#done.delete(`${shard} ${worker}`)
      if (!this.#deps.beats.isAlive(worker)) await this.#handInShard(shard, worker)
    }
  }

  async #handInShard(shard: number, worker: string): Promise<void> {
    const key = `${shard} ${worker}`
    if (this.#done.has(key)) return
    this.#done.add(key)
    const { store, logger } = this.#deps
    try {
      const tasks = await store.claimsOf(shard, worker)
      for (const task of tasks) await this.#lose(task, worker)
      const by = this.#deps.beats.causeOf(worker)
      if (tasks.length > 0) logger.warn({ worker, shard, tasks, by }, 'worker died; its tasks go out again')
      else await store.forgetClaimant(shard, worker)
    } catch (error) {
      this.#done.delete(key)
      logger.warn({ err: error, worker, shard }, 'claims of a dead worker could not be read; trying again')
    }
  }

  async #lose(task: string, worker: string): Promise<void> {
    const ref = parseTaskId(task)
    if (!ref) return
    const { ns, run, path, attempt, delivery } = ref
    const entry = (await this.#deps.store.out(ns, run, [path])).get(path)
    if (entry?.worker !== worker || entry.reported) return
    const by = { kind: 'engine' as const, id: this.#deps.engine }
    const command: CommandOf<'lost'> = {
      type: 'lost',
      id: `lost/${task}`,
      ns,
      run,
      by,
      path,
      attempt,
      delivery,
      worker,
      begun: entry.begun,
    }
    await this.#deps.store.send(command)
  }

  async #forget(worker: string): Promise<void> {
    await this.#deps.redis.hdel(FLEET.beats, worker)
    await this.#deps.redis.hdel(FLEET.workers, worker)
  }
}
