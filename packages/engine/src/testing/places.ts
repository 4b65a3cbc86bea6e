// places: what the engine asks of the fleet, played in memory: limits of so many at a time, rates, cached outputs.
import type { Json } from '@stepfleet/contracts'
import type * as Engine from '../index.ts'

const FULL_MS = 1_000

/** What one world keeps outside of its run. */
export interface Places {
  held: Map<string, Set<string>>
  starts: Map<string, number[]>
  cached: Map<string, { value: Json; untilMs: number }>
  /** Most places that one key ever had at a time, by key. */
  peaks: Map<string, number>
}
export const noPlaces = (): Places => ({ held: new Map(), starts: new Map(), cached: new Map(), peaks: new Map() })

const limitAnswer = (places: Places, ask: Extract<Engine.Ask, { kind: 'limit' }>, nowMs: number): Engine.Answer => {
  const { key, limit, perMs, path } = ask
  if (perMs !== null) {
    const recent = (places.starts.get(key) ?? []).filter((atMs) => atMs > nowMs - perMs)
    const [first = nowMs] = recent
    if (recent.length >= limit) {
      return { kind: 'limit', granted: false, why: `${key} is used up`, againInMs: first + perMs - nowMs }
    }
    places.starts.set(key, [...recent, nowMs])
    return { kind: 'limit', granted: true }
  }
  const held = places.held.get(key) ?? new Set()
  places.held.set(key, held)
  if (held.size >= limit && !held.has(path)) {
    return { kind: 'limit', granted: false, why: `${key} is full`, againInMs: FULL_MS }
  }
  held.add(path)
  places.peaks.set(key, Math.max(places.peaks.get(key) ?? 0, held.size))
  return { kind: 'limit', granted: true }
}

export const answerOf = (places: Places, ask: Engine.Ask, nowMs: number): Engine.Answer => {
  if (ask.kind === 'limit') return limitAnswer(places, ask, nowMs)
  if (ask.kind === 'budget') return { kind: 'budget', granted: true }
  const found = places.cached.get(ask.key)
  return { kind: 'cache', found: found && found.untilMs > nowMs ? { value: found.value } : null }
}
