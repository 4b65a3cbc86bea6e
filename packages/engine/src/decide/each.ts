// each: a step over a list. Items start in order under the concurrency; the join gathers their outputs in input order.
import { type Json, LIMITS } from '@stepfleet/contracts'
import type { EachPlan } from '../definition/plan.ts'
import { itemPath } from '../state/paths.ts'
import type { StepState } from '../state/state.ts'
import { emit, type Looked, load, planOf, type Turn } from '../turn.ts'
import { start } from './start.ts'

/** Starts the items there is room for, or joins. */
export const advanceEach = (turn: Turn, group: StepState): Looked => {
  const plan = planOf(turn.plan, group.node).each
  const progress = group.each
  if (!plan || !progress) return 'done'
  if (progress.ended === progress.count) return join(turn, group, plan)
  const { state } = turn
  while (progress.cursor < progress.count && progress.cursor - progress.ended < plan.concurrency) {
    if (state.endedAtMs !== null) return 'done'
    if (state.counts.scheduled >= LIMITS.tasksOut) {
      state.backlog.add(group.path)
      return 'done'
    }
    const path = itemPath(group.path, progress.cursor)
    // not a fact: after a load the cursor starts at 0 and passes over the items that have records
    progress.cursor += 1
    if (!state.steps.has(path) && start(turn, path) === 'wait') {
      progress.cursor -= 1
      return 'wait'
    }
  }
  return 'done'
}

const resultOf = (turn: Turn, step: StepState | undefined, settled: boolean): Json | undefined => {
  const output = step?.output ? load(turn, step.output) : null
  if (output === undefined || !settled) return output
  const cause = step?.failure
  return {
    status: step?.phase ?? 'pending',
    output,
    error: cause ? { code: cause.code, class: cause.class, message: cause.message } : null,
  }
}

const join = (turn: Turn, group: StepState, plan: EachPlan): Looked => {
  const outputs: Json[] = []
  let missing = false
  for (let index = 0; index < (group.each?.count ?? 0); index += 1) {
    const value = resultOf(turn, turn.state.steps.get(itemPath(group.path, index)), plan.join === 'settled')
    if (value === undefined) missing = true
    else outputs.push(value)
  }
  if (missing) return 'wait'
  emit(turn, { type: 'step.completed', path: group.path, output: turn.values.pack(outputs) })
  return 'done'
}
