// callback: an attempt that somebody outside answers, by its token.
//
// With a `url` the attempt is a task like any other, `scheduled`: a worker tells the outside. Its `done` means that the
// outside has taken it, and is no answer; from then on the step is `waiting`, holds no worker and no place among the tasks
// that are out, until the answer comes or the time of the attempt is over. Without a `url` it waits from the start.
// An answer, or a sign of life, may come before the worker's word: who knows the token was told, whatever the worker says.
import type { Effect, ToolInput } from '@stepfleet/contracts'
import type { Plan } from '../definition/plan.ts'
import { lastAttempt, type StepState } from '../state/state.ts'
import { emit, planOf, type Turn } from '../turn.ts'

const CALLBACK = 'callback'

/** How long an attempt of the step may take, telling and waiting together, milliseconds; null: it is no callback. */
export const callbackMs = (
  plan: Plan,
  { node, role, tool }: Pick<StepState, 'node' | 'role' | 'tool'>,
): number | null => {
  const { body, timeoutMs } = planOf(plan, node)
  if (body.kind === 'tool') return body.tool === CALLBACK ? timeoutMs : null
  if (body.kind !== 'agent' || role !== 'tool') return null
  const used = body.tools.find(({ name }) => name === tool)
  const action = used?.declared?.action
  return action?.kind === 'tool' && action.tool === CALLBACK ? (used?.timeoutMs ?? null) : null
}

/** A worker tells somebody of it. */
export const isTold = ({ with: { url } }: Pick<ToolInput, 'with'>): boolean => url !== undefined && url !== null

export interface CallbackTask {
  attempt: number
  delivery: number
  tool: string
  effect: Effect
  waitMs: number
}

/** Begins an attempt that nobody is told of. */
export const openCallback = (turn: Turn, path: string, { waitMs, ...task }: CallbackTask): void => {
  const edition = turn.state.steps.get(path)?.edition ?? 1
  const untilMs = turn.nowMs + waitMs
  emit(turn, { type: 'callback.opened', path, ...task, untilMs, ...(edition > 1 ? { edition } : {}) })
}

/** The last attempt of a step, while it has no outcome and nothing is done in its place; else null. */
export const openAttempt = (step: StepState): number | null => {
  const last = step.fallback === null ? lastAttempt(step) : undefined
  // an answer to the input before an edit is none to the input after it
  return last?.outcome === 'out' && last.attempt > step.editedAfter ? last.attempt : null
}
