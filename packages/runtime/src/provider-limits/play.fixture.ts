// Plays a crowd of tasks against limits on a fake clock: each asks, comes back when it was told (or late, or never),
// and holds its place for a while.
import type { ProviderLimits, Tokens } from './port.ts'

export interface PlayedTask {
  /** When it asks first. */
  atMs: number
  tokens: Tokens
  /** How late it comes back the first time, the second time, …; the last one from then on. Empty: never late. */
  lateMs: readonly number[]
  /** Its run is cancelled: it never comes back. */
  gone: boolean
  /** How long its call takes, and what it uses (null: it is given back); null: it is never settled. */
  call: { ms: number; used: Tokens | null } | null
}

export interface Grant {
  /** Index of the task. */
  task: number
  atMs: number
  asks: number
}

export interface Played {
  /** By time. */
  grants: Grant[]
  /** Asks of those that were granted nothing. */
  refused: number
  /** The most calls under way at a time. */
  peak: number
}

interface Due {
  atMs: number
  /** Equal times keep the order in which they were made. */
  order: number
  act: () => Promise<void>
}

/** Times, earliest first. A binary heap: crowds are large. */
class Agenda {
  readonly #heap: Due[] = []
  #order = 0

  add(atMs: number, act: () => Promise<void>): void {
    this.#order += 1
    const heap = this.#heap
    heap.push({ atMs, order: this.#order, act })
    for (let at = heap.length - 1; at > 0; ) {
      const above = (at - 1) >> 1
      if (!this.#swapIfBefore(at, above)) break
      at = above
    }
  }

  next(): Due | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (heap.length === 0 || !last) return first
    heap[0] = last
    for (let at = 0; ; ) {
      const left = 2 * at + 1
      const smaller = this.#isBefore(left + 1, left) ? left + 1 : left
      if (!this.#swapIfBefore(smaller, at)) return first
      at = smaller
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]]
    if (!one || !other) return false
    return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order)
  }

  #swapIfBefore(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]]
    if (!one || !other || !this.#isBefore(a, b)) return false
    this.#heap[a] = other
    this.#heap[b] = one
    return true
  }
}

export const PLAYED = 'anthropic/sonnet'

export interface Stage {
  limits: ProviderLimits
  setNow: (ms: number) => void | Promise<void>
  /** Pauses on the way. */
  pauses?: readonly { atMs: number; forMs: number }[]
}

export const play = async ({ limits, setNow, pauses = [] }: Stage, tasks: readonly PlayedTask[]): Promise<Played> => {
  const agenda = new Agenda()
  const played: Played = { grants: [], refused: 0, peak: 0 }
  let running = 0
  const askAs = (index: number, task: PlayedTask, atMs: number, asks: number): void =>
    agenda.add(atMs, async () => {
      const ask = { dependency: PLAYED, task: `task-${index}`, token: `token-${index}-${asks}`, tokens: task.tokens }
      const answer = await limits.acquire(ask)
      if (!answer.granted) {
        played.refused += 1
        const late = task.lateMs[asks - 1] ?? task.lateMs.at(-1) ?? 0
        if (!task.gone) askAs(index, task, atMs + answer.retryAfterMs + late, asks + 1)
        return
      }
      played.grants.push({ task: index, atMs, asks })
      const { call } = task
      if (!call) return
      running += 1
      played.peak = Math.max(played.peak, running)
      agenda.add(atMs + call.ms, async () => {
        running -= 1
        await limits.settle(answer.permit, call.used)
      })
    })
  for (const { atMs, forMs } of pauses) agenda.add(atMs, () => limits.pause(PLAYED, forMs, '429'))
  for (const [index, task] of tasks.entries()) askAs(index, task, task.atMs, 1)
  for (let due = agenda.next(); due; due = agenda.next()) {
    await setNow(due.atMs)
    await due.act()
  }
  return played
}

/** The largest sum of `weights` of grants within any `windowMs`. */
export const mostWithin = (
  grants: readonly Grant[],
  windowMs: number,
  weightOf: (grant: Grant) => number = () => 1,
): number => {
  let [most, sum, from] = [0, 0, 0]
  for (const grant of grants) {
    sum += weightOf(grant)
    for (let oldest = grants[from]; oldest && oldest.atMs <= grant.atMs - windowMs; oldest = grants[from]) {
      sum -= weightOf(oldest)
      from += 1
    }
    most = Math.max(most, sum)
  }
  return most
}
