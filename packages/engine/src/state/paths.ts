// Step paths taken apart: which plan step a path stands for, what it is to its parent, and what is around it.

/**
 * What a step is to its parent: a step of a scope, an item of an `each`, an iteration of a `repeat`, a model call or a
 * tool use of an agent, what is done in its place when it has failed, or what undoes it.
 */
export type Role = 'step' | 'item' | 'iteration' | 'turn' | 'tool' | 'fallback' | 'compensation'

export interface PathParts {
  /** Id of its plan step: the path without items, iterations and turns. */
  node: string
  role: Role
  /** Path of what it belongs to; null at the top. */
  parent: string | null
  /** Item number, or number of the tool use in its turn. */
  index: number | null
  /** Turn of an agent, iteration, or time a fallback was needed, from 1. */
  turn: number | null
}

const LAYERS = /\[\d+\]|\/iter-\d+|\/turn-\d+\/(?:llm|tool-\d+)/g
const ITEM = /^(.*)\[(\d+)\]$/
const ITERATION = /^(.*)\/iter-(\d+)$/
const TURN = /^(.*)\/turn-(\d+)\/(?:llm|tool-(\d+))$/
const FALLBACK = /^(.*)\/fallback-(\d+)$/
const FALLBACKS = /\/fallback-\d+/g
const UNDO = '/compensate-1'

/** Every fallback of a step is the same plan step, however often it was needed. */
const nodeOf = (path: string): string => {
  const node = path.replace(LAYERS, '')
  return node.includes('/fallback-') ? node.replace(FALLBACKS, '/fallback-1') : node
}

/** A step's name at the end: what is before it is the block it stands in. */
const asStep = (path: string): PathParts => {
  const cut = path.lastIndexOf('/')
  const parent = cut < 0 ? null : path.slice(0, cut)
  return { node: nodeOf(path), role: 'step', parent, index: null, turn: null }
}

/** `search` · `search[3]` · `block/inner` · `draft/iter-2` · `work/turn-17/llm` · `work/turn-17/tool-0` · `mail/fallback-1` · `mail/compensate-1`. */
export const parsePath = (path: string): PathParts => {
  if (!path.includes('[') && !path.includes('/')) {
    return { node: path, role: 'step', parent: null, index: null, turn: null }
  }
  const node = nodeOf(path)
  const item = ITEM.exec(path)
  if (item) return { node, role: 'item', parent: item[1] ?? null, index: Number(item[2]), turn: null }
  const turn = TURN.exec(path)
  if (turn) {
    const tool = turn[3] === undefined ? null : Number(turn[3])
    return { node, role: tool === null ? 'turn' : 'tool', parent: turn[1] ?? null, index: tool, turn: Number(turn[2]) }
  }
  const iteration = ITERATION.exec(path)
  if (iteration) {
    return { node, role: 'iteration', parent: iteration[1] ?? null, index: null, turn: Number(iteration[2]) }
  }
  const fallback = FALLBACK.exec(path)
  if (fallback) {
    return { node, role: 'fallback', parent: fallback[1] ?? null, index: null, turn: Number(fallback[2]) }
  }
  if (path.endsWith(UNDO)) {
    return { node, role: 'compensation', parent: path.slice(0, -UNDO.length), index: null, turn: null }
  }
  return asStep(path)
}

export const itemPath = (group: string, index: number): string => `${group}[${index}]`
export const iterationPath = (step: string, iteration: number): string => `${step}/iter-${iteration}`
export const turnPath = (agent: string, turn: number): string => `${agent}/turn-${turn}/llm`
export const toolPath = (agent: string, turn: number, use: number): string => `${agent}/turn-${turn}/tool-${use}`
/** Path of what undoes a step; also the id of its plan step. */
export const undoPath = (path: string): string => `${path}${UNDO}`
/** Path of what is done in place of a step, the `time`-th time that it is needed; with 1 the id of its plan step. */
export const fallbackPath = (path: string, time: number): string => `${path}/fallback-${time}`
/** The innermost step in whose place a path is done, or null. */
export const fallbackAround = (path: string): string | null => {
  const cut = path.lastIndexOf('/fallback-')
  return cut < 0 ? null : path.slice(0, cut)
}
/** A step of the scope at `prefix`: the top is empty. The same for ids. */
export const innerPath = (prefix: string, name: string): string => (prefix === '' ? name : `${prefix}/${name}`)

/** One delivery of one attempt: each may be paid, so each holds a reservation of its own. */
export const holderOf = (path: string, attempt: number, delivery: number): string => `${path}.${attempt}.${delivery}`

/** True for what lies inside a composite: its items, iterations, inner steps, turns and tool uses. */
export const isInside = (path: string, composite: string): boolean =>
  path.length > composite.length &&
  path.startsWith(composite) &&
  (path[composite.length] === '/' || path[composite.length] === '[')

/** The step of the definition that a layer belongs to: `block[2]/iter-1` → `block`. */
export const stepAround = (path: string): string => {
  const { role, parent } = parsePath(path)
  return role === 'step' || parent === null ? path : stepAround(parent)
}

/** The blocks whose steps a path can see, innermost first; the last is the top, empty. */
export const scopesAround = (path: string): string[] => {
  const scopes: string[] = []
  for (let at: string | null = path; at !== null && at !== ''; ) {
    const { parent } = parsePath(stepAround(at))
    scopes.push(parent ?? '')
    at = parent
  }
  return scopes.length === 0 ? [''] : scopes
}

/** The items a path stands in, outermost first: `work[3]/turn-1/llm` → `work`, 3. */
export const itemsAround = (path: string): { group: string; index: number }[] =>
  [...path.matchAll(/\[(\d+)\]/g)].map((match) => ({ group: path.slice(0, match.index), index: Number(match[1]) }))

/** The innermost iteration a path stands in, or null. */
export const iterationAround = (path: string): { step: string; iteration: number } | null => {
  const last = [...path.matchAll(/\/iter-(\d+)/g)].at(-1)
  return last ? { step: path.slice(0, last.index), iteration: Number(last[1]) } : null
}
