// Layers: what a path stands for in its step. A step may be all its items, an item all its iterations; the innermost
// layer is the body itself, which is what begins, takes places under limits, and can be undone.
import type { Plan, StepPlan } from '../definition/plan.ts'
import { parsePath, type Role, stepAround } from '../state/paths.ts'
import type { StepState } from '../state/state.ts'
import { planOf } from '../turn.ts'

export const layerOf = (plan: StepPlan, role: Role): 'each' | 'repeat' | 'body' => {
  if (role === 'step' && plan.each) return 'each'
  return (role === 'step' || role === 'item') && plan.repeat ? 'repeat' : 'body'
}

/** True for the body of a plan step, not for what is inside of it. */
export const isBody = (plan: Plan, step: StepState): boolean =>
  step.role !== 'turn' && step.role !== 'tool' && layerOf(planOf(plan, step.node), step.role) === 'body'

/** Its join takes the failure of an item as a result. */
export const takesFailures = (plan: StepPlan): boolean => plan.each !== null && plan.each.join !== 'all'

/** What is around a step, of which it is a part: the layer of the block it stands in. Null at the top. */
export const blockAround = (path: string): string | null => parsePath(stepAround(path)).parent

/** Something around the step takes failures as results, or says itself what becomes of them. */
export const isTakenAround = (plan: Plan, path: string): boolean => {
  for (let at = blockAround(path); at !== null; at = blockAround(at)) {
    const { node, role } = parsePath(at)
    if (takesFailures(planOf(plan, node)) && role !== 'step') return true
  }
  return false
}
