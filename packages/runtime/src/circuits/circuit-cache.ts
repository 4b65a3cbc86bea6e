// What a worker knows of the fleet's circuits, so that a call asks nobody: told by messages, which may be lost, and read
// anew every few seconds and after each break of the connection. Redis is the truth; this is what was last seen of it.
import { FLEET } from '@stepfleet/contracts'
import type { Logger } from '../logger.ts'
import type { RedisClient } from '../redis.ts'
import { type Circuit, readTold, type Told } from './circuit.ts'
import type { CircuitStore } from './circuit-store.ts'

/** How often all is read. With the messages lost, a circuit that opened is known after this. */
const REFRESH_MS = 2_000

export interface Known {
  circuit: Circuit
  /** Redis's clock less ours (monotonic): a little late, by the time the news took. */
  aheadMs: number
  /** Our clock when it was learnt. */
  atMs: number
}

export interface CircuitCache {
  get(dependency: string): Known | undefined
  /** Takes a reply to what was asked at `askedMs` (our clock); answers what is known then. */
  learn(told: Told, askedMs: number): Known
  /** How many circuits the fleet's list has. */
  size(): number
  /** Resolves when all was read once. */
  start(): Promise<void>
  stop(): void
}

export interface CircuitCacheOptions {
  store: CircuitStore
  /** Of this cache alone: it listens. */
  subscriber: RedisClient
  /** Something was learnt of a circuit that has changed. `before` undefined: nothing was known. */
  onChange: (circuit: Circuit, before: Circuit | undefined) => void
  /** All was read. */
  onRefresh?: () => void
  logger: Logger
  refreshMs?: number
}

class Cache implements CircuitCache {
  readonly #options: CircuitCacheOptions
  readonly #known = new Map<string, Known>()
  #timer: NodeJS.Timeout | undefined
  #refreshing: Promise<void> | null = null
  #listening = false
  #size = 0

  constructor(options: CircuitCacheOptions) {
    this.#options = options
  }

  get(dependency: string): Known | undefined {
    return this.#known.get(dependency)
  }

  size(): number {
    return this.#size
  }

  learn(told: Told, askedMs: number): Known {
    const known = this.#known.get(told.circuit.dependency)
    // what was learnt after the question may be newer than its answer; else the answer counts, also when it is older:
    // then Redis has lost its last changes
    const newer = !known || Number(told.circuit.epoch) >= Number(known.circuit.epoch) || known.atMs < askedMs
    return newer ? this.#take(told, known) : known
  }

  async start(): Promise<void> {
    const { subscriber, refreshMs = REFRESH_MS } = this.#options
    subscriber.on('message', this.#onMessage)
    subscriber.on('ready', this.#listen)
    this.#listen()
    await this.#refresh()
    this.#timer = setInterval(() => {
      // also finds out that the connection is dead: nothing else is ever sent on it
      this.#listen()
      if (subscriber.status !== 'ready') void this.#refresh().catch(this.#ignored)
    }, refreshMs)
  }

  stop(): void {
    const { subscriber } = this.#options
    clearInterval(this.#timer)
    subscriber.off('message', this.#onMessage)
    subscriber.off('ready', this.#listen)
  }

  readonly #ignored = (error: unknown): void => {
    this.#options.logger.debug({ err: error }, 'circuits not read')
  }

  readonly #onMessage = (_channel: string, json: string): void => {
    try {
      const told = readTold(json)
      const known = this.#known.get(told.circuit.dependency)
      if (!known || Number(told.circuit.epoch) > Number(known.circuit.epoch)) this.#take(told, known)
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'news of a circuit cannot be read')
    }
  }

  /** All is read again after it was answered: messages of the time before may be lost. */
  readonly #listen = (): void => {
    if (this.#listening) return
    this.#listening = true
    this.#options.subscriber
      .subscribe(FLEET.circuitChanges)
      .finally(() => {
        this.#listening = false
      })
      // one that is under way may have been answered before
      .then(() => this.#refreshing)
      .then(() => this.#refresh())
      .catch(this.#ignored)
  }

  #refresh(): Promise<void> {
    this.#refreshing ??= this.#readAll().finally(() => {
      this.#refreshing = null
    })
    return this.#refreshing
  }

  async #readAll(): Promise<void> {
    const { store, onRefresh } = this.#options
    const askedMs = performance.now()
    const listed = await store.list()
    this.#size = listed.length
    const names = new Set(listed.map(({ circuit }) => circuit.dependency))
    const others = [...this.#known.keys()].filter((name) => !names.has(name))
    const rest = await Promise.all(others.map((name) => store.read(name)))
    for (const told of [...listed, ...rest]) {
      const { circuit } = this.learn(told, askedMs)
      // forgotten by Redis: as if never heard of
      if (circuit.epoch === '0') this.#known.delete(circuit.dependency)
    }
    onRefresh?.()
  }

  #take({ nowMs, circuit }: Told, before: Known | undefined): Known {
    const atMs = performance.now()
    const known = { circuit, aheadMs: nowMs - atMs, atMs }
    this.#known.set(circuit.dependency, known)
    if (before?.circuit.epoch !== circuit.epoch) this.#options.onChange(circuit, before?.circuit)
    return known
  }
}

export const createCircuitCache = (options: CircuitCacheOptions): CircuitCache => new Cache(options)
