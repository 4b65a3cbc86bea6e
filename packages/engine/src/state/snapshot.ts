// snapshot: the fold of a journal up to a sequence number, as text. A cache: deleting it loses time only.
import type { Payload } from '@stepfleet/contracts'
import type { Plan } from '../definition/plan.ts'
import { refreshAgenda } from './fold.ts'
import { type AttemptState, blankStep, createState, isEnded, type RunState, type StepState } from './state.ts'
import { armAllTimers } from './timers.ts'

/** Counted up when the state's shape changes; a snapshot of another version is not read. */
export const SNAPSHOT_VERSION = 3

type StoredAttempt = Partial<AttemptState> & { dispatchedAtMs: number }
type StoredStep = Omit<Partial<StepState>, 'attempts'> & { path: string; attempts?: StoredAttempt[] }

/** An attempt as most are: the first, delivered once, and answered. Its times are its own. */
const blankAttempt = (dispatchedAtMs: number): AttemptState => ({
  attempt: 1,
  delivery: 1,
  losses: 0,
  dropped: 0,
  dispatchedAtMs,
  sentAtMs: dispatchedAtMs,
  startedAtMs: null,
  endedAtMs: null,
  worker: null,
  failure: null,
  usage: null,
  retryAtMs: null,
  reported: [1],
  outcome: 'completed',
})

const isBlank = (value: unknown, blank: unknown): boolean => {
  if (!Array.isArray(blank) || !Array.isArray(value)) return value === blank
  return blank.length === value.length && blank.every((item, at) => item === value[at])
}

/** The fields that differ from a blank. A run of 100,000 steps is mostly what does not. */
const differing = (of: object, blank: readonly (readonly [string, unknown])[]): Record<string, unknown> => {
  const stored: Record<string, unknown> = {}
  for (const [key, usual] of blank) {
    const value: unknown = Reflect.get(of, key)
    if (!isBlank(value, usual)) stored[key] = value
  }
  return stored
}

const TIMES: ReadonlySet<string> = new Set(['dispatchedAtMs', 'sentAtMs'])
const USUAL_ATTEMPT = Object.entries(blankAttempt(0)).filter(([key]) => !TIMES.has(key))

const storedAttempt = (attempt: AttemptState): StoredAttempt => {
  const { dispatchedAtMs, sentAtMs } = attempt
  const sent = sentAtMs === dispatchedAtMs ? {} : { sentAtMs }
  return { dispatchedAtMs, ...sent, ...differing(attempt, USUAL_ATTEMPT) }
}

/** What follows from the path, or is not a fact. */
const DERIVED: ReadonlySet<string> = new Set(['path', 'parent', 'node', 'role', 'index', 'turn', 'cursor', 'attempts'])
const USUAL_STEP = Object.entries(blankStep('x', 0)).filter(([key]) => !DERIVED.has(key))

const storedStep = (step: StepState): StoredStep => {
  const attempts = step.attempts.length > 0 ? { attempts: step.attempts.map(storedAttempt) } : {}
  return { path: step.path, ...differing(step, USUAL_STEP), ...attempts }
}

const stepOf = ({ attempts = [], ...stored }: StoredStep): StepState => ({
  ...blankStep(stored.path, 0),
  ...stored,
  attempts: attempts.map((attempt) => ({ ...blankAttempt(attempt.dispatchedAtMs), ...attempt })),
})

/** What is stored: all that is not transient. Two equal folds give equal text. */
export const toSnapshot = (state: RunState): string => {
  const {
    steps,
    asked,
    signals,
    unreserved,
    topEnds,
    codeSeq,
    agenda,
    unfinished,
    backlog,
    unaffordable,
    nudged,
    undo,
    timers,
    nextWakeMs,
    outChanges,
    items,
    signalWaiters,
    ...stored
  } = state
  return JSON.stringify({
    snapshot: SNAPSHOT_VERSION,
    ...stored,
    steps: [...steps.values()].map(storedStep),
    signals: [...signals],
    ...(asked.size > 0 ? { asked: [...asked] } : {}),
    ...(unreserved.length > 0 ? { unreserved } : {}),
  })
}

interface Stored extends Omit<RunState, 'steps' | 'signals' | 'asked'> {
  snapshot: number
  /** Of code workflows. */
  asked?: [string, Payload][]
  steps: StoredStep[]
  signals: [string, RunState['signals'] extends Map<string, infer V> ? V : never][]
}

const endsOf = (steps: readonly StepState[]): string[] =>
  steps
    .filter((step) => step.parent === null && isEnded(step))
    .sort((a, b) => (a.endSeq ?? 0) - (b.endSeq ?? 0))
    .map((step) => step.path)

/** The state of a snapshot, or null when another version wrote it. Call `revive` before deciding on it. */
export const fromSnapshot = (text: string): RunState | null => {
  const { snapshot, steps, asked, signals, ...stored }: Stored = JSON.parse(text)
  if (snapshot !== SNAPSHOT_VERSION) return null
  const all = steps.map(stepOf)
  return {
    ...createState(stored.ns, stored.run),
    ...stored,
    steps: new Map(all.map((step) => [step.path, step])),
    topEnds: endsOf(all),
    asked: new Map(asked),
    signals: new Map(signals),
  }
}

/** Derives what is transient: after a load, before the first command. */
export const revive = (plan: Plan, state: RunState): RunState => {
  refreshAgenda(state)
  armAllTimers(plan, state)
  return state
}
