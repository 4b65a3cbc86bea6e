// cut: what a fact ended besides its own step: the parts of a composite, or all that was open in a run.
import type { Event } from '@stepfleet/contracts'
import type { StepState } from '../state/state.ts'
import type { Turn } from '../turn.ts'

const ENDS_RUN: ReadonlySet<Event['type']> = new Set([
  'run.compensating',
  'run.completed',
  'run.failed',
  'run.cancelled',
])
const ENDS_STEP: ReadonlySet<Event['type']> = new Set([
  'step.completed',
  'step.failed',
  'step.skipped',
  'step.overridden',
  'step.escalated',
  'step.fallback',
])

/** True for a fact that may have cancelled something. */
const mayCut = (turn: Turn, event: Event): boolean => {
  if (ENDS_RUN.has(event.type)) return true
  if (!ENDS_STEP.has(event.type) || !('path' in event) || event.path === undefined) return false
  const step = turn.state.steps.get(event.path)
  return step?.opening != null || (step?.fallbacks ?? 0) > 0
}

/** The steps that a fact cancelled. It looks at every step: ask only when it matters. */
export const cutBy = (turn: Turn, event: Event): StepState[] => {
  if (!mayCut(turn, event)) return []
  return [...turn.state.steps.values()].filter((step) => step.phase === 'cancelled' && step.endSeq === event.seq)
}
