// Compiles a validated definition into the plan the engine works by.
import type { Definition } from '@stepfleet/contracts'
import { template } from './compile/bodies.ts'
import { durationMs } from './compile/defaults.ts'
import { compileScope, limitsOf } from './compile/scopes.ts'
import type { Plan, ScopePlan, StepPlan } from './plan.ts'

/**
 * The plan of a definition that `validate` has accepted; anything else is a bug and throws. `hash` is the
 * SHA-256 of the canonical definition. Deterministic: the same definition always gives the same plan.
 */
export const compile = (definition: Definition, hash: string): Plan => {
  const { defaults } = definition
  const steps = new Map<string, StepPlan>()
  const scopes = new Map<string, ScopePlan>()
  compileScope({ definition, steps, scopes }, '', definition.steps)
  const context = { defaults, mentioned: new Set<string>() }
  return {
    hash,
    name: definition.name,
    definition,
    steps,
    scopes,
    limited: [...steps.values()].some((step) => step.limits.length > 0),
    compensates: [...steps.values()].some((step) => step.compensated),
    agentBudgets: [...steps.values()].some(({ body }) => body.kind === 'agent' && body.budget !== null),
    deadlineMs: definition.deadline === undefined ? null : durationMs(definition.deadline),
    limits: limitsOf(context, definition),
    output: definition.output === undefined ? null : template(context, definition.output),
    code: null,
  }
}
