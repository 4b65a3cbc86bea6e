// The circuits in Redis: one hash for each dependency that has had trouble, changed by scripts only, in Redis's time. A
// closed one is forgotten after a while, and so is an open one that nobody asks for.
//
// `FLEET.circuits` lists them, in another slot: a name is written there before its hash, so none is ever missing; one
// whose hash is gone is taken out by whoever looks.
import { circuitCallsKey, circuitKey, FLEET, type ForceCircuit } from '@stepfleet/contracts'
import type { ClientContext, Result } from 'ioredis'
import { luaScript, type RedisClient } from '../redis.ts'
import type { Counted, Said } from './call.ts'
import { type Circuit, readTold, type Told } from './circuit.ts'

declare module 'ioredis' {
  interface RedisCommander<Context extends ClientContext> {
    sfCircuitRead(...args: string[]): Result<string, Context>
    sfCircuitTrip(...args: string[]): Result<string, Context>
    sfCircuitEnter(...args: string[]): Result<string, Context>
    sfCircuitReport(...args: string[]): Result<string, Context>
    sfCircuitRenew(...args: string[]): Result<string, Context>
    sfCircuitForce(...args: string[]): Result<string, Context>
    sfCircuitCount(...args: string[]): Result<string, Context>
  }
}

export interface CircuitTuning {
  /** How long a circuit stays open before a probe; doubled with each probe or wave that fails. */
  resetMs: number
  maxResetMs: number
  /** A probe whose holder was not heard of for so long is another's. */
  leaseMs: number
  /** A wave that fewer calls than it admits have come for gives way after so long. */
  waveMs: number
  /** A call of a wave that has not ended after so long does not hold up the others. */
  waveLeaseMs: number
  /** Calls of the last wave. */
  lastWave: number
  /** How long a closed circuit is kept: longer than a worker may be cut off and still know its epoch. */
  closedKeepMs: number
  /** How long an open one is kept that nobody asks for. */
  idleKeepMs: number
}

export const CIRCUIT_TUNING: CircuitTuning = {
  resetMs: 15_000,
  maxResetMs: 120_000,
  leaseMs: 6_000,
  waveMs: 2_000,
  waveLeaseMs: 60_000,
  lastWave: 32,
  closedKeepMs: 3_600_000,
  idleKeepMs: 86_400_000,
}

/** A name without a hash is taken out of the list when it is older: it may have been written a moment before it. */
const NAME_KEPT_MS = 600_000

/** When calls open a circuit: see BreakerTuning. */
export interface Threshold {
  windowMs: number
  volume: number
  errorPercent: number
}

export type Entry = 'closed' | 'probe' | 'wave' | 'refused'

/** Every call rejects when Redis refuses it or is closed; while it is away, calls wait. */
export interface CircuitStore {
  read(dependency: string): Promise<Told>
  /** Those that are or were lately not closed, or are forced. Takes out names of those that were forgotten. */
  list(): Promise<Told[]>
  /** Opens it, if it is closed and nothing has changed since `epoch`. */
  trip(dependency: string, epoch: string, why: string): Promise<Told>
  /**
   * A call has ended that was made while it was closed. Answers what has failed in the whole fleet, as one line, when that
   * is too much; else null.
   */
  count(dependency: string, epoch: string, said: Counted, threshold: Threshold): Promise<string | null>
  enter(dependency: string, token: string): Promise<Told & { entry: Entry }>
  /** How a probe or a call of a wave ended. */
  report(dependency: string, token: string, said: Said): Promise<Told>
  renew(dependency: string, token: string): Promise<Told>
  force(dependency: string, force: ForceCircuit): Promise<Told>
}

const ENTRIES: readonly Entry[] = ['closed', 'probe', 'wave', 'refused']

const script = (file: string) => luaScript(new URL(`../lua/${file}.1.lua`, import.meta.url))
/** Several files, one script: the first ones are what its like have in common. */
const joined = (...files: string[]) => ({
  numberOfKeys: 1,
  lua: files.map((file) => script(`circuit-${file}`).lua).join('\n'),
})

