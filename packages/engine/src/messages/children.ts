// children: what runs tell each other. A parent starts and cancels its children; a child tells its parent how it ended.
import type { Carrier, ChildResult, Command, Event, Parent, Payload } from '@stepfleet/contracts'
import { parsePath } from '../state/paths.ts'
import type { StepState } from '../state/state.ts'
import { planOf, type Turn } from '../turn.ts'
import { cutBy } from './cut.ts'

/** A child run to start. The driver finds the workflow and checks the input; what cannot start is told the parent. */
export interface ChildStart {
  ns: string
  /** Id of the child. */
  run: string
  /** `name`, the newest version, or `name@3`. */
  workflow: string
  /** Of the parent: a blob has to be copied. */
  input: Payload
  priority: number
  env: Record<string, string>
  parent: Parent
  trace?: Carrier
}

type Told = { kind: 'start'; child: ChildStart } | { kind: 'command'; command: Command }
type Waiting = StepState & { opening: Extract<StepState['opening'], { kind: 'run' }> }

const isWaiting = (step: StepState | undefined): step is Waiting =>
  step?.opening?.kind === 'run' && !step.opening.detach

const startOf = (turn: Turn, step: StepState, opening: Waiting['opening']): Told => {
  const { ns, run, priority, env, trace, parent } = turn.state
  const own = planOf(turn.plan, parsePath(step.path).node).priority
  return {
    kind: 'start',
    child: {
      ns,
      run: opening.run,
      workflow: opening.workflow,
      input: opening.input,
      priority: own ?? priority,
      env,
      parent: { run, path: step.path, depth: (parent?.depth ?? 0) + 1, detached: opening.detach },
      ...(trace ? { trace } : {}),
    },
  }
}

const cancelOf = (turn: Turn, child: string, event: Event): Told => {
  const { ns, run } = turn.state
  const reason = 'path' in event && event.path !== undefined ? `step ${event.path} gave it up` : 'its parent ended'
  const by = { kind: 'engine' as const, id: run }
  return { kind: 'command', command: { type: 'cancel', id: `cancel/${child}`, ns, run: child, by, reason } }
}

/** A child that ended by itself, or was never let begin, needs no cancelling. */
const hasEndedItself = (event: Event): boolean =>
  event.type === 'step.completed' || ('failure' in event && event.failure?.code.startsWith('child_') === true)

/** Children that nobody waits for any more because of a fact. */
const abandoned = (turn: Turn, event: Event): Told[] => {
  if (turn.state.children === 0) return []
  const told = cutBy(turn, event).flatMap((step) => (isWaiting(step) ? [cancelOf(turn, step.opening.run, event)] : []))
  const own = 'path' in event && event.path !== undefined ? turn.state.steps.get(event.path) : undefined
  const ended = own && (own.endSeq === event.seq || event.type === 'step.escalated')
  if (ended && isWaiting(own) && !hasEndedItself(event)) told.push(cancelOf(turn, own.opening.run, event))
  return told
}

const resultOf = (event: Event): ChildResult | null => {
  switch (event.type) {
    case 'run.completed':
      return { status: 'completed', output: event.output }
    case 'run.failed':
      return { status: 'failed', failure: event.failure }
    case 'run.cancelled':
      return { status: 'cancelled', by: event.by, ...(event.reason === undefined ? {} : { reason: event.reason }) }
    default:
      return null
  }
}

/** The word to the parent that a child ended; `run` is the child. */
export const childEnded = (ns: string, run: string, parent: Parent, result: ChildResult): Command => ({
  type: 'child',
  id: `child/${run}`,
  ns,
  run: parent.run,
  by: { kind: 'engine', id: run },
  path: parent.path,
  child: run,
  result,
})

export const childMessages = (turn: Turn, event: Event): Told[] => {
  const { ns, run, parent, steps } = turn.state
  if (event.type === 'step.opened') {
    const step = steps.get(event.path)
    const { opening } = event
    if (!step || opening.kind !== 'run') return []
    // a child that was given up before it began need not begin
    const wanted =
      opening.detach || (step.phase === 'waiting' && step.opening?.kind === 'run' && step.opening.run === opening.run)
    return wanted ? [startOf(turn, step, opening)] : []
  }
  const result = resultOf(event)
  const told = abandoned(turn, event)
  if (!result || !parent || parent.detached) return told
  return [...told, { kind: 'command', command: childEnded(ns, run, parent, result) }]
}
