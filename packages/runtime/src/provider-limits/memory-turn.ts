// When the turn of a task is, over plain data: what provider-slot.7.lua works out.
import {
  type DependencyLimits,
  type LimitReason,
  type LimitTuning,
  MEAN_US,
  requestBurstUs,
  type Tokens,
} from './port.ts'

export const MINUTE_US = 60_000_000

/** Requests, input tokens, output tokens. */
export type Three = [number, number, number]
export const AXES = [0, 1, 2] as const

export interface Ticket {
  /** The work of the tickets handed out before it. */
  mark: Three
  work: Three
  slotUs: number
  returnUs: number
  away: boolean
}

/** What is kept of a model, but for its lists. */
export interface Meters {
  tat: Three
  /** Work of the tickets that were handed out, and of those that are done. */
  queued: Three
  served: Three
  /** End of the last pause. */
  openUs: number
  /** Length of a call; null: none has ended yet. */
  meanUs: number | null
  limits: DependencyLimits
}

export interface Turn {
  slotUs: number
  fromUs: number
  /** No meter and no lack of places is in its way. */
  fits: boolean
  /** Nor anybody who waits. */
  first: boolean
  reason: LimitReason
  ahead: number
  cost: Three
}

/** Calls under way. */
export interface Running {
  model: number
  provider: number
}

const RATE_REASONS = ['requests', 'input_tokens', 'output_tokens'] as const

export const workOf = ({ input, output }: Tokens): Three => [1, input, output]

export const add = (to: Three, work: Three, sign = 1): void => {
  for (const d of AXES) to[d] += sign * work[d]
}

export const ratesOf = (limits: DependencyLimits): Three => [
  limits.requestsPerMinute ?? 0,
  limits.inputTokensPerMinute ?? 0,
  limits.outputTokensPerMinute ?? 0,
]

const later = (turn: Turn, slotUs: number, reason: LimitReason): void => {
  if (slotUs > turn.slotUs) Object.assign(turn, { slotUs, reason })
}

/** After a pause, where no limit of requests is configured: the rate now, that grows. null: there is none. */
const wave = (meters: Meters, turn: Turn, nowUs: number, tuning: LimitTuning): number | null => {
  const { waveStart, waveDoubleMs, waveSpanMs } = tuning
  const { openUs, limits } = meters
  if (limits.requestsPerMinute !== null || openUs === 0 || nowUs >= openUs + waveSpanMs * 1_000) return null
  const doubleUs = waveDoubleMs * 1_000
  const grown = 2 ** (Math.max(0, nowUs - openUs) / doubleUs)
  // the rate grows as start * 2^(t / double); the sum of it up to t is solved for those ahead
  const sum = grown + (turn.ahead * (MINUTE_US / waveStart) * Math.LN2) / doubleUs
  later(turn, openUs + doubleUs * Math.log2(sum), 'recovering')
  return waveStart * grown
}

const place = (turn: Turn, room: number, eachUs: number, reason: LimitReason, placeMs: number): void => {
  if (turn.ahead < room) return
  turn.fits &&= room > 0
  turn.first = false
  const nextUs = Math.min(eachUs, placeMs * 1_000)
  later(turn, turn.fromUs + nextUs + eachUs * (turn.ahead - Math.max(0, room)), reason)
}

export const turnOf = (
  meters: Meters,
  { mark, work, running }: { mark: Three; work: Three; running: Running },
  nowUs: number,
  tuning: LimitTuning,
): Turn => {
  const { limits, openUs, served, tat, meanUs } = meters
  const fromUs = Math.max(nowUs, openUs)
  const ahead = Math.max(0, mark[0] - served[0])
  const fits = fromUs <= nowUs
  const turn: Turn = { slotUs: fromUs, fromUs, fits, first: true, reason: 'paused', ahead, cost: [0, 0, 0] }
  const grownRate = wave(meters, turn, nowUs, tuning)
  const rates = ratesOf(limits)
  if (grownRate !== null) rates[0] = grownRate
  for (const d of AXES) {
    if (rates[d] === 0) continue
    const growing = grownRate !== null && d === 0
    turn.cost[d] = Math.ceil((work[d] * MINUTE_US) / rates[d])
    const burstUs = d === 0 ? requestBurstUs(limits.requestsPerMinute, tuning.burstMs) : tuning.burstMs * 1_000
    const beforeUs = growing ? 0 : (Math.max(0, mark[d] - served[d]) * MINUTE_US) / rates[d]
    turn.fits &&= tat[d] - Math.max(0, burstUs - turn.cost[d]) <= nowUs && beforeUs <= tuning.lateMs * 1_000
    turn.first &&= ahead === 0
    later(turn, Math.max(tat[d], fromUs) + beforeUs, growing ? 'recovering' : RATE_REASONS[d])
  }
  const free = (limit: number | null, taken: number, reason: LimitReason): void => {
    if (limit !== null) place(turn, limit - taken, (meanUs || MEAN_US) / limit, reason, tuning.placeMs)
  }
  free(limits.concurrency, running.model, 'concurrency')
  free(limits.providerConcurrency, running.provider, 'provider_concurrency')
  return turn
}

/** When it is to come back: in its slot, or half-way. */
export const returnOf = ({ slotUs, fromUs }: Turn, { nearMs, farMs }: LimitTuning): number => {
  const waitUs = slotUs - fromUs
  if (waitUs <= nearMs * 1_000) return Math.round(slotUs)
  return Math.round(fromUs + Math.min(Math.max(nearMs * 1_000, waitUs / 2), farMs * 1_000))
}
