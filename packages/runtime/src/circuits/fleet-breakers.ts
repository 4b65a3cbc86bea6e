// The circuits of a worker as part of the fleet. A closed one costs a call no waiting: opossum counts it here, Redis is
// told beside it and counts for the fleet, and whichever finds too many failures, the worker opens it for all. One that
// is not closed is asked for in Redis, when its probe is due or while it recovers. While Redis is away, workers keep what
// they last knew, and opossum decides what is due.
import { randomUUID } from 'node:crypto'
import type { Logger } from '../logger.ts'
import type { RedisClient } from '../redis.ts'
import { unlessAborted } from '../task-worker-waiting.ts'
import { BREAKER_TUNING, type Breakers, type BreakerTuning, createBreakers, type LocalState } from './breaker.ts'
import { type Counted, type Judge, observe, type Said } from './call.ts'
import { type Circuit, isPlainlyClosed, whyOf } from './circuit.ts'
import { type CircuitCache, createCircuitCache, type Known } from './circuit-cache.ts'
import { CircuitOpen } from './circuit-open.ts'
import {
  CIRCUIT_TUNING,
  type CircuitStore,
  type CircuitTuning,
  createCircuitStore,
  type Entry,
} from './circuit-store.ts'
import { refusalWaitMs, WAIT_TUNING, type WaitTuning } from './waits.ts'

export interface FleetBreakersTuning extends BreakerTuning, CircuitTuning, WaitTuning {
  /** How long a call waits for Redis to say whether it may go. */
  askMs: number
  refreshMs: number
  /** Circuits that the fleet shares at most; those beyond are each worker's own. */
  maxShared: number
}

const TUNING: FleetBreakersTuning = {
  ...BREAKER_TUNING,
  ...CIRCUIT_TUNING,
  ...WAIT_TUNING,
  askMs: 1_000,
  refreshMs: 2_000,
  maxShared: 1_000,
}

export interface FleetBreakers {
  /** Resolves when the fleet's circuits are known: those that are open stay open for a worker that starts. */
  start(): Promise<void>
  /** Runs the action through the circuit. Throws what the action throws, or CircuitOpen without calling it. */
  run<T>(dependency: string, action: () => Promise<T>): Promise<T>
  /** Calls go through by themselves, by what this worker knows of the fleet's circuit: it need not have used it. */
  isClosed(dependency: string): boolean
  /** Of the circuits that this worker has used. `recovering` is told as `halfOpen`. */
  states(): Record<string, LocalState>
  /** Ends the timers; calls under way go on, and what they say is still told while the connection lives. */
  stop(): void
}

export interface FleetBreakersOptions extends Omit<Judge, 'slowCallMs'> {
  client: RedisClient
  /** Of these breakers alone: they listen. Not closed by them. */
  subscriber: RedisClient
  /** A circuit of the fleet, or of this worker, has changed. */
  onChange?: (dependency: string) => void
  logger: Logger
  tuning?: Partial<FleetBreakersTuning>
}

/** Leave to make one call, to be reported. */
interface Pass {
  dependency: string
  token: string
  entry: Extract<Entry, 'probe' | 'wave'>
}

class SharedBreakers implements FleetBreakers {
  readonly #options: FleetBreakersOptions
  readonly #tuning: FleetBreakersTuning
  readonly #store: CircuitStore
  readonly #local: Breakers
  readonly #cache: CircuitCache
  /** Calls refused by this worker since the circuit's last change. */
  readonly #refused = new Map<string, { epoch: string; count: number }>()
  /** What is being told to Redis that it opened here. */
  readonly #tripping = new Set<string>()
  /** Local breakers are being made to follow: what they say is no news. */
  #following = false
  #stopped = false

