// Compiles a validated definition into the plan the engine works by.
import type { Definition, Effect, StepDefinition } from '@stepfleet/contracts'
import { type Context, compileBody, template } from './compile/bodies.ts'
import { DEFAULT_CONCURRENCY, DEFAULT_TIMEOUT_MS, durationMs, retryPolicy, toolEffect } from './compile/defaults.ts'
import type { EachPlan, Plan, StepPlan } from './plan.ts'

const each = (context: Context, step: StepDefinition): EachPlan | null => {
  if (step.each === undefined) return null
  const said = typeof step.each === 'string' ? { in: step.each } : step.each
  return {
    in: template(context, said.in),
    as: said.as ?? 'item',
    concurrency: said.concurrency ?? DEFAULT_CONCURRENCY,
    join: said.join ?? 'all',
  }
}

/** As declared, else what the kind or the method of `http` says; null: a module tool's manifest, or no task. */
const effectOf = (step: StepDefinition): Effect | null => {
  if (step.tool !== undefined) return toolEffect({ tool: step.tool, with: step.with, effect: step.effect })
  if (step.llm || step.agent) return step.effect ?? 'read'
  return null
}

const timeoutOf = (step: StepDefinition, defaults: Definition['defaults']): number => {
  const said = step.timeout ?? defaults?.timeout
  if (said !== undefined) return durationMs(said)
  if (step.llm) return DEFAULT_TIMEOUT_MS.llm
  return step.agent ? DEFAULT_TIMEOUT_MS.agent : DEFAULT_TIMEOUT_MS.tool
}

const compileStep = (definition: Definition, name: string, step: StepDefinition): StepPlan => {
  const { defaults } = definition
  const context: Context = { defaults, mentioned: new Set() }
  const effect = effectOf(step)
  const condition = step.if === undefined || step.if === true ? null : template(context, step.if)
  const items = each(context, step)
  const body = compileBody(context, step)
  return {
    name,
    body,
    needs: [...new Set([...context.mentioned, ...(step.needs ?? [])])],
    condition,
    each: items,
    retry: retryPolicy(step.retry, defaults?.retry, effect),
    timeoutMs: timeoutOf(step, defaults),
    deadlineMs: step.deadline === undefined ? null : durationMs(step.deadline),
    effect,
    gate: step.gate ?? false,
    onFailure: step.on_failure ?? 'escalate',
  }
}

const dependentsOf = (steps: ReadonlyMap<string, StepPlan>): Map<string, string[]> => {
  const dependents = new Map([...steps.keys()].map((name): [string, string[]] => [name, []]))
  for (const { name, needs } of steps.values()) {
    for (const need of needs) {
      const waiting = dependents.get(need)
      if (!waiting) throw new Error(`step ${name} needs ${need}, which does not exist`)
      waiting.push(name)
    }
  }
  return dependents
}

/**
 * The plan of a definition that `validate` has accepted; anything else is a bug and throws. `hash` is the
 * SHA-256 of the canonical definition. Deterministic: the same definition always gives the same plan.
 */
export const compile = (definition: Definition, hash: string): Plan => {
  const steps = new Map(
    Object.entries(definition.steps).map(([name, step]) => [name, compileStep(definition, name, step)] as const),
  )
  const output =
    definition.output === undefined
      ? null
      : template({ defaults: definition.defaults, mentioned: new Set() }, definition.output)
  return { hash, name: definition.name, definition, steps, dependents: dependentsOf(steps), output }
}
