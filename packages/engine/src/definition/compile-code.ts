// Compiles a workflow that is code: a plan that begins without steps, and learns each when the code asks for it.
import type { Definition, StepDefinition } from '@stepfleet/contracts'
import { compileScope } from './compile/scopes.ts'
import type { Plan, ScopePlan, StepPlan } from './plan.ts'

/**
 * The plan of one run. `definition` has the name and the input, and no steps; `hash` is the SHA-256 of what is stored.
 */
export const compileCode = (definition: Definition, hash: string, bundle: { hash: string; bundle: string }): Plan => {
  const steps = new Map<string, StepPlan>()
  const asked = new Map<string, StepDefinition>()
  const names = new Set<string>()
  const dependents = new Map<string, readonly string[]>()
  let limited = false
  let compensates = false
  let agentBudgets = false
  const learn = (name: string, step: StepDefinition): void => {
    // no step of code waits for another: the code does
    compileScope({ definition, steps, scopes: new Map<string, ScopePlan>(), literal: true }, '', { [name]: step })
    asked.set(name, step)
    names.add(name)
    dependents.set(name, [])
    limited ||= step.concurrency !== undefined || step.rate !== undefined
    compensates ||= step.compensate !== undefined
    agentBudgets ||= (step.agent ?? step.fallback?.agent)?.budget !== undefined
  }
  return {
    hash,
    name: definition.name,
    definition,
    steps,
    scopes: new Map([['', { names, dependents }]]),
    get limited() {
      return limited
    },
    get compensates() {
      return compensates
    },
    get agentBudgets() {
      return agentBudgets
    },
    deadlineMs: null,
    limits: [],
    output: null,
    code: { ...bundle, asked, learn },
  }
}
