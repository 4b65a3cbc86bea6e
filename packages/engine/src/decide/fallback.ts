// fallback: a step that failed for good goes on with its next model, or with what is to be done in its place. The order
// is: attempts, models of `llm.fallback`, the step's `fallback`, `on_failure`.
import type { EventOf, Failure, FailureCode } from '@stepfleet/contracts'
import { fallbackPath, parsePath } from '../state/paths.ts'
import { hasCompleted, isEnded, type StepState } from '../state/state.ts'
import { emit, type Looked, planOf, type Turn } from '../turn.ts'
import { isBody, layerOf } from './layers.ts'
import { start } from './start.ts'

/** What another model, or another way, would not change: a person decides, time is over, or it is unsafe to go on. */
const NO_FALLBACK: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'gate_rejected',
  'failed_by_operator',
  'cancelled',
  'deadline_exceeded',
  'budget_exceeded',
  'poison_step',
  'limit_exceeded',
  'engine_failure',
])
/** What a step is given, or what it answered, is not the model's fault. */
const NO_OTHER_MODEL: ReadonlySet<FailureCode> = new Set<FailureCode>(['expression_failed', 'low_confidence'])

/** The model of a step as it is now: an operator's, the one it went on with, its agent's, or the definition's. */
export const modelOf = (turn: Turn, path: string): string => {
  const { body } = planOf(turn.plan, parsePath(path).node)
  const step = turn.state.steps.get(path)
  const { role, parent } = parsePath(path)
  const agent = role === 'turn' ? turn.state.steps.get(parent ?? '') : undefined
  const said = body.kind === 'llm' || body.kind === 'agent' ? body.model : ''
  return step?.edit?.model ?? step?.model ?? agent?.model ?? said
}

const nextModel = (turn: Turn, step: StepState): string | null => {
  const { body } = planOf(turn.plan, step.node)
  const calls = (body.kind === 'llm' && isBody(turn.plan, step)) || (body.kind === 'agent' && step.role === 'turn')
  // an operator who named a model meant that one
  if (!calls || (body.kind !== 'llm' && body.kind !== 'agent') || step.edit?.model) return null
  const models = [body.model, ...body.fallback]
  return models[models.indexOf(modelOf(turn, step.path)) + 1] ?? null
}

/** What a step that has failed goes on with; null: there is nothing, or it would not help. */
export const nextWay = (turn: Turn, path: string, cause: Failure): EventOf<'step.fallback'>['to'] | null => {
  const step = turn.state.steps.get(path)
  const isOver = turn.state.closing !== null && parsePath(path).role !== 'compensation'
  if (isOver || step?.fallback || cause.class === 'ambiguous' || NO_FALLBACK.has(cause.code)) return null
  const model = step && !NO_OTHER_MODEL.has(cause.code) ? nextModel(turn, step) : null
  if (model !== null) return { model }
  const { node, role } = parsePath(path)
  const plan = planOf(turn.plan, node)
  const isBody = role !== 'turn' && role !== 'tool' && layerOf(plan, role) === 'body'
  if (!plan.hasFallback || !isBody) return null
  return { step: fallbackPath(path, (step?.fallbacks ?? 0) + 1) }
}

/** Goes on with the next model or the step's fallback; false: there is none. */
export const goOn = (turn: Turn, path: string, cause: Failure): boolean => {
  const to = nextWay(turn, path, cause)
  if (to) emit(turn, { type: 'step.fallback', path, failure: cause, to })
  return to !== null
}

/** Begins what is done in place of a step; when it has ended, so has the step. */
export const advanceFallback = (turn: Turn, step: StepState, path: string): Looked => {
  const part = turn.state.steps.get(path)
  if (!part) return start(turn, path)
  if (!isEnded(part)) return 'done'
  if (hasCompleted(part)) {
    emit(turn, { type: 'step.completed', path: step.path, output: part.output ?? { value: null } })
    // its failure would have been the step's at once
  } else emit(turn, { type: 'step.skipped', path: step.path, because: 'operator' })
  return 'done'
}
