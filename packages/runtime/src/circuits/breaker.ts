// Circuit breakers of one process, one per dependency: opossum counts the calls of this worker, and decides by them.
// The fleet's circuits (fleet-breakers.ts) start from these decisions, and fall back on them while Redis is away.
//
// closed    calls go through. More than ERROR_PERCENT of the calls of the last WINDOW_MS failing or slow, with at least
//           VOLUME calls begun in it, opens the circuit.
// open      nothing goes through for RESET_MS; `check` says how long that still is.
// half-open exactly one call goes through (the probe), all others are told to come back in PROBE_WAIT_MS. The
//           probe's success closes the circuit; its failure opens it again, and so does a probe that we broke
//           off ourselves: it said nothing, and opossum would leave the circuit half-open for ever.
//
// opossum's own time-out and its abortController are not used: the latter is shared by all calls of a breaker, so
// one late call would abort healthy ones. Deadlines and signals belong to the attempt.
import type { WorkerInfo } from '@stepfleet/contracts'
import CircuitBreaker from 'opossum'
import { type Counted, createTally, type Judge, type Observed, observe, type Said, type Tally } from './call.ts'
import { CircuitOpen, clock } from './circuit-open.ts'

/** As a worker tells it of itself. */
export type LocalState = WorkerInfo['circuits'][string]

export interface BreakerTuning {
  /** Share of failing calls, in percent, above which a circuit opens. */
  errorPercent: number
  /** Calls within the window below which a circuit never opens: one bad call of two is no outage. */
  volume: number
  /** The window the share is counted over: long enough for model calls, which take seconds. */
  windowMs: number
  /** How long a circuit stays open before it lets a probe through. */
  resetMs: number
  /** What callers are told to wait while the probe is under way. */
  probeWaitMs: number
  /** A call that takes longer counts as a failure, also when its answer is good. */
  slowCallMs: number
  /**
   * Circuits kept (hosts of http tools are unbounded). Beyond it the least recently used closed one is forgotten,
   * or one that waits for its probe; never an open one.
   */
  maxCircuits: number
}

export const BREAKER_TUNING: BreakerTuning = {
  errorPercent: 50,
  volume: 5,
  windowMs: 30_000,
  resetMs: 15_000,
  probeWaitMs: 1_000,
  slowCallMs: Number.POSITIVE_INFINITY,
  maxCircuits: 200,
}

export interface Breakers {
  /** Whether a call would be refused now, and how long to wait then. Never refuses what `run` would let through. */
  check(dependency: string): { open: boolean; retryAfterMs: number }
  /** Runs the action through the circuit. Throws what the action throws, or CircuitOpen without calling it. */
  run<T>(dependency: string, action: () => Promise<T>): Promise<T>
  /** Opens a circuit that somebody else found open. One that was never used stays unknown. */
  open(dependency: string): void
  /** Closes a circuit and forgets what was counted; calls under way go on uncounted. */
  reset(dependency: string): void
  /** Also one that was never used. */
  isClosed(dependency: string): boolean
  states(): Record<string, LocalState>
  /** What has failed lately: `529 ×7, timeout ×2`. */
  failures(dependency: string): string
  /** Ends the timers; calls under way go on uncounted. */
  stop(): void
}

export interface BreakerOptions extends Omit<Judge, 'slowCallMs'> {
  onChange?: (dependency: string, state: LocalState) => void
  /** A call was counted. */
  onCall?: (dependency: string, said: Counted) => void
  tuning?: Partial<BreakerTuning>
}

/** What opossum is told of a call that did not go well. */
class Spoke extends Error {
  readonly said: Said

  constructor(said: Said) {
    super(said.is)
    this.said = said
  }
}

type Opossum = CircuitBreaker<[() => Promise<void>], void>
interface Circuit {
  breaker: Opossum
  openedAtMs: number
  tally: Tally
}

const stateOf = (breaker: Opossum): LocalState => {
  if (breaker.opened) return 'open'
  return breaker.halfOpen ? 'halfOpen' : 'closed'
}

const makeBreaker = (name: string, tuning: BreakerTuning): Opossum => {
  const breaker: Opossum = new CircuitBreaker((action: () => Promise<void>) => action(), {
    name,
    timeout: false,
    errorThresholdPercentage: tuning.errorPercent,
    volumeThreshold: tuning.volume,
    rollingCountTimeout: tuning.windowMs,
    resetTimeout: tuning.resetMs,
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
    // true: counted as a success
    errorFilter: (error: unknown) => error instanceof Spoke && error.said.is === 'nothing' && !breaker.halfOpen,
  })
  return breaker
}

