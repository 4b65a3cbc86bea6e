// Step paths taken apart: which plan step a path stands for, and what it is to its parent.

/** What a step is to its parent. */
export type Role = 'step' | 'item' | 'turn' | 'tool'

export interface PathParts {
  node: string
  role: Role
  parent: string | null
  /** Item number, or number of the tool use in its turn. */
  index: number | null
  turn: number | null
}

const ITEM = /^(.*)\[(\d+)\]$/
const TURN_LLM = /^(.*)\/turn-(\d+)\/llm$/
const TURN_TOOL = /^(.*)\/turn-(\d+)\/tool-(\d+)$/

const nodeOf = (path: string): string => /^[a-z][a-z0-9_]*/.exec(path)?.[0] ?? path

/** `search` · `search[3]` · `work/turn-17/llm` · `work/turn-17/tool-0`. */
export const parsePath = (path: string): PathParts => {
  const node = nodeOf(path)
  const llm = TURN_LLM.exec(path)
  if (llm) return { node, role: 'turn', parent: llm[1] ?? null, index: null, turn: Number(llm[2]) }
  const tool = TURN_TOOL.exec(path)
  if (tool) return { node, role: 'tool', parent: tool[1] ?? null, index: Number(tool[3]), turn: Number(tool[2]) }
  const item = ITEM.exec(path)
  if (item) return { node, role: 'item', parent: item[1] ?? null, index: Number(item[2]), turn: null }
  return { node, role: 'step', parent: null, index: null, turn: null }
}

export const itemPath = (group: string, index: number): string => `${group}[${index}]`
export const turnPath = (agent: string, turn: number): string => `${agent}/turn-${turn}/llm`
export const toolPath = (agent: string, turn: number, use: number): string => `${agent}/turn-${turn}/tool-${use}`

/** True for what lies inside a composite: its items, turns and tool uses. */
export const isInside = (path: string, composite: string): boolean =>
  path.length > composite.length &&
  path.startsWith(composite) &&
  (path[composite.length] === '/' || path[composite.length] === '[')

/** The item an inner path belongs to and the `each` around it: `work[3]/turn-1/llm` → `work`, 3. */
export const enclosingItem = (path: string): { group: string; index: number } | null => {
  const match = /^([a-z][a-z0-9_]*)\[(\d+)\]/.exec(path)
  return match ? { group: match[1] ?? '', index: Number(match[2]) } : null
}
