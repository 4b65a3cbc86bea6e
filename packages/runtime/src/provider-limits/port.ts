// Limits of model providers, as the workers see them: requests and tokens per minute, calls at a time, pauses. Two keep
// them: memory (tests) and Redis (the fleet). One conformance suite (conformance.fixture.ts) runs against both.
//
// meter    What was granted. Each call moves the meter of a rate on by its share of a minute; a next one is granted
//          when the meter is not ahead of the clock, but for `burstMs`. Source: virtual scheduling (GCRA), ITU-T I.371.
// ticket   A place in line, kept under the task's name. The first refusal hands it out, and says when to come back.
//          Who is back in its slot is granted what it asks, unless the fleet has fallen behind: then it is told anew.
// slot     When a ticket's turn is: the meter, plus all the work of the tickets before it. So a pause, a stall or a
//          lowered limit moves everyone, in order, and no list has to be rewritten.
// away     A ticket whose holder is late: those behind it are no longer told to wait for it. Back, it goes first.

/** Tokens of a call; whole numbers. */
export interface Tokens {
  input: number
  output: number
}

export interface LimitAsk {
  /** `<provider>/<model>`. Its limits are judged alone, but for the concurrency of the provider. */
  dependency: string
  /** The same for every delivery, so that the place in line survives: `<ns>~<run>.<path>.<attempt>`. */
  task: string
  /** Of this delivery, no spaces: asked again under it, a grant is the same grant; under another, a second call. */
  token: string
  /** What the call will probably use. */
  tokens: Tokens
}

/** Leave to make one call. To be settled. */
export interface Permit extends LimitAsk {
  /** Redis time of the grant. */
  atMs: number
}

/** What a task waits for. `recovering`: its turn after a pause, where no limit of requests is configured. */
export type LimitReason =
  | 'paused'
  | 'recovering'
  | 'requests'
  | 'input_tokens'
  | 'output_tokens'
  | 'concurrency'
  | 'provider_concurrency'

export interface Refusal {
  granted: false
  dependency: string
  /** When to ask again: at least 1. Its own turn, or a look at the line before it. */
  retryAfterMs: number
  reason: LimitReason
  /** For a person. */
  why: string
}

export type LimitAnswer = { granted: true; permit: Permit } | Refusal

/** What one dependency may; null: no limit. */
export interface DependencyLimits {
  requestsPerMinute: number | null
  inputTokensPerMinute: number | null
  outputTokensPerMinute: number | null
  /** Calls of this model at a time. */
  concurrency: number | null
  /** Calls of all models of its provider at a time. */
  providerConcurrency: number | null
}

/** The limits of `<provider>/<model>`, by this process's configuration. */
export type LimitsOf = (dependency: string) => DependencyLimits

/** What the fleet view shows of a dependency. */
export interface DependencyState {
  dependency: string
  /** As the last one to ask named them. */
  limits: DependencyLimits
  /** Tickets in line, without those that are away. */
  waiting: number
  /** Calls under way, of this model and of its provider. */
  running: number
  providerRunning: number
  /** Used in the last minute: the minute of the clock, and the share of the one before that is still in it. */
  used: { requests: number; inputTokens: number; outputTokens: number }
  /** null: it is not paused. */
  paused: { untilMs: number; why: string } | null
}

/**
 * Each ask is judged by the limits its own process has, so a change takes effect as processes get it; until all have
 * it, the fleet's rate lies between the two. Rejects only when the connection is closed: while Redis is away calls
 * wait, as claims do, so nothing is sent unmetered.
 */
export interface ProviderLimits {
  acquire(ask: LimitAsk): Promise<LimitAnswer>
  /**
   * Ends a call: its place is free, and its tokens are counted as what they were. `null`: it was never sent, so it is
   * given back whole. A second one for the same permit does nothing. Nobody needs to wait for it.
   */
  settle(permit: Permit, used: Tokens | null): Promise<void>
  /** Grants nothing of the dependency for so long, at most `longestPauseMs`. The longest pause wins. */
  pause(dependency: string, forMs: number, why: string): Promise<void>
  states(): Promise<DependencyState[]>
  /** Ends the timers. Permits that are not settled run out with their lease. */
  stop(): void
}

