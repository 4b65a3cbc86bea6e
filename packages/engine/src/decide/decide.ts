// decide: what follows from the facts. It works off the agenda: the paths that the last facts touched. Its cost
// is that of what changed, never that of the run.
import { type Json, LIMITS } from '@stepfleet/contracts'
import { render } from '../scope.ts'
import { parsePath } from '../state/paths.ts'
import { isEnded, type RunState, type StepState } from '../state/state.ts'
import { emit, type Looked, load, planOf, type Turn } from '../turn.ts'
import { advanceAgent } from './agent.ts'
import { advanceEach } from './each.ts'
import { expressionFailure, settleFailure } from './failure-policy.ts'
import { start } from './start.ts'

/**
 * Decides until nothing new follows. When `turn.missing` is not empty afterwards, the driver loads those blobs
 * and calls again; what waited for them is still on the agenda.
 */
export const decide = (turn: Turn): void => {
  const { state } = turn
  if (state.paused) {
    // nothing new begins; resuming looks at everything
    state.agenda.clear()
    return
  }
  const later: string[] = []
  for (let path = next(state); path !== undefined; path = next(state)) {
    if (lookAt(turn, path) === 'wait') later.push(path)
  }
  if (state.endedAtMs === null) for (const path of later) state.agenda.add(path)
}

/** What is looked at next: while places are free, those that were held back come first, in their order. */
const next = (state: RunState): string | undefined => {
  if (state.endedAtMs !== null) return undefined
  const from = state.backlog.size > 0 && state.counts.scheduled < LIMITS.tasksOut ? state.backlog : state.agenda
  const [path] = from
  if (path !== undefined) from.delete(path)
  return path
}

const lookAt = (turn: Turn, path: string): Looked => {
  if (path === '') return lookAtRun(turn)
  const step = turn.state.steps.get(path)
  if (!step) return startUnknown(turn, path)
  if (isEnded(step)) return step.parent === null ? followUp(turn, step) : 'done'
  if (step.phase === 'failing') {
    if (step.failure) settleFailure(turn, path, step.failure)
    return 'done'
  }
  if (step.phase === 'pending' || isRipe(turn, step)) {
    return hasBegun(step) ? start(turn, path) : beginStep(turn, path)
  }
  return step.phase === 'waiting' ? lookAtOpen(turn, step) : 'done'
}

/** A retry or a held delivery whose time has come. */
const isRipe = (turn: Turn, step: StepState): boolean =>
  step.phase === 'retrying' && (step.notBeforeMs ?? 0) <= turn.nowMs

/** Its condition, if it has one, was judged. */
const hasBegun = (step: StepState): boolean =>
  step.role !== 'step' || step.attempts.length > 0 || step.opening !== null || step.gateOpen || step.heldWhy !== null

/** A path without a record: a ready task that the limit held back. */
const startUnknown = (turn: Turn, path: string): Looked => {
  const { role, node, parent } = parsePath(path)
  if (role === 'step') return consider(turn, node)
  const around = parent === null ? undefined : turn.state.steps.get(parent)
  return around && !isEnded(around) ? start(turn, path) : 'done'
}

const lookAtRun = (turn: Turn): Looked => {
  let looked: Looked = 'done'
  for (const name of turn.plan.steps.keys()) {
    if (turn.state.endedAtMs !== null) return 'done'
    if (!turn.state.steps.has(name) && consider(turn, name) === 'wait') looked = 'wait'
  }
  return looked === 'wait' ? looked : finishRun(turn)
}

/** A composite or waiting step that something happened to. */
const lookAtOpen = (turn: Turn, step: StepState): Looked => {
  const kind = step.opening?.kind
  if (kind === 'each') return advanceEach(turn, step)
  if (kind === 'agent') return advanceAgent(turn, step)
  if (step.opening?.kind === 'signal') {
    const payload = turn.state.signals.get(step.opening.name)?.[0]
    if (payload) emit(turn, { type: 'step.completed', path: step.path, output: payload })
  }
  return 'done'
}

/** A top-level step ended: the steps that wait for it, then the run's end. */
const followUp = (turn: Turn, step: StepState): Looked => {
  let looked: Looked = 'done'
  for (const name of turn.plan.dependents.get(step.node) ?? []) {
    if (turn.state.endedAtMs !== null) return 'done'
    if (!turn.state.steps.has(name) && consider(turn, name) === 'wait') looked = 'wait'
  }
  return looked === 'wait' ? looked : finishRun(turn)
}

/** What a step's needs say of it: not yet, skip it, or go. */
const readiness = (state: RunState, needs: readonly string[]): 'blocked' | 'skip' | 'ready' => {
  let skip = false
  for (const need of needs) {
    const step = state.steps.get(need)
    if (!step || !isEnded(step)) return 'blocked'
    if (step.phase === 'skipped') skip = true
  }
  return skip ? 'skip' : 'ready'
}

/** Starts, or skips, a top-level step whose needs have ended. */
const consider = (turn: Turn, name: string): Looked => {
  const plan = planOf(turn.plan, name)
  const ready = readiness(turn.state, plan.needs)
  if (ready === 'blocked') return 'done'
  if (ready === 'skip') {
    emit(turn, { type: 'step.skipped', path: name, because: 'needs' })
    return 'done'
  }
  return beginStep(turn, name)
}

/** Judges the condition of a step that is ready, once, and starts it or skips it. */
const beginStep = (turn: Turn, name: string): Looked => {
  const plan = planOf(turn.plan, name)
  if (plan.condition) {
    const condition = render(turn, plan.condition, name)
    if (condition === null) return 'wait'
    if (!condition.ok || typeof condition.value !== 'boolean') {
      const message = condition.ok ? `gives ${JSON.stringify(condition.value)}, not true or false` : condition.message
      settleFailure(turn, name, expressionFailure(`steps.${name}.if`, message))
      return 'done'
    }
    if (!condition.value) {
      emit(turn, { type: 'step.skipped', path: name, because: 'if' })
      return 'done'
    }
  }
  return start(turn, name)
}

const finishRun = (turn: Turn): Looked => {
  const { plan, state } = turn
  if (state.endedAtMs !== null || state.topEnded < plan.steps.size) return 'done'
  if (plan.output === null) {
    const outputs: Record<string, Json> = {}
    for (const name of plan.steps.keys()) {
      const payload = state.steps.get(name)?.output
      const value = payload ? load(turn, payload) : null
      if (value === undefined) return 'wait'
      outputs[name] = value
    }
    emit(turn, { type: 'run.completed', output: turn.values.pack(outputs) })
    return 'done'
  }
  const output = render(turn, plan.output, '')
  if (output === null) return 'wait'
  if (output.ok) emit(turn, { type: 'run.completed', output: turn.values.pack(output.value) })
  else emit(turn, { type: 'run.failed', failure: expressionFailure('output', output.message) })
  return 'done'
}