  constructor(options: FleetBreakersOptions) {
    const { client, subscriber, logger } = options
    this.#options = options
    this.#tuning = { ...TUNING, ...options.tuning }
    this.#store = createCircuitStore(client, circuitTuning(this.#tuning))
    this.#local = createBreakers({
      ...options,
      tuning: this.#tuning,
      onChange: (dependency, state) => this.#onLocal(dependency, state),
      onCall: (dependency, said) => this.#count(dependency, said),
    })
    this.#cache = createCircuitCache({
      ...{ store: this.#store, subscriber, logger, refreshMs: this.#tuning.refreshMs },
      onChange: (circuit, before) => this.#onShared(circuit, before),
      onRefresh: () => this.#tellOpen(),
    })
  }

  start(): Promise<void> {
    return this.#cache.start()
  }

  async run<T>(dependency: string, action: () => Promise<T>): Promise<T> {
    const known = this.#cache.get(dependency)
    if (!known || isPlainlyClosed(known.circuit)) return this.#local.run(dependency, action)
    // past opossum: it would refuse what an operator lets through
    if (known.circuit.forced === 'closed') return action()
    if (!isDue(known)) throw this.#refusal(known)
    const token = randomUUID()
    const entered = await this.#enter(dependency, token)
    if (entered === null) return this.#runAway(known, action)
    const { entry } = entered
    if (entry === 'refused') throw this.#refusal(entered.known)
    if (entry === 'closed') return this.#local.run(dependency, action)
    return this.#runPass({ dependency, token, entry }, action)
  }

  isClosed(dependency: string): boolean {
    const shared = this.#cache.get(dependency)?.circuit
    if (shared && !isPlainlyClosed(shared)) return shared.forced === 'closed'
    return this.#local.isClosed(dependency)
  }

  states(): Record<string, LocalState> {
    const states = Object.entries(this.#local.states()).map(([name, local]): [string, LocalState] => {
      const shared = this.#cache.get(name)?.circuit.state ?? 'closed'
      if (shared === 'closed') return [name, local]
      return [name, shared === 'recovering' ? 'halfOpen' : shared]
    })
    return Object.fromEntries(states)
  }

  stop(): void {
    this.#stopped = true
    this.#cache.stop()
    this.#local.stop()
  }

  /** null: Redis did not say. */
  async #enter(dependency: string, token: string): Promise<{ entry: Entry; known: Known } | null> {
    if (this.#options.client.status !== 'ready') return null
    const askedMs = performance.now()
    let waiting = true
    const answer = this.#store.enter(dependency, token).then((told) => {
      const known = this.#cache.learn(told, askedMs)
      // granted to a call that has gone: the next one may have it
      if (!waiting && (told.entry === 'probe' || told.entry === 'wave'))
        this.#report({ dependency, token, entry: told.entry }, { is: 'nothing' })
      return { entry: told.entry, known }
    })
    try {
      return (await unlessAborted(answer, AbortSignal.timeout(this.#tuning.askMs)))?.value ?? null
    } catch (error) {
      this.#options.logger.warn({ err: error, dependency }, 'circuit could not be asked for')
      return null
    } finally {
      waiting = false
    }
  }

  /** What is due by what was last known, and Redis does not answer: opossum has followed, and knows its own time. */
  #runAway<T>(known: Known, action: () => Promise<T>): Promise<T> {
    const { dependency } = known.circuit
    if (dependency in this.#local.states()) return this.#local.run(dependency, action)
    throw this.#refusal(known)
  }

  async #runPass<T>(pass: Pass, action: () => Promise<T>): Promise<T> {
    const lives = pass.entry === 'probe' ? this.#holdProbe(pass) : undefined
    const { slowCallMs } = this.#tuning
    const { said, end } = await observe({ ...this.#options, slowCallMs }, action)
    clearInterval(lives)
    this.#report(pass, said)
    return end()
  }

  #holdProbe({ dependency, token }: Pass): NodeJS.Timeout {
    const { client, logger } = this.#options
    return setInterval(() => {
      // a renewal that waits for Redis to come back would be none
      if (client.status !== 'ready') return
      this.#store
        .renew(dependency, token)
        .catch((error: unknown) => logger.debug({ err: error, dependency }, 'probe not renewed'))
    }, this.#tuning.leaseMs / 3)
  }

  /** Not waited for by the call. While Redis is away it is sent later: the token says whether it still counts. */
  #report({ dependency, token }: Pass, said: Said): void {
    const askedMs = performance.now()
    this.#store.report(dependency, token, said).then(
      (told) => {
        this.#cache.learn(told, askedMs)
      },
      (error: unknown) => this.#options.logger.debug({ err: error, dependency }, 'end of a probe not told'),
    )
  }

  #refusal(known: Known): CircuitOpen {
    const { circuit, aheadMs } = known
    const { dependency, epoch } = circuit
    const before = this.#refused.get(dependency)
    const nth = before?.epoch === epoch ? before.count : 0
    this.#refused.set(dependency, { epoch, count: nth + 1 })
    const given = { nowMs: performance.now() + aheadMs, nth, chance: Math.random() }
    const waitMs = refusalWaitMs(circuit, given, this.#tuning)
    return new CircuitOpen(dependency, waitMs, whyOf(circuit) ?? `circuit ${dependency} is open`)
  }

  #onLocal(dependency: string, state: LocalState): void {
    const shared = this.#cache.get(dependency)?.circuit
    // what opossum does while it follows the fleet is no news
    if (this.#following || (shared && !isPlainlyClosed(shared))) return
    this.#options.logger.warn({ dependency, state }, 'circuit changed by own calls')
    this.#options.onChange?.(dependency)
    if (state === 'open') this.#trip(dependency, this.#local.failures(dependency))
  }

  /**
   * Five workers with a failure each have seen an outage that none of them alone would call one. Not waited for by the
   * call; while Redis is away each worker has only its own count.
   */
  #count(dependency: string, said: Counted): void {
    const { client, logger } = this.#options
    const known = this.#cache.get(dependency)
    if (this.#stopped || client.status !== 'ready' || (known && !isPlainlyClosed(known.circuit))) return
    this.#store.count(dependency, known?.circuit.epoch ?? '0', said, this.#tuning).then(
      (why) => {
        if (why !== null) this.#trip(dependency, why)
      },
      (error: unknown) => logger.debug({ err: error, dependency }, 'call not counted for the fleet'),
    )
  }

  /** Opens it for all. What opened here and does not get through is told after the next refresh. */
  #trip(dependency: string, why: string): void {
    const { client, logger } = this.#options
    const known = this.#cache.get(dependency)
    if (this.#stopped || this.#tripping.has(dependency) || client.status !== 'ready') return
    if (!known && this.#cache.size() >= this.#tuning.maxShared) {
      logger.warn({ dependency }, 'too many circuits: not shared with the fleet')
      return
    }
    this.#tripping.add(dependency)
    const askedMs = performance.now()
    this.#store
      .trip(dependency, known?.circuit.epoch ?? '0', why)
      .then((told) => {
        const { circuit } = this.#cache.learn(told, askedMs)
        // it was opened and closed again since, or an operator holds it closed: counted anew
        if (told.verdict === 'kept' && circuit.state === 'closed') this.#follow(() => this.#local.reset(dependency))
      })
      .catch((error: unknown) => logger.warn({ err: error, dependency }, 'open circuit not shared yet'))
      .finally(() => this.#tripping.delete(dependency))
  }

  /** What opened here while Redis was away, and still is. */
  #tellOpen(): void {
    for (const [dependency, state] of Object.entries(this.#local.states())) {
      const shared = this.#cache.get(dependency)?.circuit
      if (state === 'open' && (!shared || isPlainlyClosed(shared)))
        this.#trip(dependency, this.#local.failures(dependency))
    }
  }

  #onShared(circuit: Circuit, before: Circuit | undefined): void {
    const { dependency, state, forced, why } = circuit
    this.#follow(() => {
      if (state !== 'closed') this.#local.open(dependency)
      // failures of the time before would open it again at the first new one
      else if (forced === 'closed' || (before && before.state !== 'closed')) this.#local.reset(dependency)
    })
    if (state !== 'closed') this.#options.logger.warn({ dependency, state, forced, why }, 'circuit')
    else if (before) {
      this.#refused.delete(dependency)
      this.#options.logger.info({ dependency, state, forced }, 'circuit')
    }
    this.#options.onChange?.(dependency)
  }

  #follow(act: () => void): void {
    this.#following = true
    act()
    this.#following = false
  }
}

const circuitTuning = (tuning: FleetBreakersTuning): CircuitTuning => {
  const { resetMs, maxResetMs, leaseMs, waveMs, waveLeaseMs, lastWave, closedKeepMs, idleKeepMs } = tuning
  return { resetMs, maxResetMs, leaseMs, waveMs, waveLeaseMs, lastWave, closedKeepMs, idleKeepMs }
}

/** Whether Redis has to be asked: by what is known, a call may go through. */
const isDue = ({ circuit, aheadMs }: Known): boolean => {
  if (circuit.forced === 'open') return false
  const nowMs = performance.now() + aheadMs
  switch (circuit.state) {
    case 'open':
      return nowMs >= circuit.probeAtMs
    case 'halfOpen':
      return nowMs >= circuit.probeUntilMs
    case 'recovering':
    case 'closed':
      return true
  }
}

export const createFleetBreakers = (options: FleetBreakersOptions): FleetBreakers => new SharedBreakers(options)
