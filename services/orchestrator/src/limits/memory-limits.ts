// The limits of the fleet in memory, for tests and the simulation: what the scripts in lua/ do, over plain lists.
import type { Json } from '@stepfleet/contracts'
import { holderText, parseHolder } from './holders.ts'
import {
  CALL_AGAIN_MS,
  CALLS,
  type FleetLimits,
  type Holder,
  kindOf,
  type LimitAnswer,
  type LimitAsk,
  type LimitName,
  PATIENCE,
  type Patience,
  POLL_SPREAD_MS,
} from './port.ts'

interface Waiter {
  holder: string
  /** Its turn: those with a smaller one go first. */
  turn: number
  limit: number
  version: number
  /** When it is expected to ask. */
  dueMs: number
  /** It was late, and is passed over until it asks. */
  away: boolean
}

/** A place of a concurrency, or a start; null: it is nobody's any more. */
interface Place {
  holder: string | null
  sinceMs: number
  /** Version of the run when it last asked. */
  version: number
}

interface Limit {
  /** The longest that was asked; null: at a time. */
  perMs: number | null
  /** By time. */
  places: Place[]
  /** By turn. */
  waiters: Waiter[]
}

const blank = (): Limit => ({ perMs: null, places: [], waiters: [] })

const usedPlaces = (limit: Limit, perMs: number | null, nowMs: number): Place[] =>
  limit.places.filter(({ sinceMs }) => perMs === null || sinceMs > nowMs - perMs)

/** When the one behind `ahead` others may start: `limit` go in each `per`, those ahead first. */
const startOf = (limit: Limit, ask: LimitAsk & { perMs: number }, ahead: number, nowMs: number): number => {
  const { perMs } = ask
  const used = usedPlaces(limit, perMs, nowMs)
  const overAtMs = used[(ahead % ask.limit) - ask.limit + used.length]?.sinceMs ?? nowMs - perMs
  return overAtMs + (Math.floor(ahead / ask.limit) + 1) * perMs
}

const nameOf = (ns: string, { kind, key }: LimitName): string => JSON.stringify([ns, kind, key])

class MemoryLimits implements FleetLimits {
  readonly #nowMs: () => number
  readonly #patience: Patience
  readonly #limits = new Map<string, Limit>()
  readonly #cache = new Map<string, { text: string; untilMs: number }>()
  #lastTurn = 0

  constructor(nowMs: () => number, patience: Patience) {
    this.#nowMs = nowMs
    this.#patience = patience
  }

