// The steps of a scope, and of the blocks inside of it, each with what it waits for.
import type { CompensateDefinition, Definition, Effect, FallbackDefinition, StepDefinition } from '@stepfleet/contracts'
import { fallbackPath, innerPath, undoPath } from '../../state/paths.ts'
import type { EachPlan, LimitPlan, RepeatPlan, ScopePlan, StepPlan } from '../plan.ts'
import { type Context, compileBody, TEXT, template } from './bodies.ts'
import {
  DEFAULT_CONCURRENCY,
  DEFAULT_TIMEOUT_MS,
  durationMs,
  retryOfTool,
  retryPolicy,
  toolEffect,
} from './defaults.ts'

/** What is compiled so far. */
export interface Build {
  readonly definition: Definition
  readonly steps: Map<string, StepPlan>
  readonly scopes: Map<string, ScopePlan>
  /** Of a step that code asks for: there are no expressions. */
  readonly literal?: boolean
}

type Steps = Record<string, StepDefinition>

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

const repeat = (context: Context, step: StepDefinition): RepeatPlan | null => {
  if (step.repeat === undefined) return null
  const { until, max, on_max } = step.repeat
  return { until: until === undefined ? null : template(context, until), max, onMax: on_max ?? 'complete' }
}

/** What is limited for the whole fleet: of a step, or of runs. */
export const limitsOf = (
  context: Context,
  said: Pick<StepDefinition, 'concurrency' | 'rate'> | Pick<Definition, 'concurrency'>,
): LimitPlan[] => {
  const limits: LimitPlan[] = []
  const rate = 'rate' in said ? said.rate : undefined
  for (const limit of [said.concurrency, rate]) {
    if (!limit) continue
    const perMs = 'per' in limit && typeof limit.per === 'string' ? durationMs(limit.per) : null
    limits.push({ key: template(context, limit.key, TEXT), limit: limit.limit, perMs })
  }
  return limits
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
  if (step.tool === 'callback') return DEFAULT_TIMEOUT_MS.callback
  return step.agent ? DEFAULT_TIMEOUT_MS.agent : DEFAULT_TIMEOUT_MS.tool
}

const onFailure = ({ on_failure: said }: StepDefinition): StepPlan['onFailure'] =>
  typeof said === 'object' ? { use: said.use } : (said ?? null)

/** The steps of the same scope that a step waits for; what is further out is left to the block around it. */
const needsOf = (step: StepDefinition, mentioned: ReadonlySet<string>, names: ReadonlySet<string>): string[] => {
  const said = [...(step.needs ?? []), ...(step.needs_any ?? [])]
  return [...new Set([...[...mentioned].filter((name) => names.has(name)), ...said])]
}

interface Place {
  scope: string
  name: string
  names: ReadonlySet<string>
}

/** Compiles a step and what is inside of it; what it mentions further out is added to `outer`. */
const compileStep = (build: Build, place: Place, step: StepDefinition, outer: Set<string>): StepPlan => {
  const { defaults } = build.definition
  const { scope, name, names } = place
  const id = innerPath(scope, name)
  const { literal } = build
  const context: Context = { defaults, mentioned: new Set(), literal }
  const inner: Context = { defaults, mentioned: new Set(), literal }
  const effect = effectOf(step)
  const plan: Omit<StepPlan, 'needs'> = {
    id,
    scope,
    name,
    condition: step.if === undefined || step.if === true ? null : template(context, step.if),
    each: each(context, step),
    repeat: repeat(context, step),
    // the output of a block knows the steps inside of it, which are none to wait for
    body: compileBody(step.steps ? inner : context, step),
    needsAny: step.needs_any ?? [],
    retry: retryPolicy(step.retry, defaults?.retry, effect, retryOfTool(step.tool)),
    retryDeclared: step.retry !== undefined,
    timeoutMs: timeoutOf(step, defaults),
    deadlineMs: step.deadline === undefined ? null : durationMs(step.deadline),
    effect,
    gate: step.gate ?? false,
    onFailure: onFailure(step),
    priority: step.priority ?? null,
    limits: limitsOf(context, step),
    cache: step.cache ? cacheOf(context, step.cache) : null,
    compensated: step.compensate !== undefined,
    hasFallback: step.fallback !== undefined,
    confidence: confidenceOf(context, step),
  }
  if (step.steps) {
    for (const mention of compileScope(build, id, step.steps)) context.mentioned.add(mention)
    for (const mention of inner.mentioned) if (!(mention in step.steps)) context.mentioned.add(mention)
  }
  if (step.compensate) compileAside(build, context, { scope, name, priority: null, id: undoPath(id) }, step.compensate)
  if (step.fallback) compileAside(build, context, { ...plan, id: fallbackPath(id, 1) }, step.fallback)
  for (const mention of context.mentioned) if (!names.has(mention)) outer.add(mention)
  return { ...plan, needs: needsOf(step, context.mentioned, names) }
}

const cacheOf = (context: Context, cache: NonNullable<StepDefinition['cache']>): StepPlan['cache'] => ({
  key: cache.key === undefined ? null : template(context, cache.key, TEXT),
  ttlMs: durationMs(cache.ttl),
})

/** The expression of a confidence, if there is one, sees what the step has given. */
const confidenceOf = (context: Context, { confidence }: StepDefinition): StepPlan['confidence'] =>
  confidence ? { min: confidence.min, from: template(context, confidence.from) } : null

/**
 * What undoes a step, or is done in its place, is a step of its own, which nothing waits for; what it mentions its step
 * has waited for.
 */
const compileAside = (
  build: Build,
  context: Context,
  { id, scope, name, priority }: Pick<StepPlan, 'id' | 'scope' | 'name' | 'priority'>,
  said: CompensateDefinition | FallbackDefinition,
): void => {
  const { defaults } = build.definition
  const effect = effectOf(said)
  build.steps.set(id, {
    id,
    scope,
    name,
    body: compileBody(context, said),
    needs: [],
    needsAny: [],
    condition: null,
    each: null,
    repeat: null,
    retry: retryPolicy(said.retry, defaults?.retry, effect, retryOfTool(said.tool)),
    retryDeclared: said.retry !== undefined,
    timeoutMs: timeoutOf(said, defaults),
    deadlineMs: said.deadline === undefined ? null : durationMs(said.deadline),
    effect,
    gate: 'gate' in said && said.gate === true,
    onFailure: null,
    priority,
    limits: [],
    cache: null,
    compensated: false,
    hasFallback: false,
    confidence: null,
  })
}

const dependentsOf = (plans: readonly StepPlan[]): Map<string, string[]> => {
  const dependents = new Map(plans.map(({ name }): [string, string[]] => [name, []]))
  for (const { id, name, needs } of plans) {
    for (const need of needs) {
      const waiting = dependents.get(need)
      if (!waiting) throw new Error(`step ${id} needs ${need}, which does not exist`)
      waiting.push(name)
    }
  }
  return dependents
}

/** Compiles the steps of a scope. Gives the names that they mention and that are not of this scope. */
export const compileScope = (build: Build, scope: string, steps: Steps): ReadonlySet<string> => {
  const names = new Set(Object.keys(steps))
  const outer = new Set<string>()
  const plans: StepPlan[] = []
  for (const [name, step] of Object.entries(steps)) {
    const plan = compileStep(build, { scope, name, names }, step, outer)
    build.steps.set(plan.id, plan)
    plans.push(plan)
  }
  build.scopes.set(scope, { names, dependents: dependentsOf(plans) })
  return outer
}
