// A simulation as text: what happened when, the tree of steps, what it would cost, and what it waits for.
import type { RunView, StepView } from '@stepfleet/contracts'
import type { Simulation, StepRecord } from '@stepfleet/simulator'
import { around } from './nodes.ts'
import { count, duration, line, money, type Piece, padEnd, safe, widthOf } from './text.ts'
import { renderTree } from './tree.ts'

export interface SimulationTextOptions {
  /** Cells of a line. */
  width: number
  color: boolean
  /** Of the workflow. */
  name: string
}

const NO_COST = { microUsd: 0, inputTokens: 0, outputTokens: 0, calls: 0, unpricedCalls: 0, scripted: false }
/** Paths longer than this are not lined up: the others would move out of sight. */
const PATH_CELLS = 32

const stepView = (record: StepRecord, known: ReadonlySet<string>, why: string | null): StepView => ({
  path: record.path,
  parent: around(record.path).find((path) => known.has(path)) ?? null,
  kind: record.kind,
  status: record.status,
  why: why ?? (record.cached ? 'taken from the cache' : null),
  attempt: record.attempts,
  attempts: [],
  readyAtMs: record.startedAtMs,
  startedAtMs: record.startedAtMs,
  endedAtMs: record.endedAtMs,
  worker: null,
  servedBy: null,
  cost: NO_COST,
  output: record.output,
  failure: record.failure,
  case: null,
})

const startOf = ({ timeline: [first], events: [event] }: Simulation): number =>
  first ? first.atMs - first.sinceStartMs : (event?.atMs ?? 0)

/** As a run, so that it is drawn as one. */
const runView = (simulation: Simulation, name: string): RunView => {
  const { status, steps, waiting } = simulation
  const startMs = startOf(simulation)
  const known = new Set(steps.map(({ path }) => path))
  const whys = new Map(waiting.map(({ path, why }) => [path, why]))
  return {
    ...{ id: 'simulated', namespace: '', workflow: { name, version: null, hash: '' }, status, labels: {}, version: 0 },
    ...{ createdAtMs: startMs, endedAtMs: startMs + simulation.virtualMs, priority: 3, input: null },
    ...{ output: simulation.output, failure: simulation.failure, failedStep: null, why: null, cost: NO_COST },
    waste: { calls: 0, tokens: 0, microUsd: 0, lostCalls: 0 },
    steps: steps.map((record) => stepView(record, known, whys.get(record.path) ?? null)),
  }
}

const timelineLines = ({ timeline }: Simulation): Piece[][] => {
  const shown = timeline.map(({ path }) => safe(path === '' ? 'run' : path))
  const cells = Math.max(0, ...shown.map(widthOf).filter((width) => width <= PATH_CELLS))
  return timeline.map(({ sinceStartMs, path, what, detail }, at) => [
    { text: `${duration(sinceStartMs).padStart(8)}  `, paint: 'dim' },
    { text: `${padEnd(shown[at] ?? '', cells)}  ` },
    // what happened to the run itself is said so already
    { text: safe(path === '' ? what.replace(/^run /, '') : what) },
    { text: detail === '' ? '' : `  ${safe(detail)}`, paint: 'dim' },
  ])
}

/** `3 model calls, 1,200 tokens in and 300 out, about $0.0021`. */
export const estimateText = ({ cost }: Simulation): string => {
  if (cost.calls === 0) return 'no model calls'
  const calls = `${count(cost.calls)} model call${cost.calls === 1 ? '' : 's'}`
  const tokens = `about ${count(cost.inputTokens)} tokens in and ${count(cost.outputTokens)} out`
  const unpriced = cost.unpricedCalls > 0 ? `, ${count(cost.unpricedCalls)} of them without a known price` : ''
  // less than the last digit shown is not nothing
  const price = cost.microUsd > 0 && cost.microUsd < 100 ? 'under $0.0001' : money(cost.microUsd)
  return `${calls}, ${tokens}, ${price}${unpriced} (an estimate by characters)`
}

const listed = (title: string, rows: readonly string[], paint: 'yellow' | 'dim'): Piece[][] =>
  rows.length === 0
    ? []
    : [[{ text: title, paint: 'bold' }], ...rows.map((text) => [{ text: `  ${safe(text)}`, paint }])]

/** The whole report, line by line. */
export const renderSimulation = (simulation: Simulation, { width, color, name }: SimulationTextOptions): string[] => {
  const run = runView(simulation, name)
  const nowMs = run.createdAtMs + simulation.virtualMs
  const text = (pieces: Piece[]): string => line(pieces, width, color).trimEnd()
  const isTool = (name: string): boolean => name.startsWith('tool:')
  const madeUp = simulation.assumed.filter((name) => !isTool(name))
  const unknownTools = simulation.assumed.filter(isTool).map((name) => name.slice('tool:'.length))
  const tail: Piece[][] = [
    ...listed(
      'still waiting',
      simulation.waiting.map(({ path, why }) => (path ? `${path}: ${why}` : why)),
      'yellow',
    ),
    ...listed('made-up answers: give mocks for', madeUp, 'dim'),
    ...listed('taken to be idempotent, no manifest being at hand', unknownTools, 'dim'),
    ...listed('options that nothing came of', simulation.unused, 'yellow'),
  ]
  return [
    text([{ text: 'timeline', paint: 'bold' }]),
    ...timelineLines(simulation).map(text),
    '',
    ...renderTree(run, { width, rows: Number.POSITIVE_INFINITY, color, nowMs }),
    text([{ text: `  ${estimateText(simulation)}`, paint: 'dim' }]),
    ...tail.map(text),
  ]
}
