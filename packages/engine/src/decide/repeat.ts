// repeat: a step again and again, until what it gives is good enough. Each iteration is a step of its own.
import { failure } from '@stepfleet/contracts'
import type { RepeatPlan } from '../definition/plan.ts'
import { render } from '../scope.ts'
import { iterationPath } from '../state/paths.ts'
import { isEnded, type StepState } from '../state/state.ts'
import { emit, type Looked, load, planOf, type Turn } from '../turn.ts'
import { expressionFailure, settleFailure } from './failure-policy.ts'
import { start } from './start.ts'

/** Starts the next iteration, or completes with the output of the last. */
export const advanceRepeat = (turn: Turn, step: StepState): Looked => {
  const { repeat } = planOf(turn.plan, step.node)
  if (!repeat) return 'done'
  if (step.rounds === 0) return start(turn, iterationPath(step.path, 1))
  const last = turn.state.steps.get(iterationPath(step.path, step.rounds))
  if (!last || !isEnded(last)) return 'done'
  const enough = isEnough(turn, repeat, last)
  if (enough === 'wait') return 'wait'
  if (enough === 'failed') return 'done'
  if (!enough && step.rounds - step.roundsBefore < repeat.max)
    return start(turn, iterationPath(step.path, step.rounds + 1))
  if (!enough && repeat.until && repeat.onMax === 'fail') {
    const message = `\`until\` was not true after ${repeat.max} iterations`
    settleFailure(turn, step.path, failure('max_iterations_exceeded', message))
    return 'done'
  }
  emit(turn, { type: 'step.completed', path: step.path, output: last.output ?? { value: null } })
  return 'done'
}

/** Whether `until` is true after an iteration. */
const isEnough = (turn: Turn, { until }: RepeatPlan, last: StepState): boolean | 'wait' | 'failed' => {
  if (!until) return false
  const output = last.output ? load(turn, last.output) : null
  if (output === undefined) return 'wait'
  const rendered = render(turn, until, last.path, { output })
  if (rendered === null) return 'wait'
  if (rendered.ok && typeof rendered.value === 'boolean') return rendered.value
  const message = rendered.ok ? `gives ${JSON.stringify(rendered.value)}, not true or false` : rendered.message
  settleFailure(turn, last.parent ?? '', expressionFailure(`steps.${last.node}.repeat.until`, message))
  return 'failed'
}