const defineCommands = (client: RedisClient): void => {
  client.defineCommand('sfCircuitRead', joined('state', 'read'))
  client.defineCommand('sfCircuitTrip', joined('state', 'trip'))
  client.defineCommand('sfCircuitEnter', joined('state', 'wave', 'enter'))
  client.defineCommand('sfCircuitReport', joined('state', 'wave', 'report'))
  client.defineCommand('sfCircuitRenew', joined('state', 'renew'))
  client.defineCommand('sfCircuitForce', joined('state', 'force'))
  client.defineCommand('sfCircuitCount', joined('count'))
}

const entryOf = (verdict: string): Entry => {
  const entry = ENTRIES.find((one) => one === verdict)
  if (!entry) throw new Error(`no answer of circuit-enter: ${verdict}`)
  return entry
}

class RedisCircuits implements CircuitStore {
  readonly #client: RedisClient
  readonly #tuning: string

  constructor(client: RedisClient, tuning: CircuitTuning) {
    this.#client = client
    this.#tuning = JSON.stringify(tuning)
  }

  async read(dependency: string): Promise<Told> {
    return readTold(await this.#client.sfCircuitRead(...this.#args(dependency)))
  }

  async list(): Promise<Told[]> {
    const flat = await this.#client.zrange(FLEET.circuits, '0', '-1', 'WITHSCORES')
    const names = flat.filter((_, i) => i % 2 === 0)
    const told = await Promise.all(names.map((name) => this.read(name)))
    const gone = told.filter(({ circuit }, i) => isGone(circuit) && Number(flat[2 * i + 1]) < Date.now() - NAME_KEPT_MS)
    if (gone.length > 0) await this.#client.zrem(FLEET.circuits, ...gone.map(({ circuit }) => circuit.dependency))
    return told.filter(({ circuit }) => !isGone(circuit))
  }

  async trip(dependency: string, epoch: string, why: string): Promise<Told> {
    return this.#listed(dependency, () => this.#client.sfCircuitTrip(...this.#args(dependency, epoch, why)))
  }

  async count(dependency: string, epoch: string, said: Counted, threshold: Threshold): Promise<string | null> {
    const { windowMs, volume, errorPercent } = threshold
    const label = said.is === 'failed' ? said.label : ''
    const args = [label, ...[windowMs, volume, errorPercent].map(String)]
    return (await this.#client.sfCircuitCount(circuitCallsKey(dependency, epoch), ...args)) || null
  }

  async enter(dependency: string, token: string): Promise<Told & { entry: Entry }> {
    const told = readTold(await this.#client.sfCircuitEnter(...this.#args(dependency, token)))
    return { ...told, entry: entryOf(told.verdict) }
  }

  async report(dependency: string, token: string, said: Said): Promise<Told> {
    const why = said.is === 'failed' ? said.label : ''
    return readTold(await this.#client.sfCircuitReport(...this.#args(dependency, token, said.is, why)))
  }

  async renew(dependency: string, token: string): Promise<Told> {
    return readTold(await this.#client.sfCircuitRenew(...this.#args(dependency, token)))
  }

  async force(dependency: string, { force, by = 'api', reason = '' }: ForceCircuit): Promise<Told> {
    const args = this.#args(dependency, force ?? '', by, reason)
    return this.#listed(dependency, () => this.#client.sfCircuitForce(...args))
  }

  /** The name twice: before, so that a crash leaves no hash that is not listed; after, so that nobody has just removed it. */
  async #listed(dependency: string, change: () => Promise<string>): Promise<Told> {
    await this.#client.zadd(FLEET.circuits, Date.now(), dependency)
    const told = readTold(await change())
    await this.#client.zadd(FLEET.circuits, Date.now(), dependency)
    return told
  }

  #args(dependency: string, ...more: string[]): string[] {
    return [circuitKey(dependency), dependency, FLEET.circuitChanges, this.#tuning, ...more]
  }
}

const isGone = ({ epoch }: Circuit): boolean => epoch === '0'

/** Over a connection that is not blocked by others. */
export const createCircuitStore = (client: RedisClient, tuning: Partial<CircuitTuning> = {}): CircuitStore => {
  defineCommands(client)
  return new RedisCircuits(client, { ...CIRCUIT_TUNING, ...tuning })
}
