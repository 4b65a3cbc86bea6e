// Draws a run as a tree of steps: a pure function from a run's view to lines of text.
import type { AttemptView, Cost, RunStatus, RunView, StepStatus, StepView } from '@stepfleet/contracts'
import { buildTree, fit, hiddenText, progress, type Row } from './nodes.ts'
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
  compensated: ['↶', 'dim'],
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
/** What nothing more will come of, or what has not begun. */
const FAINT: ReadonlySet<StepStatus> = new Set(['pending', 'skipped', 'cancelled'])

export const iconOf = (status: StepStatus): string => ICONS[status][0]

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

const rowPieces = (row: Row, nameWidth: number, nowMs: number): Piece[] => {
  const indent = '  '.repeat(row.depth + 1)
  if (row.node === null) return [{ text: `${indent}✓ ${count(row.folded)} finished`, paint: 'dim' }]
  const { step, label } = row.node
  const [icon, paint] = ICONS[step.status]
  const name = safe(label).padEnd(Math.max(1, nameWidth - indent.length))
  const facts = [timeOf(step, nowMs).padStart(7), costText(step.cost)].filter((text) => text.trim() !== '')
  const tail = [hiddenText(row.hidden), progress(row.node), ...notes(step)].filter((text) => text !== '').join(' · ')
  const shown = step.status === 'pending' || step.status === 'completed' ? '' : `${step.status}  `
  return [
    { text: `${indent}${icon} `, paint },
    { text: `${name}  `, ...(FAINT.has(step.status) ? { paint: 'dim' as const } : {}) },
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
