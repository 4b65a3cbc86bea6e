// snapshot: the fold of a journal up to a sequence number, as text. A cache: deleting it loses time only.

import type { Plan } from '../definition/plan.ts'
import { refreshAgenda } from './fold.ts'
import { createState, type RunState, type StepState } from './state.ts'
import { armAllTimers } from './timers.ts'

/** Counted up when the state's shape changes; a snapshot of another version is not read. */
export const SNAPSHOT_VERSION = 1

/** What is stored: all that is not transient. Two equal folds give equal text. */
export const toSnapshot = (state: RunState): string => {
  const { steps, signals, agenda, backlog, timers, nextWakeMs, outChanges, items, signalWaiters, ...stored } = state
  const kept = [...steps.values()].map((step) => (step.each ? { ...step, each: { ...step.each, cursor: 0 } } : step))
  return JSON.stringify({ snapshot: SNAPSHOT_VERSION, ...stored, steps: kept, signals: [...signals] })
}

interface Stored extends Omit<RunState, 'steps' | 'signals'> {
  snapshot: number
  steps: StepState[]
  signals: [string, RunState['signals'] extends Map<string, infer V> ? V : never][]
}

/** The state of a snapshot, or null when another version wrote it. Call `revive` before deciding on it. */
export const fromSnapshot = (text: string): RunState | null => {
  const { snapshot, steps, signals, ...stored }: Stored = JSON.parse(text)
  if (snapshot !== SNAPSHOT_VERSION) return null
  return {
    ...createState(stored.ns, stored.run),
    ...stored,
    steps: new Map(steps.map((step) => [step.path, step])),
    signals: new Map(signals),
  }
}

/** Derives what is transient: after a load, before the first command. */
export const revive = (plan: Plan, state: RunState): RunState => {
  refreshAgenda(state)
  armAllTimers(plan, state)
  return state
}
