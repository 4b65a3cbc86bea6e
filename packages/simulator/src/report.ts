// The report: what a simulation answers, out of the runs as they ended.
import type { Cost, Event, EventOf, StepStatus } from '@stepfleet/contracts'
import { attemptViews, emptyCost, isEnded, kindOf, parsePath, runHasEnded, type StepState } from '@stepfleet/engine'
import type { Simulation, StepRecord } from './options.ts'
import { jsonOf, type SimulatedRun } from './simulated-run.ts'
import { timelineOf } from './timeline.ts'
import type { World } from './world.ts'

const HOLDERS: ReadonlySet<string> = new Set(['each', 'repeat', 'agent', 'block'])

const statusOf = (step: StepState): StepStatus => {
  if (step.phase === 'scheduled' || step.phase === 'judging') return 'running'
  if (step.phase === 'failing') return 'retrying'
  // what only holds others is running, whatever its parts wait for
  return step.phase === 'waiting' && step.opening && HOLDERS.has(step.opening.kind) ? 'running' : step.phase
}

const recordOf = (run: SimulatedRun, step: StepState, cached: ReadonlySet<string>): StepRecord => {
  const attempts = attemptViews(step)
  const path = run.fullPath(step.path)
  const skipped = step.phase === 'skipped' || step.phase === 'cancelled'
  return {
    path,
    step: run.fullId(step.path),
    kind: kindOf(run, step.path),
    status: statusOf(step),
    attempts: attempts.length,
    output: jsonOf(step.output),
    failure: step.failure,
    startedAtMs:
      attempts[0]?.startedAtMs ?? attempts[0]?.dispatchedAtMs ?? (skipped && !step.opening ? null : step.readyAtMs),
    endedAtMs: step.endedAtMs,
    cached: cached.has(path),
  }
}

/** A step of the workflow that has no state: it was never its turn. */
const missedOf = (run: SimulatedRun, id: string): StepRecord => ({
  path: run.fullPath(id),
  step: run.fullId(id),
  kind: kindOf(run, id),
  status: runHasEnded(run.state) ? 'cancelled' : 'pending',
  attempts: 0,
  output: null,
  failure: null,
  startedAtMs: null,
  endedAtMs: null,
  cached: false,
})

/** Steps of a run in the order of the definition, each with its parts and the child run that it started behind it. */
const stepsOf = (world: World, run: SimulatedRun, cached: ReadonlySet<string>): StepRecord[] => {
  const parts = new Map<string | null, StepState[]>()
  for (const step of run.state.steps.values()) {
    const siblings = parts.get(step.parent)
    if (siblings) siblings.push(step)
    else parts.set(step.parent, [step])
  }
  const children = new Map<string, SimulatedRun>()
  for (const other of world.runs.values()) {
    if (other.state.parent?.run === run.run) children.set(other.state.parent.path, other)
  }
  const records: StepRecord[] = []
  const put = (step: StepState): void => {
    records.push(recordOf(run, step, cached))
    for (const part of parts.get(step.path) ?? []) put(part)
    const child = children.get(step.path)
    if (child) records.push(...stepsOf(world, child, cached))
  }
  for (const { id, scope } of run.plan.steps.values()) {
    // what is inside of something comes behind it
    if (scope !== '' || parsePath(id).role !== 'step') continue
    const step = run.state.steps.get(id)
    if (step) put(step)
    else records.push(missedOf(run, id))
  }
  return records
}

type Begins = EventOf<'step.dispatched' | 'callback.opened' | 'step.opened' | 'step.completed' | 'approval.asked'>
const BEGINS = ['step.dispatched', 'callback.opened', 'step.opened', 'step.completed', 'approval.asked']

/** It shows that a step runs; a gate stands before one. */
const isBegin = (event: Event): event is Begins => BEGINS.includes(event.type) && !('gate' in event && event.gate)

/** Ids of what ran, in the order it began. */
const ranIn = (world: World): string[] => {
  const ids = new Set<string>()
  for (const { run, event } of world.log) {
    if (isBegin(event)) ids.add(run.fullId(event.path))
  }
  return [...ids]
}

const whyOf = (run: SimulatedRun, step: StepState): string | null => {
  if (isEnded(step)) return null
  const name = run.fullId(step.path)
  if (step.phase === 'escalated') {
    const cause = step.failure ? `${step.failure.code}: ${step.failure.message}` : (step.case?.reason ?? 'escalated')
    return `escalated (${cause}), and people['${name}'] says nothing about it`
  }
  if (step.approval && !step.approval.given) {
    return `${step.approval.gate ? 'its gate' : 'it'} waits for a person, and people['${name}'] says nothing about it`
  }
  if (step.phase === 'retrying') return step.heldWhy
  if (step.phase !== 'waiting') return null
  if (step.opening?.kind === 'signal') return `waits for signal ${step.opening.name}`
  return step.opening?.kind === 'run' ? `waits for its child ${step.opening.workflow}` : null
}

const waitingOf = (world: World): Simulation['waiting'] => {
  const waiting: Simulation['waiting'] = []
  for (const run of world.runs.values()) {
    if (runHasEnded(run.state)) continue
    if (run.state.heldWhy !== null) waiting.push({ path: run.fullPath(''), why: run.state.heldWhy })
    for (const step of run.state.steps.values()) {
      const why = whyOf(run, step)
      if (why !== null) waiting.push({ path: run.fullPath(step.path), why })
    }
  }
  return waiting
}

const costOf = (world: World): Cost => {
  const sum = emptyCost()
  for (const { state } of world.runs.values()) {
    sum.microUsd += state.cost.microUsd
    sum.inputTokens += state.cost.inputTokens
    sum.outputTokens += state.cost.outputTokens
    sum.calls += state.cost.calls
    sum.unpricedCalls += state.cost.unpricedCalls
  }
  return sum
}

/** What came of the run, with everything around it. */
export const reportOn = (world: World, root: SimulatedRun): Omit<Simulation, 'unused'> => {
  const { state, events } = root
  const cached = new Set<string>()
  for (const { run, event } of world.log) {
    if (event.type === 'step.completed' && event.cached) cached.add(run.fullPath(event.path))
  }
  return {
    status: state.status,
    output: jsonOf(state.output),
    failure: state.failure,
    steps: stepsOf(world, root, cached),
    timeline: timelineOf(world),
    path: ranIn(world),
    events,
    cost: { ...costOf(world), estimated: true },
    virtualMs: (state.endedAtMs ?? world.log.at(-1)?.event.atMs ?? world.parts.startAtMs) - world.parts.startAtMs,
    waiting: runHasEnded(state) ? [] : waitingOf(world),
    assumed: [...world.assumed],
  }
}
