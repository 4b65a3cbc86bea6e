// The timeline: events in plain words.
import type { Event, EventOf, Opening } from '@stepfleet/contracts'
import type { TimelineEntry } from './options.ts'
import type { Logged, Remark, World } from './world.ts'

const at = (ms: number): string => new Date(ms).toISOString()

const opened = (opening: Opening): string => {
  switch (opening.kind) {
    case 'each':
      return `${opening.count} items`
    case 'agent':
      return opening.tools.length === 0
        ? 'agent'
        : `agent with ${opening.tools.map((tool) => tool.spec.name).join(', ')}`
    case 'run':
      return `${opening.detach ? 'detached child' : 'child'} ${opening.workflow}`
    case 'wait':
      return `until ${at(opening.untilMs)}`
    case 'signal':
      return `signal ${opening.name}${opening.untilMs === null ? '' : ` until ${at(opening.untilMs)}`}`
    default:
      return opening.kind
  }
}

const because = (reason: string | undefined): string => (reason === undefined ? '' : `: ${reason}`)

const ended = (event: EventOf<'run.completed' | 'run.failed' | 'run.cancelled'>): [what: string, detail: string] => {
  if (event.type === 'run.completed') return ['run completed', '']
  if (event.type === 'run.failed') return ['run failed', `${event.failure.code}: ${event.failure.message}`]
  return ['run cancelled', `by ${event.by}${because(event.reason)}`]
}

type Attempted = 'step.dispatched' | 'step.lost' | 'step.attempt_failed' | `callback.${'opened' | 'told' | 'alive'}`

/** What became of an attempt, or goes on with it. */
const attempted = (event: EventOf<Attempted>): [what: string, detail: string] => {
  switch (event.type) {
    case 'step.dispatched': {
      const delivery = event.delivery > 1 ? `, delivery ${event.delivery}` : ''
      return ['sent', `attempt ${event.attempt}${delivery}${event.tool === undefined ? '' : `, ${event.tool}`}`]
    }
    case 'callback.opened':
    case 'callback.told':
    case 'callback.alive':
      return [event.type === 'callback.alive' ? 'alive' : 'waits', `for a callback until ${at(event.untilMs)}`]
    case 'step.lost':
      return ['lost', event.why ?? event.cause]
    case 'step.attempt_failed': {
      const next = event.retryAtMs === undefined ? '' : `; again at ${at(event.retryAtMs)}`
      return ['attempt failed', `${event.failure.code}: ${event.failure.message}${next}`]
    }
  }
}

/** What a person asked for. */
const ASKED = {
  'run.budget_raised': 'budget raised',
  'step.budget_raised': 'budget raised',
  'run.paused': 'paused',
  'run.resumed': 'resumed',
} as const

/** What happened, and the rest of it. */
const words = (event: Event): [what: string, detail: string] => {
  switch (event.type) {
    case 'run.started':
      return ['started', event.workflow.name]
    case 'run.held':
    case 'step.held':
      return ['held', event.why]
    case 'step.asked':
      return ['asked', '']
    case 'step.opened':
      return ['opened', opened(event.opening)]
    case 'step.dispatched':
    case 'callback.opened':
    case 'callback.told':
    case 'callback.alive':
    case 'step.lost':
    case 'step.attempt_failed':
      return attempted(event)
    case 'step.completed':
      return ['completed', event.cached ? 'from the cache' : '']
    case 'step.answered':
      return ['answered', 'its confidence is judged']
    case 'step.fallback': {
      const to = 'model' in event.to ? event.to.model : event.to.step
      return ['falls back', `to ${to} after ${event.failure.code}: ${event.failure.message}`]
    }
    case 'step.failed':
      return ['failed', `${event.failure.code}: ${event.failure.message}`]
    case 'step.skipped':
      return ['skipped', `${event.because}${because(event.reason)}`]
    case 'step.overridden':
      return ['overridden', `by ${event.by}${because(event.reason)}`]
    case 'step.retried':
      return ['retried', `by ${event.by}${because(event.reason)}`]
    case 'step.escalated':
      return ['escalated', event.failure ? `${event.reason}: ${event.failure.message}` : event.reason]
    case 'escalation.resolved':
      return ['resolved', `${event.action} by ${event.by}${because(event.reason)}`]
    case 'approval.asked':
      return [event.gate ? 'gate asked' : 'approval asked', event.assignee ?? '']
    case 'approval.given':
      return [event.approved ? 'approved' : 'rejected', `by ${event.by}${because(event.reason)}`]
    case 'signal.received':
      return ['signal', event.name]
    case 'run.budget_raised':
    case 'step.budget_raised':
    case 'run.paused':
    case 'run.resumed':
      return [ASKED[event.type], `by ${event.by}${because(event.reason)}`]
    case 'cost.noted':
      return ['cost noted', event.why]
    case 'step.happened':
      return ['happened', 'after it was given up']
    case 'run.compensating':
      return ['compensating', event.failure ? event.failure.code : `by ${event.by ?? ''}${because(event.reason)}`]
    case 'run.completed':
    case 'run.failed':
    case 'run.cancelled':
      return ended(event)
  }
}

const isOfRun = (event: Event): boolean => event.type.startsWith('run.') || event.type === 'signal.received'

/** Where it happened: a run's own facts are at the step that started it, which is nowhere for the first run. */
const entryOf = ({ run, event }: Logged, startAtMs: number): TimelineEntry => {
  const path = isOfRun(event) ? '' : 'path' in event && event.path !== undefined ? event.path : ''
  const [what, detail] = words(event)
  return { atMs: event.atMs, sinceStartMs: event.atMs - startAtMs, path: run.fullPath(path), what, detail }
}

/** Everything that happened, in order of time. */
export const timelineOf = (world: World): TimelineEntry[] => {
  const { startAtMs } = world.parts
  const remarked = world.remarks.map((remark: Remark) => ({ ...remark, sinceStartMs: remark.atMs - startAtMs }))
  const entries = [...world.log.map((logged) => entryOf(logged, startAtMs)), ...remarked]
  // a stable sort: what happens at the same time stays in order, remarks behind the facts
  return entries.sort((a, b) => a.atMs - b.atMs)
}
