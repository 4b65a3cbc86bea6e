// Rate limits that the server enforces by itself, as a provider does, and what they saw: the evidence that a fleet kept them.
import { z } from 'zod'
import type { LimitState } from './protocols/protocol.ts'
import { fits } from './rules.ts'

export const limitSchema = z.strictObject({
  /** Model, `*` in it stands for anything; all calls that fit share the limit. One limit for each such text. */
  model: z.string().min(1),
  /** Calls in a window. */
  requests: z.int().positive().optional(),
  /** Tokens in a window: the input of a call when it arrives, its output when it has ended. */
  tokens: z.int().positive().optional(),
  /** Length of the sliding window, milliseconds. */
  windowMs: z.int().positive().default(60_000),
  /** Calls at the same time. */
  concurrency: z.int().positive().optional(),
  /** False: nothing is refused, what would have been is only counted. */
  enforce: z.boolean().default(true),
})
/** As it is given: `windowMs` and `enforce` have defaults. */
export type Limit = z.input<typeof limitSchema>
type ReadLimit = z.output<typeof limitSchema>

const MEASURES = ['requests', 'tokens', 'concurrency'] as const
type Measure = (typeof MEASURES)[number]
type PerMeasure = Record<Measure, number>

/** What a limit saw since it was set. */
export interface LimitReport extends ReadLimit {
  calls: number
  /** Calls above the limit, by what they broke first. */
  violations: PerMeasure
  /** The most that arrived in a window, and the most at the same time; refused calls count too. */
  peak: PerMeasure
}

interface Spent {
  atMs: number
  tokens: number
}

/** A call that a limit let in. */
export interface Admission {
  /** What broke which limit, or null. */
  refused: { measure: Measure; retryAfterSeconds: number } | null
  /** Of the limit that refused, else of the first one: for the headers. */
  state: LimitState
  /** The call has ended. */
  release: (outputTokens: number) => void
}

const none = (): PerMeasure => ({ requests: 0, tokens: 0, concurrency: 0 })
const sum = (list: readonly Spent[]): number => list.reduce((total, { tokens }) => total + tokens, 0)

class Gate {
  readonly limit: ReadLimit
  readonly violations = none()
  readonly peak = none()
  calls = 0
  #admitted: Spent[] = []
  #arrived: Spent[] = []
  #open = 0

  constructor(limit: ReadLimit) {
    this.limit = limit
  }

  /** What the call would break, or null. */
  arrive(now: number, tokens: number): Measure | null {
    const since = now - this.limit.windowMs
    this.#admitted = this.#admitted.filter(({ atMs }) => atMs > since)
    this.#arrived = [...this.#arrived.filter(({ atMs }) => atMs > since), { atMs: now, tokens }]
    this.calls += 1
    this.peak.requests = Math.max(this.peak.requests, this.#arrived.length)
    this.peak.tokens = Math.max(this.peak.tokens, sum(this.#arrived))
    this.peak.concurrency = Math.max(this.peak.concurrency, this.#open + 1)
    const broken = this.#brokenBy(tokens)
    if (broken) this.violations[broken] += 1
    return broken
  }

  #brokenBy(tokens: number): Measure | null {
    const { limit } = this
    if (limit.concurrency !== undefined && this.#open >= limit.concurrency) return 'concurrency'
    if (limit.requests !== undefined && this.#admitted.length >= limit.requests) return 'requests'
    return limit.tokens !== undefined && sum(this.#admitted) + tokens > limit.tokens ? 'tokens' : null
  }

  enter(now: number, tokens: number): (outputTokens: number) => void {
    const spent = { atMs: now, tokens }
    this.#admitted.push(spent)
    this.#open += 1
    return (outputTokens) => {
      spent.tokens += outputTokens
      this.#open -= 1
    }
  }

  /** Milliseconds until a call of so many tokens fits again; calls that are open may end at any time: a second. */
  waitMs(measure: Measure, now: number, tokens: number): number {
    if (measure === 'concurrency') return 1000
    const { requests = Number.POSITIVE_INFINITY, tokens: most = Number.POSITIVE_INFINITY, windowMs } = this.limit
    let left = [...this.#admitted]
    while (left.length > 0 && (left.length >= requests || sum(left) + tokens > most)) {
      const [first] = left
      left = left.slice(1)
      if (left.length < requests && sum(left) + tokens <= most) return Math.max(1, (first?.atMs ?? 0) + windowMs - now)
    }
    return windowMs
  }

  state(now: number): LimitState {
    const last = this.#admitted.at(-1)
    const resetMs = last ? Math.max(0, last.atMs + this.limit.windowMs - now) : 0
    const of = (limit: number | undefined, used: number): LimitState['requests'] =>
      limit === undefined ? null : { limit, remaining: Math.max(0, limit - used), resetMs }
    return {
      requests: of(this.limit.requests, this.#admitted.length),
      tokens: of(this.limit.tokens, sum(this.#admitted)),
    }
  }
}

export class Limits {
  readonly #gates = new Map<string, Gate>()
  readonly #now: () => number

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /** Throws ZodError for what is no limit. Set again, a limit begins anew. */
  set(given: unknown): LimitReport {
    const limit = limitSchema.parse(given)
    const gate = new Gate(limit)
    this.#gates.set(limit.model, gate)
    return reportOf(gate)
  }

  delete(model: string): boolean {
    return this.#gates.delete(model)
  }

  clear(): void {
    this.#gates.clear()
  }

  list(): LimitReport[] {
    return [...this.#gates.values()].map(reportOf)
  }

  /** Whether a call is let in by all limits of its model; one that is must be released. */
  admit(model: string, inputTokens: number): Admission {
    const now = this.#now()
    const gates = [...this.#gates.values()].filter(({ limit }) => fits(limit.model, model))
    const broken = gates.map((gate) => ({ gate, measure: gate.arrive(now, inputTokens) }))
    const refusing = broken.find(({ gate, measure }) => measure !== null && gate.limit.enforce)
    const leaving = refusing ? [] : gates.map((gate) => gate.enter(now, inputTokens))
    return {
      refused: refusing?.measure
        ? {
            measure: refusing.measure,
            retryAfterSeconds: Math.ceil(refusing.gate.waitMs(refusing.measure, now, inputTokens) / 1000),
          }
        : null,
      state: (refusing?.gate ?? gates[0])?.state(now) ?? { requests: null, tokens: null },
      release: (outputTokens) => {
        for (const leave of leaving) leave(outputTokens)
      },
    }
  }
}

const reportOf = ({ limit, calls, violations, peak }: Gate): LimitReport => ({
  ...limit,
  calls,
  violations: { ...violations },
  peak: { ...peak },
})