export interface LimitTuning {
  /** How much of its rate a dependency may be ahead: see `requestBurstUs`. */
  burstMs: number
  /** A ticket that is so late is away. One whose turn it is also waits so long for those before it. */
  lateMs: number
  /** A ticket that is away is kept for so long. */
  forgottenMs: number
  /** Who has to wait longer than this comes back half-way, to see whether the line has become shorter. */
  nearMs: number
  /** But at the latest after this. */
  farMs: number
  /** A place is free again when its worker has not been heard of for so long. */
  leaseMs: number
  /** The next in line for a place looks again after this at the latest. */
  placeMs: number
  /** After a pause, where no limit of requests is configured: requests per minute at first … */
  waveStart: number
  /** … doubled each … */
  waveDoubleMs: number
  /** … until this after the pause, when there is no limit any more. */
  waveSpanMs: number
  longestPauseMs: number
}

export const LIMIT_TUNING: LimitTuning = {
  burstMs: 500,
  lateMs: 5_000,
  forgottenMs: 3_600_000,
  nearMs: 60_000,
  farMs: 600_000,
  leaseMs: 30_000,
  placeMs: 1_000,
  waveStart: 300,
  waveDoubleMs: 5_000,
  waveSpanMs: 60_000,
  longestPauseMs: 3_600_000,
}

/**
 * How far ahead of the clock the meter of requests may be, microseconds, so that with a burst of half a second no second
 * sees more than one and a half of the rate; at least one call, and the whole calls the rate itself needs (61 a minute
 * need two in some second). From n calls within 1 s needing `n * each < 1 s + burst`. Any minute: `limit + 1 + burst`.
 */
export const requestBurstUs = (perMinute: number | null, burstMs: number): number => {
  const burstUs = burstMs * 1_000
  if (perMinute === null) return burstUs
  const eachUs = Math.ceil(60_000_000 / perMinute)
  const most = Math.max(Math.ceil(1_000_000 / eachUs), Math.floor((1_000_000 + burstUs) / eachUs))
  return Math.min(eachUs + burstUs, (most + 1) * eachUs - 1_000_000)
}

/** How long a call is taken to last before one of the dependency was seen to end, microseconds. */
export const MEAN_US = 5_000_000

/** The parts of `<provider>/<model>`. Throws RangeError for anything else. */
export const splitDependency = (dependency: string): { provider: string; model: string } => {
  const cut = dependency.indexOf('/')
  if (cut < 1 || cut === dependency.length - 1 || /[\s{}]/.test(dependency)) {
    throw new RangeError(`a dependency with limits is written <provider>/<model>, not "${dependency}"`)
  }
  return { provider: dependency.slice(0, cut), model: dependency.slice(cut + 1) }
}

const REASONS: Record<Exclude<LimitReason, 'paused'>, string> = {
  recovering: 'calls are let through in growing numbers after a pause',
  requests: 'its limit of requests per minute is reached',
  input_tokens: 'its limit of input tokens per minute is reached',
  output_tokens: 'its limit of output tokens per minute is reached',
  concurrency: 'its limit of calls at a time is reached',
  provider_concurrency: 'the limit of calls at a time of its provider is reached',
}

/** `pauseWhy`: what was said of the pause. */
export const refusal = (
  dependency: string,
  {
    retryAfterMs,
    ahead,
    reason,
    pauseWhy,
  }: { retryAfterMs: number; ahead: number; reason: LimitReason; pauseWhy: string },
): Refusal => {
  const cause = reason === 'paused' ? `it is paused: ${pauseWhy}` : REASONS[reason]
  const line = ahead > 0 ? `, ${ahead} wait before` : ''
  return { granted: false, dependency, retryAfterMs, reason, why: `${dependency}: ${cause}${line}`.slice(0, 400) }
}

/** Throws RangeError for an ask that would spoil what is kept. */
export const checkAsk = ({ dependency, task, token, tokens }: LimitAsk): void => {
  splitDependency(dependency)
  if (task === '' || token === '' || /\s/.test(token)) throw new RangeError('a task and a token are not empty')
  checkTokens(tokens)
}

export const checkTokens = ({ input, output }: Tokens): void => {
  for (const count of [input, output]) {
    if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`${count} is no number of tokens`)
  }
}
