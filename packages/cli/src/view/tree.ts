// Draws a run as a tree of steps: a pure function from a run's view to lines of text.
import type { AttemptView, Cost, RunStatus, RunView, StepStatus, StepView } from '@stepfleet/contracts'
import { count, duration, line, money, type Paint, type Piece, safe } from './text.ts'

export interface TreeOptions {
  /** Cells of a line. */
  width: number
  /** Most lines to draw; what has finished is folded up first, the rest is cut with a note. */
  rows: number
  color: boolean
  /** Now, on the clock of the run's times. */
  nowMs: number
}

const ICONS: Record<StepStatus, [string, Paint]> = {
  pending: ['·', 'dim'],
  scheduled: ['◌', 'cyan'],
  running: ['●', 'blue'],
  retrying: ['↻', 'yellow'],
  waiting: ['◷', 'yellow'],
  escalated: ['!', 'red'],
  completed: ['✓', 'green'],
  failed: ['✗', 'red'],
  skipped: ['−', 'dim'],
  overridden: ['✎', 'green'],
  cancelled: ['⊘', 'dim'],
}
const RUN_PAINT: Record<RunStatus, Paint> = {
  queued: 'cyan',
  running: 'blue',
  waiting: 'yellow',
  paused: 'yellow',
  escalated: 'red',
  completed: 'green',
  failed: 'red',
  cancelled: 'dim',
}
const ENDED: ReadonlySet<StepStatus> = new Set(['completed', 'failed', 'skipped', 'overridden', 'cancelled'])
const WELL: ReadonlySet<StepStatus> = new Set(['completed', 'skipped', 'overridden'])

export const iconOf = (status: StepStatus): string => ICONS[status][0]
export const stepEnded = (status: StepStatus): boolean => ENDED.has(status)

/** The cost in words; empty when no model was called. */
export const costText = (cost: Cost): string => {
  if (cost.calls === 0) return ''
  const tokens = `${count(cost.inputTokens + cost.outputTokens)} tokens`
  // a scripted answer was never paid: a price beside it would be a lie
  const price = cost.scripted ? 'scripted' : cost.unpricedCalls === cost.calls ? 'price unknown' : money(cost.microUsd)
  return `${tokens}  ${price}`
}

/** Deliveries that were lost on the way, over all attempts: the workers that died on it. */
export const lostDeliveries = (attempts: readonly AttemptView[]): number =>
  attempts.reduce((sum, attempt) => sum + attempt.deliveries - 1, 0)

const timeOf = (step: StepView, nowMs: number): string => {
  const from = step.startedAtMs ?? step.readyAtMs
  return from === null || step.status === 'pending' ? '' : duration((step.endedAtMs ?? nowMs) - from)
}

const notes = (step: StepView): string[] => {
  const lost = lostDeliveries(step.attempts)
  const found: string[] = []
  if (step.attempt > 1) found.push(`attempt ${step.attempt}`)
  if (lost > 0) found.push(`${lost} lost with ${lost === 1 ? 'its worker' : 'their workers'}, sent again`)
  if (step.failure && step.status !== 'completed') found.push(`${step.failure.code}: ${safe(step.failure.message)}`)
  if (step.why) found.push(safe(step.why))
  return found
}

interface Node {
  step: StepView
  label: string
  children: Node[]
}

