// Circuit breakers, one per dependency: a dependency that keeps failing is left alone for a while.
//
// closed    calls go through. More than ERROR_PERCENT of the calls of the last WINDOW_MS failing, with at least
//           VOLUME calls begun in it, opens the circuit.
// open      nothing goes through for RESET_MS; `check` says how long that still is.
// half-open exactly one call goes through (the probe), all others are told to come back in PROBE_WAIT_MS. The
//           probe's success closes the circuit; its failure opens it again, and so does a probe that we broke
//           off ourselves: it said nothing, and opossum would leave the circuit half-open for ever.
//
// opossum's own time-out and its abortController are not used: the latter is shared by all calls of a breaker, so
// one late call would abort healthy ones. Deadlines and signals belong to the attempt.
import CircuitBreaker from 'opossum'

export type CircuitState = 'closed' | 'open' | 'halfOpen'

/**
 * Whom an error speaks against. `dependency`: counts as a failure. `caller`: our own mistake; the dependency
 * answered, so it counts as a success. `nobody`: the call was broken off by us (cancelled, draining).
 */
export type Blame = 'dependency' | 'caller' | 'nobody'

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
  maxCircuits: 200,
}

export interface Breakers {
  /** Whether a call would be refused now, and how long to wait then. Never refuses what `run` would let through. */
  check(dependency: string): { open: boolean; retryAfterMs: number }
  /** Runs the action through the circuit. Throws what the action throws, or CircuitOpen without calling it. */
  run<T>(dependency: string, action: () => Promise<T>): Promise<T>
  states(): Record<string, CircuitState>
  /** Ends the timers; calls under way go on uncounted. */
  stop(): void
}

export interface BreakerOptions {
  blame: (error: unknown) => Blame
  onChange?: (dependency: string, state: CircuitState) => void
  tuning?: Partial<BreakerTuning>
}

/** The circuit refused the call; the action was not called. */
export class CircuitOpen extends Error {
  readonly retryAfterMs: number

  constructor(dependency: string, retryAfterMs: number) {
    super(`circuit ${dependency} open`)
    this.name = 'CircuitOpen'
    this.retryAfterMs = retryAfterMs
  }
}

type Opossum = CircuitBreaker<[() => Promise<void>], void>
interface Circuit {
  breaker: Opossum
  openedAtMs: number
}

const stateOf = (breaker: Opossum): CircuitState => {
  if (breaker.opened) return 'open'
  return breaker.halfOpen ? 'halfOpen' : 'closed'
}

/** Inside opossum an errorFilter that throws leaves its call unsettled for ever. */
const blameSafely = (options: BreakerOptions, error: unknown): Blame => {
  try {
    return options.blame(error)
  } catch {
    return 'nobody'
  }
}

const makeCircuit = (dependency: string, tuning: BreakerTuning, options: BreakerOptions): Circuit => {
  const breaker: Opossum = new CircuitBreaker((action: () => Promise<void>) => action(), {
    name: dependency,
    timeout: false,
    errorThresholdPercentage: tuning.errorPercent,
    volumeThreshold: tuning.volume,
    rollingCountTimeout: tuning.windowMs,
    resetTimeout: tuning.resetMs,
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
    // true: counted as a success
    errorFilter: (error: unknown) => {
      const blame = blameSafely(options, error)
      return blame === 'caller' || (blame === 'nobody' && !breaker.halfOpen)
    },
  })
  const circuit: Circuit = { breaker, openedAtMs: 0 }
  breaker.on('open', () => {
    circuit.openedAtMs = performance.now()
    options.onChange?.(dependency, 'open')
  })
  breaker.on('halfOpen', () => options.onChange?.(dependency, 'halfOpen'))
  breaker.on('close', () => options.onChange?.(dependency, 'closed'))
  return circuit
}

export const createBreakers = (options: BreakerOptions): Breakers => {
  const tuning = { ...BREAKER_TUNING, ...options.tuning }
  // in order of use, the least recently used first
  const circuits = new Map<string, Circuit>()

  const forgetOne = (): void => {
    const all = [...circuits]
    const one = all.find(([, { breaker }]) => breaker.closed) ?? all.find(([, { breaker }]) => breaker.pendingClose)
    if (!one) return
    one[1].breaker.shutdown()
    circuits.delete(one[0])
  }

  const use = (dependency: string): Circuit => {
    const known = circuits.get(dependency)
    if (known) circuits.delete(dependency)
    else if (circuits.size >= tuning.maxCircuits) forgetOne()
    const circuit = known ?? makeCircuit(dependency, tuning, options)
    circuits.set(dependency, circuit)
    return circuit
  }

  const waitOf = (circuit: Circuit): number => {
    if (!circuit.breaker.opened) return tuning.probeWaitMs
    return Math.max(1, Math.ceil(circuit.openedAtMs + tuning.resetMs - performance.now()))
  }

  return {
    check: (dependency) => {
      const circuit = circuits.get(dependency)
      // pendingClose: half-open, and its one call has not been taken
      if (!circuit || circuit.breaker.closed || circuit.breaker.pendingClose) return { open: false, retryAfterMs: 0 }
      return { open: true, retryAfterMs: waitOf(circuit) }
    },
    run: (dependency, action) =>
      new Promise((resolve, reject) => {
        const circuit = use(dependency)
        let settle = () => {}
        const counted = async (): Promise<void> => {
          const value = await action()
          settle = () => resolve(value)
        }
        const refused = (error: unknown): void => {
          const ours = error instanceof Error && CircuitBreaker.isOurError(error)
          reject(ours ? new CircuitOpen(dependency, waitOf(circuit)) : error)
        }
        circuit.breaker.fire(counted).then(() => settle(), refused)
      }),
    states: () => Object.fromEntries([...circuits].map(([name, { breaker }]) => [name, stateOf(breaker)])),
    stop: () => {
      for (const { breaker } of circuits.values()) breaker.shutdown()
      circuits.clear()
    },
  }
}
