// The steps of a run as a tree: what stands in what, in which order, and what is folded up when rows are few.
import type { StepStatus, StepView } from '@stepfleet/contracts'

export interface Node {
  step: StepView
  /** What it adds to the path of what it stands in: `[3]`, `iter-2`, `turn-1/llm`, `compensate-1`, `inner`. */
  label: string
  children: Node[]
}

/** A line to be: a step (with how many below it are hidden), or how many finished ones were folded up here. */
export type Row = { depth: number } & ({ node: Node; hidden: number } | { node: null; folded: number })

const ENDED: ReadonlySet<StepStatus> = new Set([
  'completed',
  'failed',
  'skipped',
  'overridden',
  'cancelled',
  'compensated',
])
const WELL: ReadonlySet<StepStatus> = new Set(['completed', 'skipped', 'overridden', 'compensated'])

export const stepEnded = (status: StepStatus): boolean => ENDED.has(status)

/** The paths around a path, innermost first: `a[3]/iter-2/b` is in `a[3]/iter-2`, in `a[3]`, in `a`. */
export const around = (path: string): string[] => {
  const found: string[] = []
  for (let at = path.length - 1; at > 0; at -= 1)
    if (path[at] === '/' || path[at] === '[') found.push(path.slice(0, at))
  return found
}

const NUMBERED = /^(?:\[(\d+)\]|iter-(\d+)|turn-(\d+)\/(?:llm|tool-(\d+)))$/

/** Items, iterations and turns by their numbers; null for a step with a name. */
const numberOf = ({ label }: Node): number | null => {
  const [, item, iteration, turn, tool] = NUMBERED.exec(label) ?? []
  if (turn === undefined) return item === undefined && iteration === undefined ? null : Number(item ?? iteration)
  // the tools of a turn behind its model call, 128 of them at most
  return Number(turn) * 1_000 + (tool === undefined ? 0 : Number(tool) + 1)
}

/** In the order in which they became ready; what is not ready yet comes last, in the order it was given. */
const byTime = (a: Node, b: Node): number => {
  const [left, right] = [a.step.readyAtMs ?? Number.MAX_SAFE_INTEGER, b.step.readyAtMs ?? Number.MAX_SAFE_INTEGER]
  return left - right
}

const sortParts = (parts: Node[]): void => {
  const numbers = new Map(parts.map((node) => [node, numberOf(node)]))
  const all = parts.every((node) => numbers.get(node) !== null)
  parts.sort(all ? (a, b) => (numbers.get(a) ?? 0) - (numbers.get(b) ?? 0) : byTime)
}

/** The tree of a run's steps. What a view leaves out between a step and what is around it is bridged. */
export const buildTree = (steps: readonly StepView[]): Node[] => {
  const nodes = new Map(steps.map((step) => [step.path, { step, label: step.path, children: [] as Node[] }]))
  const roots: Node[] = []
  for (const node of nodes.values()) {
    const { path, parent } = node.step
    const inside = [...(parent === null ? [] : [parent]), ...around(path)].find((one) => nodes.has(one))
    const above = inside === undefined ? undefined : nodes.get(inside)
    if (!above) {
      roots.push(node)
      continue
    }
    if (path.startsWith(above.step.path)) node.label = path.slice(above.step.path.length).replace(/^\//, '')
    above.children.push(node)
  }
  for (const { children } of nodes.values()) sortParts(children)
  return roots.sort(byTime)
}

const sizeOf = (node: Node): number => node.children.reduce((sum, child) => sum + 1 + sizeOf(child), 0)
const allWell = (node: Node): boolean => WELL.has(node.step.status) && node.children.every(allWell)

interface Fold {
  /** What has finished, with everything in it, is one line. */
  close: boolean
  /** So many finished parts of one step are shown. */
  keep: number
}

const flatten = (nodes: readonly Node[], depth: number, fold: Fold): Row[] => {
  const rows: Row[] = []
  const done = depth === 0 ? [] : nodes.filter(allWell)
  const gone = new Set(done.slice(0, Math.max(0, done.length - fold.keep)))
  // one line that says "1 finished" saves nothing
  if (gone.size > 1) rows.push({ depth, node: null, folded: gone.size })
  for (const node of nodes) {
    if (gone.size > 1 && gone.has(node)) continue
    const closed = fold.close && node.children.length > 0 && allWell(node)
    rows.push({ depth, node, hidden: closed ? sizeOf(node) : 0 })
    if (!closed) rows.push(...flatten(node.children, depth + 1, fold))
  }
  return rows
}

const FOLDS: readonly Fold[] = [
  { close: false, keep: Number.POSITIVE_INFINITY },
  ...[Number.POSITIVE_INFINITY, 8, 4, 2, 0].map((keep) => ({ close: true, keep })),
]

/** Closes what has finished, then folds more and more of it, until it fits; then cuts the end. */
export const fit = (roots: readonly Node[], limit: number): { rows: Row[]; cutOff: number } => {
  let rows: Row[] = []
  for (const fold of FOLDS) {
    rows = flatten(roots, 0, fold)
    if (rows.length <= limit) return { rows, cutOff: 0 }
  }
  const shown = Math.max(0, limit - 1)
  return { rows: rows.slice(0, shown), cutOff: rows.length - shown }
}

const plural = (n: number, what: string): string => `${n.toLocaleString('en-US')} ${what}${n === 1 ? '' : 's'}`

/** How far a step with parts is, while it goes on: items, iterations or turns; empty for others. */
export const progress = ({ step, children }: Node): string => {
  const last = children.at(-1)?.label ?? ''
  if (stepEnded(step.status) || step.status === 'pending') return ''
  const [, iteration] = /^iter-(\d+)$/.exec(last) ?? []
  const [, turn] = /^turn-(\d+)\//.exec(last) ?? []
  if (iteration !== undefined) return `iteration ${iteration}`
  if (turn !== undefined) return `turn ${turn}`
  const items = children.filter(({ label }) => label.startsWith('['))
  if (items.length === 0) return ''
  const ended = items.filter((item) => stepEnded(item.step.status)).length
  return `${plural(ended, 'item')} ended, ${items.length - ended} open`
}

/** What a closed line hides. */
export const hiddenText = (hidden: number): string => (hidden === 0 ? '' : `${plural(hidden, 'step')} in it`)
