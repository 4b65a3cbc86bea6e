// What a call says of its dependency: that it is well, that it is not, or nothing.

/**
 * Whom an error speaks against. `dependency`: counts as a failure. `caller`: our own mistake; the dependency
 * answered, so it counts as a success. `nobody`: the call was broken off by us (cancelled, draining).
 */
export type Blame = 'dependency' | 'caller' | 'nobody'

export interface Judge {
  blame: (error: unknown) => Blame
  /** A word for an error that speaks against the dependency, for people: `529`, `timeout`. */
  label?: (error: unknown) => string
  /** An answer that took longer speaks against the dependency, however good it is. */
  slowCallMs: number
}

/** `failed`: with a word that says how. */
export type Said = { is: 'ok' } | { is: 'failed'; label: string } | { is: 'nothing' }

/** What counts for or against a dependency. */
export type Counted = Exclude<Said, { is: 'nothing' }>

export interface Observed<T> {
  said: Said
  /** The action's value, or throws what it threw. */
  end: () => T
}

const saidOf = (judge: Judge, error: unknown, ms: number): Said => {
  try {
    const blame = judge.blame(error)
    if (blame === 'nobody') return { is: 'nothing' }
    if (blame === 'dependency')
      return { is: 'failed', label: (judge.label?.(error) || 'failed').slice(0, LONGEST_LABEL) }
    return saidOfAnswer(judge, ms)
  } catch {
    // a bug in the judgement must not speak against anybody
    return { is: 'nothing' }
  }
}

const saidOfAnswer = (judge: Judge, ms: number): Said =>
  ms > judge.slowCallMs ? { is: 'failed', label: 'slow' } : { is: 'ok' }

/** Runs an action. Never rejects: `end` does. */
export const observe = async <T>(judge: Judge, action: () => Promise<T>): Promise<Observed<T>> => {
  const startedMs = performance.now()
  try {
    const value = await action()
    return { said: saidOfAnswer(judge, performance.now() - startedMs), end: () => value }
  } catch (error) {
    const said = saidOf(judge, error, performance.now() - startedMs)
    return {
      said,
      end: () => {
        throw error
      },
    }
  }
}

/** The failures of the last while, to be told in one line. */
export interface Tally {
  add(label: string): void
  /** `529 ×7, timeout ×2`; empty: there were none. */
  text(): string
}

const MOST = 100
const LONGEST_LABEL = 40

export const createTally = (windowMs: number): Tally => {
  let seen: { atMs: number; label: string }[] = []
  return {
    add: (label) => {
      const atMs = performance.now()
      seen = [...seen.filter((one) => one.atMs > atMs - windowMs).slice(1 - MOST), { atMs, label }]
    },
    text: () => {
      const counts = new Map<string, number>()
      for (const { atMs, label } of seen) {
        if (atMs > performance.now() - windowMs) counts.set(label, (counts.get(label) ?? 0) + 1)
      }
      const sorted = [...counts].sort(([, a], [, b]) => b - a).slice(0, 4)
      return sorted.map(([label, count]) => `${label} ×${count}`).join(', ')
    },
  }
}
