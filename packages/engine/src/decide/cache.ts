// cache: a finished output that is taken again. It is looked for before a step takes a place or goes out.
import type { Json, Payload } from '@stepfleet/contracts'
import { canonicalJson } from '../definition/canonical.ts'
import type { StepPlan } from '../definition/plan.ts'
import { inputOf } from '../messages/inputs.ts'
import { render } from '../scope.ts'
import { blankStep, type StepState } from '../state/state.ts'
import { ask, emit, type Looked, planOf, type Turn } from '../turn.ts'
import { expressionFailure, settleFailure } from './failure-policy.ts'
import { isBody } from './layers.ts'

type Cache = NonNullable<StepPlan['cache']>

/** What tells one cached output of a step from another; a failure in words, or null: a payload must be loaded. */
const keyOf = (
  turn: Turn,
  path: string,
  { key }: Cache,
): { ok: true; value: Json } | { ok: false; message: string } | null => {
  if (key) return render(turn, key, path)
  const input = inputOf(turn, turn.state.steps.get(path) ?? blankStep(path, turn.nowMs))
  if (input === null || input.ok) return input && { ok: true, value: { input: input.value as Json } }
  return { ok: false, message: input.failure.message }
}

/**
 * The whole key: by workflow and step, since another step's output would not fit; and by its confidence, so that an answer
 * that was sure enough once is not taken where more is asked for now.
 */
export const cacheKeyOf = (turn: Turn, path: string, plan: StepPlan, cache: Cache): ReturnType<typeof keyOf> => {
  const key = keyOf(turn, path, cache)
  if (!key?.ok) return key
  const sure = plan.confidence ? [plan.confidence.min, plan.confidence.from.source] : []
  return { ok: true, value: turn.values.digest(canonicalJson([turn.plan.name, plan.id, key.value, ...sure])) }
}

/** Remembers what a step gives for those that begin in the same turn: it lies in the cache only after the append. */
export const rememberFresh = (turn: Turn, step: StepState, output: Payload): void => {
  const plan = planOf(turn.plan, step.node)
  if (!plan.cache || !isBody(turn.plan, step) || step.edit || step.model !== null) return
  const key = cacheKeyOf(turn, step.path, plan, plan.cache)
  if (key?.ok) turn.fresh.set(String(key.value), output)
}

/** Completes the step from the cache; `none`: it has to run. An operator's edit always runs. */
export const takeCached = (turn: Turn, path: string, plan: StepPlan, cache: Cache): Looked | 'none' => {
  const step = turn.state.steps.get(path)
  if (step && (step.attempts.length > 0 || step.edit)) return 'none'
  const key = cacheKeyOf(turn, path, plan, cache)
  if (key === null) return 'wait'
  if (!key.ok) {
    settleFailure(turn, path, expressionFailure(`steps.${plan.id}.cache`, key.message))
    return 'done'
  }
  const fresh = turn.fresh.get(String(key.value))
  if (fresh) {
    emit(turn, { type: 'step.completed', path, output: fresh, cached: true })
    return 'done'
  }
  const answer = ask(turn, { kind: 'cache', key: String(key.value) })
  if (answer === null) return 'wait'
  if (answer.kind !== 'cache' || answer.found === null) return 'none'
  emit(turn, { type: 'step.completed', path, output: turn.values.pack(answer.found.value), cached: true })
  return 'done'
}