class LocalBreakers implements Breakers {
  readonly #options: BreakerOptions
  readonly #tuning: BreakerTuning
  /** In order of use, the least recently used first. */
  readonly #circuits = new Map<string, Circuit>()

  constructor(options: BreakerOptions) {
    this.#options = options
    this.#tuning = { ...BREAKER_TUNING, ...options.tuning }
  }

  check(dependency: string): { open: boolean; retryAfterMs: number } {
    const circuit = this.#circuits.get(dependency)
    // pendingClose: half-open, and its one call has not been taken
    if (!circuit || circuit.breaker.closed || circuit.breaker.pendingClose) return { open: false, retryAfterMs: 0 }
    return { open: true, retryAfterMs: this.#waitOf(circuit) }
  }

  async run<T>(dependency: string, action: () => Promise<T>): Promise<T> {
    const circuit = this.#use(dependency)
    let observed: Observed<T> | undefined
    const counted = async (): Promise<void> => {
      observed = await observe({ ...this.#options, slowCallMs: this.#tuning.slowCallMs }, action)
      const { said } = observed
      if (said.is === 'failed') circuit.tally.add(said.label)
      if (said.is !== 'nothing') this.#options.onCall?.(dependency, said)
      if (said.is !== 'ok') throw new Spoke(said)
    }
    try {
      await circuit.breaker.fire(counted)
    } catch (error) {
      // all else that opossum throws is a refusal: the action's own errors are in `observed`
      if (!(error instanceof Spoke)) throw this.#refusal(dependency, circuit)
    }
    if (!observed) throw this.#refusal(dependency, circuit)
    return observed.end()
  }

  open(dependency: string): void {
    this.#circuits.get(dependency)?.breaker.open()
  }

  reset(dependency: string): void {
    const circuit = this.#circuits.get(dependency)
    if (!circuit) return
    const wasClosed = circuit.breaker.closed
    circuit.breaker.shutdown()
    this.#circuits.set(dependency, this.#make(dependency))
    if (!wasClosed) this.#options.onChange?.(dependency, 'closed')
  }

  isClosed(dependency: string): boolean {
    return this.#circuits.get(dependency)?.breaker.closed ?? true
  }

  states(): Record<string, LocalState> {
    return Object.fromEntries([...this.#circuits].map(([name, { breaker }]) => [name, stateOf(breaker)]))
  }

  failures(dependency: string): string {
    return this.#circuits.get(dependency)?.tally.text() ?? ''
  }

  stop(): void {
    for (const { breaker } of this.#circuits.values()) breaker.shutdown()
    this.#circuits.clear()
  }

  #use(dependency: string): Circuit {
    const known = this.#circuits.get(dependency)
    if (known) this.#circuits.delete(dependency)
    else if (this.#circuits.size >= this.#tuning.maxCircuits) this.#forgetOne()
    const circuit = known ?? this.#make(dependency)
    this.#circuits.set(dependency, circuit)
    return circuit
  }

  #make(dependency: string): Circuit {
    const { onChange } = this.#options
    const breaker = makeBreaker(dependency, this.#tuning)
    const circuit: Circuit = { breaker, openedAtMs: 0, tally: createTally(this.#tuning.windowMs) }
    breaker.on('open', () => {
      circuit.openedAtMs = performance.now()
      onChange?.(dependency, 'open')
    })
    breaker.on('halfOpen', () => onChange?.(dependency, 'halfOpen'))
    breaker.on('close', () => onChange?.(dependency, 'closed'))
    return circuit
  }

  #forgetOne(): void {
    const all = [...this.#circuits]
    const one = all.find(([, { breaker }]) => breaker.closed) ?? all.find(([, { breaker }]) => breaker.pendingClose)
    if (!one) return
    one[1].breaker.shutdown()
    this.#circuits.delete(one[0])
  }

  #waitOf(circuit: Circuit): number {
    if (!circuit.breaker.opened) return this.#tuning.probeWaitMs
    return Math.max(1, Math.ceil(circuit.openedAtMs + this.#tuning.resetMs - performance.now()))
  }

  #refusal(dependency: string, circuit: Circuit): CircuitOpen {
    const waitMs = this.#waitOf(circuit)
    const failures = circuit.tally.text()
    const sinceMs = Date.now() - (performance.now() - circuit.openedAtMs)
    const next = circuit.breaker.opened ? `next probe at ${clock(Date.now() + waitMs)}` : 'a probe is under way'
    const why = `circuit ${dependency} is open since ${clock(sinceMs)}${failures && ` (${failures})`}; ${next}`
    return new CircuitOpen(dependency, waitMs, why)
  }
}

export const createBreakers = (options: BreakerOptions): Breakers => new LocalBreakers(options)
