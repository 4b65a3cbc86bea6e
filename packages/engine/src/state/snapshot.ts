// snapshot: the fold of a journal up to a sequence number, as text. A cache: deleting it loses time only.
import type { Plan } from '../definition/plan.ts'
import { refreshAgenda } from './fold.ts'
import { blankStep, createState, type RunState, type StepState } from './state.ts'
import { armAllTimers } from './timers.ts'

/** Counted up when the state's shape changes; a snapshot of another version is not read. */
export const SNAPSHOT_VERSION = 2

type StoredStep = Partial<StepState> & { path: string }

/** What a step has beyond one that has just begun. A run of 100,000 steps is mostly that. */
const DERIVED: ReadonlySet<string> = new Set(['parent', 'node', 'role', 'index', 'turn', 'cursor'])
const BLANK = Object.entries(blankStep('x', 0)).filter(([key]) => !DERIVED.has(key))

const isBlank = (value: unknown, blank: unknown): boolean =>
  value === blank || (Array.isArray(blank) && Array.isArray(value) && value.length === 0)

const storedStep = (step: StepState): StoredStep => {
  const stored: Record<string, unknown> = {}
  const known: Record<string, unknown> = { ...step }
  for (const [key, blank] of BLANK) if (!isBlank(known[key], blank)) stored[key] = known[key]
  return { ...stored, path: step.path }
}

/** What is stored: all that is not transient. Two equal folds give equal text. */
export const toSnapshot = (state: RunState): string => {
  const {
    steps,
    signals,
    agenda,
    backlog,
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
  })
}

interface Stored extends Omit<RunState, 'steps' | 'signals'> {
  snapshot: number
  steps: StoredStep[]
  signals: [string, RunState['signals'] extends Map<string, infer V> ? V : never][]
}

/** The state of a snapshot, or null when another version wrote it. Call `revive` before deciding on it. */
export const fromSnapshot = (text: string): RunState | null => {
  const { snapshot, steps, signals, ...stored }: Stored = JSON.parse(text)
  if (snapshot !== SNAPSHOT_VERSION) return null
  return {
    ...createState(stored.ns, stored.run),
    ...stored,
    steps: new Map(steps.map((step) => [step.path, Object.assign(blankStep(step.path, 0), step)])),
    signals: new Map(signals),
  }
}

/** Derives what is transient: after a load, before the first command. */
export const revive = (plan: Plan, state: RunState): RunState => {
  refreshAgenda(state)
  armAllTimers(plan, state)
  return state
}