  #of(name: string): Limit {
    const known = this.#limits.get(name) ?? blank()
    this.#limits.set(name, known)
    return known
  }

  /** Those whose turn counts. Who is late is passed over; who stays away for too long is forgotten. */
  #queue(limit: Limit): Waiter[] {
    const nowMs = this.#nowMs()
    const { lateMs, forgottenMs } = this.#patience
    const late = limit.waiters.filter((waiter) => waiter.dueMs <= nowMs - lateMs)
    limit.waiters = limit.waiters.filter((waiter) => !(waiter.away && late.includes(waiter)))
    for (const waiter of late) Object.assign(waiter, { away: true, dueMs: nowMs + forgottenMs })
    return limit.waiters.filter((waiter) => !waiter.away)
  }

  async take(ns: string, ask: LimitAsk): Promise<LimitAnswer> {
    const nowMs = this.#nowMs()
    const limit = this.#of(nameOf(ns, { kind: kindOf(ask.perMs), key: ask.key }))
    if (ask.perMs !== null) {
      const perMs = Math.max(ask.perMs, limit.perMs ?? 0)
      limit.perMs = perMs
      limit.places = usedPlaces(limit, perMs, nowMs)
    }
    const answer = this.#place(limit, ask, nowMs)
    return { ...answer, call: this.#call(limit, ask.perMs, false) }
  }

  #place(limit: Limit, ask: LimitAsk, nowMs: number): LimitAnswer {
    const { version, perMs } = ask
    const holder = holderText(ask.holder)
    const place = limit.places.find((held) => held.holder === holder)
    if (place) {
      place.version = version
      return { granted: true, call: [] }
    }
    const queue = this.#queue(limit)
    const known = limit.waiters.find((waiter) => waiter.holder === holder)
    const turn = known?.turn ?? this.#lastTurn + 1
    this.#lastTurn = Math.max(this.#lastTurn, turn)
    const ahead = queue.filter((waiter) => waiter.turn < turn).length
    limit.waiters = limit.waiters.filter((waiter) => waiter !== known)
    if (ahead < ask.limit - usedPlaces(limit, perMs, nowMs).length) {
      limit.places.push({ holder, sinceMs: nowMs, version })
      return { granted: true, call: [] }
    }
    const { pollMs } = this.#patience
    const pollAtMs = nowMs + Math.min(pollMs + POLL_SPREAD_MS * ahead, pollMs * 10)
    const againAtMs = perMs === null ? pollAtMs : Math.min(pollAtMs, startOf(limit, { ...ask, perMs }, ahead, nowMs))
    limit.waiters.push({ holder, turn, limit: ask.limit, version, dueMs: againAtMs, away: false })
    limit.waiters.sort((a, b) => a.turn - b.turn)
    return { granted: false, ahead, againAtMs, call: [] }
  }

  /** Whose turn it is; `again`: also those who were called and have not come. */
  #call(limit: Limit, perMs: number | null, again: boolean): Holder[] {
    const nowMs = this.#nowMs()
    const used = usedPlaces(limit, perMs, nowMs).length
    const called: Holder[] = []
    for (const [ahead, waiter] of this.#queue(limit).slice(0, CALLS).entries()) {
      if (ahead >= waiter.limit - used) break
      const uncalled = waiter.dueMs > nowMs
      if (uncalled || (again && waiter.dueMs < nowMs - CALL_AGAIN_MS)) called.push(parseHolder(waiter.holder))
      waiter.dueMs = Math.min(waiter.dueMs, nowMs)
    }
    return called
  }

  async release(ns: string, name: LimitName, who: Holder, seq: number): Promise<Holder[]> {
    const limit = this.#of(nameOf(ns, name))
    const holder = holderText(who)
    const ended = (place: Place): boolean => place.holder === holder && place.version < seq
    if (limit.perMs === null) limit.places = limit.places.filter((place) => !ended(place))
    else for (const place of limit.places) if (ended(place)) place.holder = null
    limit.waiters = limit.waiters.filter((waiter) => waiter.holder !== holder || waiter.version >= seq)
    const called = this.#call(limit, limit.perMs, true)
    if (limit.places.length === 0 && limit.waiters.length === 0) this.#limits.delete(nameOf(ns, name))
    return called
  }

  async holders(ns: string, key: string, olderThanMs: number): Promise<Holder[]> {
    const beforeMs = this.#nowMs() - olderThanMs
    const { places } = this.#limits.get(nameOf(ns, { kind: 'concurrency', key })) ?? blank()
    return places.flatMap(({ holder, sinceMs }) => (holder && sinceMs <= beforeMs ? [parseHolder(holder)] : []))
  }

  async cached(ns: string, key: string): Promise<{ value: Json } | null> {
    const found = this.#cache.get(JSON.stringify([ns, key]))
    return found && found.untilMs > this.#nowMs() ? { value: JSON.parse(found.text) } : null
  }

  async store(ns: string, key: string, value: Json, ttlMs: number): Promise<void> {
    const name = JSON.stringify([ns, key])
    this.#cache.set(name, { text: JSON.stringify(value), untilMs: this.#nowMs() + ttlMs })
  }
}

/** `nowMs` is the clock that a Redis would have. */
export const createMemoryLimits = (nowMs: () => number, patience: Patience = PATIENCE): FleetLimits =>
  new MemoryLimits(nowMs, patience)
