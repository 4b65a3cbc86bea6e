// graph: which steps of a scope may begin. A scope is the definition, or one instance of a block.
import type { Json } from '@stepfleet/contracts'
import type { StepPlan } from '../definition/plan.ts'
import { render } from '../scope.ts'
import { innerPath, parsePath } from '../state/paths.ts'
import { hasCompleted, isEnded, isOpen, type RunState, type StepState } from '../state/state.ts'
import { emit, type Looked, load, planOf, scopeOf, type Turn } from '../turn.ts'
import { closeOrUndo } from './closing.ts'
import { advanceCode } from './code.ts'
import { expressionFailure, settleFailure } from './failure-policy.ts'
import { packed } from './output.ts'
import { start } from './start.ts'

/** Considers every step of a scope that has no record. `prefix` is the path of the block; empty: the top. */
export const lookAtScope = (turn: Turn, prefix: string): Looked => {
  const block = prefix === '' ? null : turn.state.steps.get(prefix)
  // a block that waits for a person begins nothing new
  if (block === undefined || (block && !isOpen(block))) return 'done'
  return considerAll(turn, prefix, scopeOf(turn.plan, block?.node ?? '').names)
}

const considerAll = (turn: Turn, prefix: string, names: Iterable<string>): Looked => {
  let looked: Looked = 'done'
  for (const name of names) {
    const block = prefix === '' ? null : turn.state.steps.get(prefix)
    if (turn.state.endedAtMs !== null || turn.state.closing || (block && !isOpen(block))) return 'done'
    const path = innerPath(prefix, name)
    if (!turn.state.steps.has(path) && considerPath(turn, path) === 'wait') looked = 'wait'
  }
  return looked
}

/** A step of a scope ended: the steps that wait for it, then, at the top, the run's end. */
export const followUp = (turn: Turn, step: StepState): Looked => {
  const { scope, name } = planOf(turn.plan, step.node)
  const block = step.parent === null ? null : turn.state.steps.get(step.parent)
  if (block && !isOpen(block)) return 'done'
  const dependents = scopeOf(turn.plan, scope).dependents.get(name) ?? []
  const looked = considerAll(turn, step.parent ?? '', dependents)
  if (looked === 'wait' || step.parent !== null) return looked
  return finishRun(turn)
}

/** Those that may be skipped may also have failed, as long as one of them gave an output. */
const anyHasOutput = (state: RunState, prefix: string, names: readonly string[]): boolean =>
  names.some((name) => {
    const step = state.steps.get(innerPath(prefix, name))
    return step !== undefined && (hasCompleted(step) || step.output !== null)
  })

/** What a step's needs say of it: not yet, skip it, or go. */
const readiness = (state: RunState, prefix: string, { needs, needsAny }: StepPlan): 'blocked' | 'skip' | 'ready' => {
  let skip = false
  for (const need of needs) {
    const step = state.steps.get(innerPath(prefix, need))
    if (!step || !isEnded(step)) return 'blocked'
    if (step.phase === 'skipped' && !needsAny.includes(need)) skip = true
  }
  return skip || (needsAny.length > 0 && !anyHasOutput(state, prefix, needsAny)) ? 'skip' : 'ready'
}

/** Starts, or skips, a step without a record whose needs have ended. */
export const considerPath = (turn: Turn, path: string): Looked => {
  const { node, parent } = parsePath(path)
  const ready = readiness(turn.state, parent ?? '', planOf(turn.plan, node))
  if (ready === 'blocked') return 'done'
  if (ready === 'skip') {
    emit(turn, { type: 'step.skipped', path, because: 'needs' })
    return 'done'
  }
  return beginStep(turn, path)
}

/** Judges the condition of a step that is ready, once, and starts it or skips it. */
export const beginStep = (turn: Turn, path: string): Looked => {
  const plan = planOf(turn.plan, parsePath(path).node)
  if (!plan.condition) return start(turn, path)
  const condition = render(turn, plan.condition, path)
  if (condition === null) return 'wait'
  if (!condition.ok || typeof condition.value !== 'boolean') {
    const message = condition.ok ? `gives ${JSON.stringify(condition.value)}, not true or false` : condition.message
    settleFailure(turn, path, expressionFailure(`steps.${plan.id}.if`, message))
    return 'done'
  }
  if (condition.value) return start(turn, path)
  emit(turn, { type: 'step.skipped', path, because: 'if' })
  return 'done'
}

/** A map of the outputs of a scope's steps; null: a payload has to be loaded first. */
export const outputsOf = (turn: Turn, prefix: string, names: Iterable<string>): Record<string, Json> | null => {
  const outputs: Record<string, Json> = {}
  let missing = false
  for (const name of names) {
    const payload = turn.state.steps.get(innerPath(prefix, name))?.output
    const value = payload ? load(turn, payload) : null
    if (value === undefined) missing = true
    else outputs[name] = value
  }
  return missing ? null : outputs
}

/** The run has given what it gives, unless that is too large. */
export const completeRun = (turn: Turn, value: Json): void => {
  const made = packed(turn, value)
  if ('payload' in made) emit(turn, { type: 'run.completed', output: made.payload })
  else closeOrUndo(turn, { to: 'failed', failure: made.failure })
}

/** Ends a run whose steps have all ended; the code of a run is told how they did. */
export const finishRun = (turn: Turn): Looked => {
  const { plan, state } = turn
  if (plan.code) return advanceCode(turn, plan.code)
  const { names } = scopeOf(plan, '')
  if (state.endedAtMs !== null || state.closing || state.topEnded < names.size) return 'done'
  if (plan.output === null) {
    const outputs = outputsOf(turn, '', names)
    if (outputs === null) return 'wait'
    completeRun(turn, outputs)
    return 'done'
  }
  const output = render(turn, plan.output, '')
  if (output === null) return 'wait'
  if (output.ok) completeRun(turn, output.value)
  else closeOrUndo(turn, { to: 'failed', failure: expressionFailure('output', output.message) })
  return 'done'
}
