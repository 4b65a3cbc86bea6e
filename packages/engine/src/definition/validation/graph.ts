// Checks the graph of steps: `needs` that lead somewhere, and no circles.

import type { Definition } from '@stepfleet/contracts'
import { nearest } from '@stepfleet/contracts'
import type { Findings } from './findings.ts'

type Graph = ReadonlyMap<string, readonly string[]>

const checkNeeds = (definition: Definition, stepNames: readonly string[], findings: Findings): void => {
  for (const [name, step] of Object.entries(definition.steps)) {
    for (const [at, need] of (step.needs ?? []).entries()) {
      const path = ['steps', name, 'needs', at]
      if (need === name) findings.error(path, 'needs_self', `step \`${name}\` cannot wait for itself`)
      else if (!stepNames.includes(need)) {
        findings.error(path, 'unknown_step', `there is no step \`${need}\``, nearest(need, stepNames))
      }
    }
  }
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
const checkCircles = (graph: Graph, findings: Findings): void => {
  const order = [...graph.keys()]
  const done = new Set<string>()
  for (const start of order) {
    if (done.has(start)) continue
    const circle = circleFrom(graph, start, done)
    if (!circle) continue
    const way = rotated(circle, order)
    findings.error(['steps', way[0] ?? start], 'cycle', `these steps wait for each other: ${way.join(' → ')}`)
  }
}

/** Checks `needs` and circles; `mentioned` are the steps that each step's expressions mention. */
export const checkGraph = (
  definition: Definition,
  mentioned: ReadonlyMap<string, ReadonlySet<string>>,
  stepNames: readonly string[],
  findings: Findings,
): void => {
  checkNeeds(definition, stepNames, findings)
  const graph = new Map<string, string[]>()
  for (const [name, step] of Object.entries(definition.steps)) {
    const needs = new Set([...(mentioned.get(name) ?? []), ...(step.needs ?? [])])
    needs.delete(name)
    graph.set(name, [...needs])
  }
  checkCircles(graph, findings)
}
