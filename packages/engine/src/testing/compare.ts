// compare: a played run beside what the reference says of it. Outputs must be equal but for times, ids and words.
import type { Event, Json } from '@stepfleet/contracts'
import type { Fate } from './fate.ts'
import type { Played } from './play.ts'
import type { Interpreted } from './reference.ts'
import type { Ended, ReferenceWorld, Seen } from './reference-values.ts'

const ANY = '*'
/** What differs from run to run, and is no part of how a run ends. */
const UNSURE = new Set(['at', 'by', 'run', 'reason', 'message'])

const normal = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(normal)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, UNSURE.has(key) ? ANY : normal(one)]))
}
const same = (a: Json, b: Json): boolean => JSON.stringify(normal(a)) === JSON.stringify(normal(b))
const shown = (value: Json): string => JSON.stringify(normal(value)).slice(0, 300)

type Step = Played['state']['steps'] extends ReadonlyMap<string, infer S> ? S : never
const outputOf = ({ output }: Pick<Step, 'output'>): Json => (output && 'value' in output ? output.value : null)

/** The world of a fate, with the choices that a history has made. */
export const worldSeenIn = (fate: Fate, { state }: Played): ReferenceWorld => ({
  ...fate,
  seen: (path): Seen | undefined => {
    const step = state.steps.get(path)
    if (step?.endSeq == null) return undefined
    // what has happened after it was given up was no winner, also when it is undone
    return { status: step.happened && step.answer === null ? 'cancelled' : step.phase, order: step.endSeq }
  },
  cancelled: state.status === 'cancelled',
})

const UNDO = '/compensate-1'

/** A step, and those in whose place it is done: what undoes them undoes it. */
const withReplaced = (path: string): string[] => {
  const replaced = path.replace(/\/fallback-\d+$/, '')
  return replaced === path ? [path] : [path, ...withReplaced(replaced)]
}

/**
 * Tasks that were out when the run began to close, or that were given up and have happened, and what undoes them: they
 * are not tried again, so they may end in other ways than they would have. Whether they are undone as they ended is for
 * the laws.
 */
const awaitedIn = (events: readonly Event[]): ReadonlySet<string> => {
  const awaited = events.flatMap((event) => {
    if (event.type === 'step.happened') return [event.path]
    return event.type === 'run.compensating' ? event.awaited : []
  })
  return new Set(awaited.flatMap(withReplaced).flatMap((path) => [path, path + UNDO]))
}

const stepDifference = (path: string, end: Ended, step: Step | undefined): string | null => {
  if (step?.phase !== end.status) {
    return `${path} is ${step?.phase ?? 'not there'}, expected ${end.status}${end.cut ? ', or cut' : ''}`
  }
  if (!same(outputOf(step), end.output)) return `${path} gives ${shown(outputOf(step))}, expected ${shown(end.output)}`
  if (step.phase === 'failed' && step.failure?.code !== end.error?.code) {
    return `${path} fails with ${step.failure?.code}, expected ${end.error?.code}`
  }
  return null
}

const stepDifferences = ({ state, events }: Played, expected: Interpreted): string[] => {
  const found: string[] = []
  const awaited = awaitedIn(events)
  for (const [path, end] of expected.steps) {
    const step = state.steps.get(path)
    const isCut = end.cut && (step === undefined || step.phase === 'cancelled')
    const difference = isCut || awaited.has(path) ? null : stepDifference(path, end, step)
    if (difference) found.push(difference)
  }
  for (const { path, phase } of state.steps.values()) {
    const isExpected = expected.steps.has(path) || awaited.has(path) || phase === 'cancelled'
    if (!isExpected) found.push(`${path} is ${phase}, expected nothing of it`)
  }
  return found
}

const runDifferences = ({ state, ended, kept }: Played, expected: Interpreted): string[] => {
  const found: string[] = []
  if (!ended) found.push(`the run does not end: it is ${state.status}`)
  else if (state.status !== expected.status) found.push(`the run is ${state.status}, expected ${expected.status}`)
  if (expected.status === 'completed' && !same(outputOf(state), expected.output)) {
    found.push(`the run gives ${shown(outputOf(state))}, expected ${shown(expected.output)}`)
  }
  if (expected.status === 'failed' && state.failure?.code !== expected.failure?.code) {
    found.push(`the run fails with ${state.failure?.code}, expected ${expected.failure?.code}`)
  }
  if (kept.length > 0) found.push(`places are not given back: ${kept.join(', ')}`)
  return found
}

const ENDS: ReadonlySet<string> = new Set(['step.completed', 'step.overridden', 'step.skipped', 'step.failed'])

/** What was undone must be what had completed, and the newest first. */
const undoDifferences = ({ events }: Played, expected: Interpreted): string[] => {
  const ends = events.flatMap((event) => (ENDS.has(event.type) && 'path' in event ? [event.path ?? ''] : []))
  const awaited = awaitedIn(events)
  const undone = ends.filter((path) => path.endsWith(UNDO) && !awaited.has(path))
  const sure = expected.compensations.filter((path) => !awaited.has(path))
  const wanted = sure.toSorted(
    (a, b) => ends.lastIndexOf(b.slice(0, -UNDO.length)) - ends.lastIndexOf(a.slice(0, -UNDO.length)),
  )
  return undone.join() === wanted.join() ? [] : [`undone is ${undone.join()}, expected ${wanted.join()}`]
}

/** A step ends after all that it needs, in each run of its block. */
const orderDifferences = ({ state }: Played, expected: Interpreted): string[] =>
  [...expected.needs].flatMap(([path, needs]) => {
    const ended = state.steps.get(path)?.endSeq ?? Number.POSITIVE_INFINITY
    const late = needs.filter((need) => (state.steps.get(need)?.endSeq ?? Number.POSITIVE_INFINITY) > ended)
    return late.map((need) => `${path} ended before ${need}, which it needs`)
  })

/** All that differs, in words; empty: the run went as it must. */
export const differences = (played: Played, expected: Interpreted): string[] => [
  ...runDifferences(played, expected),
  ...stepDifferences(played, expected),
  ...undoDifferences(played, expected),
  ...orderDifferences(played, expected),
]