/** What a child adds to its parent's path: `work/turn-1/llm` under `work` is `turn-1/llm`, `search[3]` is `[3]`. */
const labelOf = (step: StepView): string => {
  const name = step.parent && step.path.startsWith(step.parent) ? step.path.slice(step.parent.length) : step.path
  return name.replace(/^\//, '')
}

export const buildTree = (steps: readonly StepView[]): Node[] => {
  const nodes = new Map(steps.map((step) => [step.path, { step, label: labelOf(step), children: [] as Node[] }]))
  const roots: Node[] = []
  for (const node of nodes.values()) {
    const parent = node.step.parent === null ? undefined : nodes.get(node.step.parent)
    if (parent) parent.children.push(node)
    else roots.push(node)
  }
  for (const { children } of nodes.values()) children.sort(byTime)
  return roots.sort(byTime)
}

/** In the order in which they became ready; what is not ready yet comes last, in the order it was given. */
const byTime = (a: Node, b: Node): number => {
  const [left, right] = [a.step.readyAtMs ?? Number.MAX_SAFE_INTEGER, b.step.readyAtMs ?? Number.MAX_SAFE_INTEGER]
  return left - right
}

/** A line to be: a step, or how many finished ones were folded up here. */
interface Row {
  depth: number
  node: Node | null
  folded: number
}

const flatten = (nodes: readonly Node[], depth: number, keep: number): Row[] => {
  const rows: Row[] = []
  const done = depth === 0 ? [] : nodes.filter((node) => WELL.has(node.step.status))
  const hidden = new Set(done.slice(0, Math.max(0, done.length - keep)))
  // one line that says "1 finished" saves nothing
  if (hidden.size > 1) rows.push({ depth, node: null, folded: hidden.size })
  for (const node of nodes) {
    if (hidden.size > 1 && hidden.has(node)) continue
    rows.push({ depth, node, folded: 0 })
    rows.push(...flatten(node.children, depth + 1, keep))
  }
  return rows
}

/** Folds finished children, fewer and fewer of them shown, until it fits; then cuts the end. */
const fit = (roots: readonly Node[], limit: number): { rows: Row[]; cutOff: number } => {
  for (const keep of [Number.POSITIVE_INFINITY, 8, 4, 2, 0]) {
    const rows = flatten(roots, 0, keep)
    if (rows.length <= limit) return { rows, cutOff: 0 }
    if (keep === 0) return { rows: rows.slice(0, Math.max(0, limit - 1)), cutOff: rows.length - Math.max(0, limit - 1) }
  }
  return { rows: [], cutOff: 0 }
}

const rowPieces = (row: Row, nameWidth: number, nowMs: number): Piece[] => {
  const indent = '  '.repeat(row.depth + 1)
  if (!row.node) return [{ text: `${indent}✓ ${count(row.folded)} finished`, paint: 'dim' }]
  const { step, label } = row.node
  const [icon, paint] = ICONS[step.status]
  const name = safe(label).padEnd(Math.max(1, nameWidth - indent.length))
  const facts = [timeOf(step, nowMs).padStart(7), costText(step.cost)].filter((text) => text.trim() !== '')
  const tail = notes(step).join(' · ')
  const shown = step.status === 'pending' || step.status === 'completed' ? '' : `${step.status}  `
  return [
    { text: `${indent}${icon} `, paint },
    { text: `${name}  `, ...(step.status === 'pending' || step.status === 'skipped' ? { paint: 'dim' as const } : {}) },
    { text: shown, paint },
    { text: facts.join('  '), paint: 'dim' },
    {
      text: tail === '' ? '' : `  ${tail}`,
      ...(step.status === 'completed' ? { paint: 'dim' as const } : { paint: 'yellow' as const }),
    },
  ]
}

export const headerPieces = (run: RunView, nowMs: number): Piece[] => {
  const workflow = run.workflow.version === null ? run.workflow.name : `${run.workflow.name}@${run.workflow.version}`
  const facts = [duration((run.endedAtMs ?? nowMs) - run.createdAtMs), costText(run.cost)].filter(Boolean).join('  ')
  return [
    { text: `${safe(workflow)} `, paint: 'bold' },
    { text: `${run.id}  `, paint: 'dim' },
    { text: run.status, paint: RUN_PAINT[run.status] },
    { text: `  ${facts}`, paint: 'dim' },
    ...(run.why ? [{ text: `  ${safe(run.why)}`, paint: 'yellow' as const }] : []),
  ]
}

const failureLines = (run: RunView): Piece[][] => {
  if (!run.failure) return []
  const where = run.failedStep ? ` in ${run.failedStep}` : ''
  return [[{ text: `  ${run.failure.code}${where}: ${safe(run.failure.message)}`, paint: 'red' }]]
}

/** The run as lines, at most `rows` of them, none wider than `width`. */
export const renderTree = (run: RunView, options: TreeOptions): string[] => {
  const { width, color, nowMs } = options
  const failures = failureLines(run)
  const { rows, cutOff } = fit(buildTree(run.steps), Math.max(1, options.rows - 1 - failures.length))
  const nameWidth = Math.min(
    40,
    Math.max(0, ...rows.map((row) => (row.node ? safe(row.node.label).length + 2 * (row.depth + 1) : 0))),
  )
  const lines = [headerPieces(run, nowMs), ...rows.map((row) => rowPieces(row, nameWidth, nowMs)), ...failures]
  if (cutOff > 0) lines.push([{ text: `  … ${count(cutOff)} more lines`, paint: 'dim' }])
  return lines.map((pieces) => line(pieces, width, color).trimEnd())
}

/** What changed between two views, one line each: for logs and pipes, where nothing can be redrawn. */
export const progressLines = (before: RunView | null, after: RunView): string[] => {
  const known = new Map((before?.steps ?? []).map((step) => [step.path, step]))
  const lines: string[] = []
  const clock = (atMs: number): string => duration(atMs - after.createdAtMs).padStart(8)
  for (const step of after.steps) {
    const old = known.get(step.path)
    const moved = old?.status !== step.status || old.attempt !== step.attempt
    const lost = lostDeliveries(step.attempts) > lostDeliveries(old?.attempts ?? [])
    if (step.status === 'pending' || (!moved && !lost)) continue
    const at = step.endedAtMs ?? step.startedAtMs ?? step.readyAtMs ?? after.createdAtMs
    const facts = [
      step.path,
      step.status,
      step.endedAtMs ? timeOf(step, at).trim() : '',
      costText(step.cost),
      ...notes(step),
    ]
    lines.push(`${clock(at)} ${iconOf(step.status)} ${facts.filter((text) => text !== '').join('  ')}`)
  }
  if (before?.status !== after.status) {
    const why = after.why ? `  ${safe(after.why)}` : ''
    lines.push(`${clock(after.endedAtMs ?? after.createdAtMs)} run ${after.id} ${after.status}${why}`)
  }
  return lines
}
