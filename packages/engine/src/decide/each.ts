// each: a step over a list. Items start in order under the concurrency; the join gathers what they gave.
import { failure, type Json, LIMITS } from '@stepfleet/contracts'
import type { EachPlan } from '../definition/plan.ts'
import { itemPath } from '../state/paths.ts'
import { hasCompleted, isComposite, type StepState } from '../state/state.ts'
import { emit, type Looked, load, planOf, type Turn } from '../turn.ts'
import { settleFailure } from './failure-policy.ts'
import { packOutput } from './output.ts'
import { start } from './start.ts'

/** How many items must complete; null: the join waits for all to end. */
const neededOf = ({ join }: EachPlan): number | null => {
  if (join === 'all' || join === 'settled') return null
  return join === 'any' ? 1 : join.atLeast
}

/** Starts the items there is room for, or joins. */
export const advanceEach = (turn: Turn, group: StepState): Looked => {
  const plan = planOf(turn.plan, group.node).each
  if (!plan || group.opening?.kind !== 'each') return 'done'
  const { count } = group.opening
  const verdict = verdictOf(plan, group, count)
  if (verdict === 'open') return startItems(turn, group, plan, count)
  if (verdict === 'met') return join(turn, group, plan, count)
  const lost = group.ended - group.completed
  const message = `${neededOf(plan)} of ${count} items must complete, and ${lost} ended without`
  settleFailure(turn, group.path, failure('each_failed', message))
  return 'done'
}

/** Whether the join is met, or can be met no more. */
const verdictOf = (plan: EachPlan, group: StepState, count: number): 'met' | 'lost' | 'open' => {
  const needed = neededOf(plan)
  if (needed === null) return group.ended === count ? 'met' : 'open'
  if (group.completed >= needed) return 'met'
  return count - (group.ended - group.completed) < needed ? 'lost' : 'open'
}

const startItems = (turn: Turn, group: StepState, plan: EachPlan, count: number): Looked => {
  const { state } = turn
  while (group.cursor < count && group.open - group.held < plan.concurrency) {
    if (state.endedAtMs !== null || state.closing || group.phase !== 'waiting') return 'done'
    // an item may end at once, and with it the join; the group is looked at again
    if (verdictOf(plan, group, count) !== 'open') return 'done'
    if (state.counts.scheduled >= LIMITS.tasksOut) {
      state.backlog.add(group.path)
      return 'done'
    }
    const path = itemPath(group.path, group.cursor)
    // not a fact: after a load the cursor starts at 0 and passes over the items that have records
    group.cursor += 1
    if (startItem(turn, path) === 'wait') {
      group.cursor -= 1
      return 'wait'
    }
  }
  return 'done'
}

/** Begins an item; one that was asked for again goes on with what is inside of it. */
const startItem = (turn: Turn, path: string): Looked => {
  const known = turn.state.steps.get(path)
  if (known && !known.waitsForRoom) return 'done'
  if (!known || !isComposite(known)) return start(turn, path)
  emit(turn, { type: 'step.retried', path, by: 'engine', reason: 'there is room for it again' })
  return 'done'
}

const join = (turn: Turn, group: StepState, plan: EachPlan, count: number): Looked => {
  const output = plan.join === 'any' ? firstOf(turn, group, count) : listOf(turn, group, plan, count)
  if (output === undefined) return 'wait'
  const payload = packOutput(turn, group.path, output)
  if (payload) emit(turn, { type: 'step.completed', path: group.path, output: payload })
  return 'done'
}

/** The first item that completed. */
const firstOf = (turn: Turn, group: StepState, count: number): Json | undefined => {
  let first: StepState | null = null
  for (let index = 0; index < count; index += 1) {
    const item = turn.state.steps.get(itemPath(group.path, index))
    if (item && hasCompleted(item) && (first === null || (item.endSeq ?? 0) < (first.endSeq ?? 0))) first = item
  }
  const output = first?.output ? load(turn, first.output) : null
  return output === undefined ? undefined : { index: first?.index ?? null, output }
}

const listOf = (turn: Turn, group: StepState, plan: EachPlan, count: number): Json[] | undefined => {
  const outputs: Json[] = []
  let missing = false
  for (let index = 0; index < count; index += 1) {
    const value = resultOf(turn, turn.state.steps.get(itemPath(group.path, index)), plan.join !== 'all')
    if (value === undefined) missing = true
    else outputs.push(value)
  }
  return missing ? undefined : outputs
}

const resultOf = (turn: Turn, step: StepState | undefined, settled: boolean): Json | undefined => {
  const output = step?.output ? load(turn, step.output) : null
  if (output === undefined || !settled) return output
  const cause = step?.failure
  // an item that is open, or was never begun, is cancelled by the join
  const ended = step !== undefined && step.endedAtMs !== null
  return {
    status: ended ? step.phase : 'cancelled',
    output,
    error: cause && ended ? { code: cause.code, class: cause.class, message: cause.message } : null,
  }
}
