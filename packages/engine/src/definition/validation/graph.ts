// Checks the graph of steps: `needs` that lead somewhere, and no circles.

import { LIMITS, nearest } from '@stepfleet/contracts'
import type { Findings, Path } from './findings.ts'
import { ancestorIn, blockSeenFrom, type ScopeInfo, type Spot, scopesFrom } from './spots.ts'

type Graph = ReadonlyMap<string, readonly string[]>

/** A need is a step of the same scope; what stands further out is waited for by the block. */
const checkNeed = (at: { spots: readonly Spot[]; spot: Spot; path: Path }, need: string, findings: Findings): void => {
  const { spots, spot, path } = at
  const { name, scope } = spot
  if (need === name) {
    findings.error(path, 'needs_self', `step \`${name}\` cannot wait for itself`)
    return
  }
  if (scope.names.includes(need)) return
  const scopes = scopesFrom(scope)
  const further = scopes.find(({ names }) => names.includes(need))
  const waiting = further && ancestorIn(spot, further)
  const block = blockSeenFrom(spots, [scope], need)
  if (waiting?.name === need) {
    findings.error(path, 'needs_self', `\`${name}\` stands inside of \`${need}\` and cannot wait for it`)
  } else if (waiting) {
    const message = `\`${need}\` stands outside of the block: put it into the \`needs\` of \`${waiting.name}\``
    findings.error(path, 'unknown_step', message)
  } else if (block) {
    findings.error(path, 'unknown_step', `\`${need}\` stands inside of \`${block.name}\`: need that`, block.name)
  } else findings.error(path, 'unknown_step', `there is no step \`${need}\``, nearest(need, scope.names))
}

const checkNeeds = (spots: readonly Spot[], spot: Spot, findings: Findings): void => {
  for (const field of ['needs', 'needs_any'] as const) {
    for (const [at, need] of (spot.step[field] ?? []).entries()) {
      checkNeed({ spots, spot, path: [...spot.path, field, at] }, need, findings)
    }
  }
}

/** Two steps of nested scopes of one name: the inner would hide the outer. */
const checkShadows = (spot: Spot, findings: Findings): void => {
  const outer = spot.scope.owner?.scope
  if (!outer || !scopesFrom(outer).some(({ names }) => names.includes(spot.name))) return
  const message = `a step around this block is called \`${spot.name}\` too, and could not be mentioned here`
  findings.error(spot.path, 'shadowed_name', message)
}

const checkDepth = (spot: Spot, findings: Findings): void => {
  if (!spot.step.steps || spot.depth !== LIMITS.nesting + 1) return
  findings.error([...spot.path, 'steps'], 'invalid_value', `blocks are nested at most ${LIMITS.nesting} deep`)
}

/** A circle through `start` of which no step has been visited before, found depth first; null when there is none. */
const circleFrom = (graph: Graph, start: string, done: Set<string>): string[] | null => {
  const way: { name: string; next: number }[] = [{ name: start, next: 0 }]
  const onWay = new Set([start])
  while (way.length > 0) {
    const top = way.at(-1)
    if (!top) break
    const need = graph.get(top.name)?.[top.next]
    top.next += 1
    if (need === undefined) {
      way.pop()
      onWay.delete(top.name)
      done.add(top.name)
    } else if (onWay.has(need)) {
      const names = way.map(({ name }) => name)
      for (const name of names) done.add(name)
      return names.slice(names.indexOf(need))
    } else if (!done.has(need)) {
      way.push({ name: need, next: 0 })
      onWay.add(need)
    }
  }
  return null
}

/** Starts the circle at its step that the definition names first. */
const rotated = (circle: readonly string[], order: readonly string[]): string[] => {
  const first = order.find((name) => circle.includes(name)) ?? circle[0] ?? ''
  const at = circle.indexOf(first)
  return [...circle.slice(at), ...circle.slice(0, at), first]
}

/** Reports circles; one that shares steps with a reported one shows when that is gone. */
const checkCircles = (scope: ScopeInfo, graph: Graph, findings: Findings): void => {
  const order = [...graph.keys()]
  const done = new Set<string>()
  for (const start of order) {
    if (done.has(start)) continue
    const circle = circleFrom(graph, start, done)
    if (!circle) continue
    const way = rotated(circle, order)
    findings.error([...scope.path, way[0] ?? start], 'cycle', `these steps wait for each other: ${way.join(' → ')}`)
  }
}

/** Checks names, `needs` and circles of every scope; `mentioned` is what each step's expressions wait for. */
export const checkGraph = (
  spots: readonly Spot[],
  mentioned: ReadonlyMap<Spot, ReadonlySet<string>>,
  findings: Findings,
): void => {
  const graphs = new Map<ScopeInfo, Map<string, string[]>>()
  for (const spot of spots) {
    checkNeeds(spots, spot, findings)
    checkShadows(spot, findings)
    checkDepth(spot, findings)
    const { step, scope, name } = spot
    const needs = new Set([...(mentioned.get(spot) ?? []), ...(step.needs ?? []), ...(step.needs_any ?? [])])
    needs.delete(name)
    const graph = graphs.get(scope) ?? new Map<string, string[]>()
    graphs.set(
      scope,
      graph.set(
        name,
        [...needs].filter((need) => scope.names.includes(need)),
      ),
    )
  }
  for (const [scope, graph] of graphs) checkCircles(scope, graph, findings)
}
