// spots: every step of a definition with what is around it. One walk over the nested scopes, which all checks use.
import type { Definition, Json, StepDefinition } from '@stepfleet/contracts'
import { isMap, type JsonMap } from '../../expressions/values.ts'
import { innerPath } from '../../state/paths.ts'
import type { Path } from './findings.ts'
import { valueAt } from './raw.ts'

/** The steps of the definition, or of one block. */
export interface ScopeInfo {
  /** Id of the block; empty: the top. */
  id: string
  /** Place of its `steps`. */
  path: Path
  /** All names as they were written, also of steps that are wrong in themselves. */
  names: readonly string[]
  /** The block; null at the top. */
  owner: Spot | null
}

export interface Spot {
  /** `block/inner` */
  id: string
  name: string
  path: Path
  step: StepDefinition
  scope: ScopeInfo
  /** The scope of a block. */
  inner: ScopeInfo | null
  /** Names of the items around it, outermost first; its own is the last. */
  items: readonly string[]
  /** It stands in a `repeat`, its own too. */
  repeats: boolean
  /** Blocks around it and itself, if it is one. */
  depth: number
}

/** The name of the item of a step with `each`. */
export const itemName = (step: StepDefinition): string | null => {
  if (step.each === undefined) return null
  return typeof step.each === 'string' ? 'item' : (step.each.as ?? 'item')
}

const namesAt = (root: Json, path: Path, steps: object): readonly string[] => {
  const written = valueAt(root, path)
  return written !== undefined && isMap(written) ? Object.keys(written) : Object.keys(steps)
}

const walk = (steps: Record<string, StepDefinition>, scope: ScopeInfo, original: Json): Spot[] =>
  Object.entries(steps).flatMap(([name, step]) => {
    const { owner } = scope
    const own = itemName(step)
    const path = [...scope.path, name]
    const spot: Spot = {
      id: innerPath(scope.id, name),
      name,
      path,
      step,
      scope,
      inner: null,
      items: [...(owner?.items ?? []), ...(own === null ? [] : [own])],
      repeats: (owner?.repeats ?? false) || step.repeat !== undefined,
      depth: (owner?.depth ?? 0) + (step.steps ? 1 : 0),
    }
    if (!step.steps) return [spot]
    const at = [...path, 'steps']
    spot.inner = { id: spot.id, path: at, names: namesAt(original, at, step.steps), owner: spot }
    return [spot, ...walk(step.steps, spot.inner, original)]
  })

/** All steps, those of a block behind it. `original` is the definition before anything was cut out of it. */
export const spotsOf = (definition: Definition, original: Json): { top: ScopeInfo; spots: Spot[] } => {
  const path = ['steps']
  const top: ScopeInfo = { id: '', path, names: namesAt(original, path, definition.steps), owner: null }
  return { top, spots: walk(definition.steps, top, original) }
}

/** A scope and those around it, innermost first. */
export const scopesFrom = (scope: ScopeInfo): ScopeInfo[] => {
  const scopes: ScopeInfo[] = []
  for (let at: ScopeInfo | null = scope; at; at = at.owner?.scope ?? null) scopes.push(at)
  return scopes
}

/** The step itself, or the block around it, that stands in a scope. */
export const ancestorIn = (spot: Spot, scope: ScopeInfo): Spot => {
  let at = spot
  while (at.scope !== scope && at.scope.owner) at = at.scope.owner
  return at
}

/** The block through which a step that stands deeper is seen from some scopes; null when no block holds such a step. */
export const blockSeenFrom = (spots: readonly Spot[], scopes: readonly ScopeInfo[], name: string): Spot | null => {
  for (const spot of spots) {
    if (spot.name !== name) continue
    for (let at = spot.scope.owner; at; at = at.scope.owner) if (scopes.includes(at.scope)) return at
  }
  return null
}

/** Raw steps of all depths, whatever else is wrong with them. */
export const rawSteps = (root: Json, at: Path = ['steps']): { path: Path; raw: JsonMap }[] => {
  const steps = valueAt(root, at)
  if (steps === undefined || !isMap(steps)) return []
  return Object.keys(steps).flatMap((name) => {
    const path = [...at, name]
    const raw = steps[name]
    return raw !== undefined && isMap(raw) ? [{ path, raw }, ...rawSteps(root, [...path, 'steps'])] : []
  })
}
