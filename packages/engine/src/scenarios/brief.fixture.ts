// brief: one fact in a few words, for scenarios that read as stories.
import type { Event } from '@stepfleet/contracts'

const more = (event: Event): string => {
  switch (event.type) {
    case 'step.dispatched':
    case 'callback.opened':
    case 'callback.told':
      return `${event.attempt}.${event.delivery}`
    case 'step.lost':
      return `${event.attempt}.${event.delivery} ${event.cause}`
    case 'step.attempt_failed':
      return `${event.attempt} ${event.failure.code}${event.retryAtMs === undefined ? '' : ', again'}`
    case 'step.failed':
      return event.failure.code
    case 'step.fallback':
      return `${event.failure.code} → ${'model' in event.to ? event.to.model : event.to.step}`
    case 'step.skipped':
      return event.because
    case 'step.escalated':
      return event.reason
    case 'escalation.resolved':
      return event.action
    case 'approval.asked':
      return event.gate ? 'gate' : ''
    case 'approval.given':
      return event.approved ? 'yes' : 'no'
    case 'step.opened':
      return event.opening.kind
    case 'signal.received':
      return event.name
    case 'cost.noted':
      return `${event.attempt}.${event.delivery}`
    default:
      return ''
  }
}

/** `step.dispatched mail 1.2` · `step.escalated mail ambiguous_state` · `run.completed` */
export const brief = (event: Event): string => {
  const path = 'path' in event && event.type !== 'run.failed' ? event.path : undefined
  return [event.type, path, more(event)].filter((word) => word !== undefined && word !== '').join(' ')
}
