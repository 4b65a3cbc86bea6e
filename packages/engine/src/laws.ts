// laws: what every history must satisfy. Each is a predicate over a journal alone, so it can be asked of any run,
// live or long ended. A law counts only when a mutant of the engine has died on it (laws.mutants.test.ts).
import type { Event, EventOf } from '@stepfleet/contracts'
import type { Plan } from './definition/plan.ts'
import { NESTED_LAWS } from './laws/nested.ts'
import { innerPath, isInside, parsePath, stepAround } from './state/paths.ts'

/** A broken law: which, and what in the journal breaks it. */
export interface Violation {
  law: string
  seq: number
  detail: string
}
export type Law = (events: readonly Event[]) => Violation[]

const ENDS: ReadonlySet<Event['type']> = new Set(['step.completed', 'step.failed', 'step.skipped', 'step.overridden'])
const RUN_ENDS: ReadonlySet<Event['type']> = new Set(['run.completed', 'run.failed', 'run.cancelled'])

const violation = (law: string, event: Event, detail: string): Violation => ({ law, seq: event.seq, detail })

const noGaps: Law = (events) =>
  events.flatMap((event, index) =>
    event.seq === index + 1 ? [] : [violation('no_gaps', event, `sequence ${event.seq} at place ${index + 1}`)],
  )

const timeNeverRunsBack: Law = (events) =>
  events.flatMap((event, index) => {
    const before = events[index - 1]
    if (!before || event.atMs >= before.atMs) return []
    return [violation('time_never_runs_back', event, `${event.atMs} after ${before.atMs}`)]
  })

const startsOnce: Law = (events) =>
  events.flatMap((event, index) => {
    if ((event.type === 'run.started') === (index === 0)) return []
    return [violation('starts_once', event, `${event.type} at place ${index + 1}`)]
  })

/** After the end nothing but the note of a cost that was paid all the same. */
const nothingAfterTheEnd: Law = (events) => {
  const end = events.findIndex((event) => RUN_ENDS.has(event.type))
  if (end < 0) return []
  return events
    .slice(end + 1)
    .filter((event) => event.type !== 'cost.noted')
    .map((event) => violation('nothing_after_the_end', event, `${event.type} after ${events[end]?.type}`))
}

/** What failed inside of something may begin anew when a person asks for that again; so may the turns of an agent. */
const forgetFailed = (ended: Map<string, string>, event: Event): void => {
  if (event.type !== 'step.retried') return
  for (const [path, how] of ended) {
    const isTurn = parsePath(path).role === 'turn'
    if ((how === 'step.failed' || isTurn) && isInside(path, event.path)) ended.delete(path)
  }
}

/** A step ends once, unless the composite around it was asked for again after it had failed or been cancelled. */
const endsOnce: Law = (events) => {
  const ended = new Map<string, string>()
  const found: Violation[] = []
  for (const event of events) {
    forgetFailed(ended, event)
    if (!ENDS.has(event.type) || !('path' in event) || event.path === undefined) continue
    const before = ended.get(event.path)
    if (before) found.push(violation('ends_once', event, `${event.path}: ${event.type} after ${before}`))
    ended.set(event.path, event.type)
  }
  return found
}

/** A delivery of an attempt begins. */
const isSending = (event: Event): event is EventOf<'step.dispatched'> | EventOf<'callback.opened'> =>
  event.type === 'step.dispatched' || event.type === 'callback.opened'
/** Somebody outside is known to have the token of an attempt. */
const isWaiting = (event: Event): event is EventOf<'callback.told'> | EventOf<'callback.alive'> =>
  event.type === 'callback.told' || event.type === 'callback.alive'

/** The step itself, or something inside it. */
const isWithin = (path: string, composite: string): boolean => path === composite || isInside(path, composite)

/** Deliveries count 1, 2, 3 within an attempt, attempts 1, 2, 3 within a step, and one is out at a time. */
const deliveriesInOrder: Law = (events) => {
  const last = new Map<string, { attempt: number; delivery: number; out: boolean; closed: boolean }>()
  const found: Violation[] = []
  for (const event of events) {
    if (!('path' in event) || event.path === undefined) continue
    const now = last.get(event.path)
    if (isSending(event)) {
      const next = now?.closed === false ? [now.attempt, now.delivery + 1] : [(now?.attempt ?? 0) + 1, 1]
      if (now?.out) found.push(violation('deliveries_in_order', event, `${event.path} is out already`))
      if (event.attempt !== next[0] || event.delivery !== next[1]) {
        const detail = `${event.path} attempt ${event.attempt}.${event.delivery}, expected ${next.join('.')}`
        found.push(violation('deliveries_in_order', event, detail))
      }
      const out = event.type === 'step.dispatched'
      last.set(event.path, { attempt: event.attempt, delivery: event.delivery, out, closed: false })
    } else if (now && (event.type === 'step.attempt_failed' || event.type === 'step.answered'))
      Object.assign(now, { out: false, closed: true })
    else if (now && (event.type === 'step.lost' || isWaiting(event))) now.out = false
    // an edited input is a new attempt
    else if (now && event.type === 'step.retried' && event.edit) now.closed = true
    // what ends or escalates cancels what is out inside it
    else if (event.type === 'step.escalated' || ENDS.has(event.type)) {
      for (const [path, inner] of last) if (isWithin(path, event.path)) inner.out = false
      // the turn of an agent may be asked for again after it had answered
      if (event.type === 'step.completed' && now?.attempt === event.attempt && now) now.closed = true
    }
  }
  return found
}

/** No step's task goes out after the step has ended. */
const nothingOfAnEndedStep: Law = (events) => {
  const ended = new Map<string, string>()
  const found: Violation[] = []
  for (const event of events) {
    forgetFailed(ended, event)
    if (!('path' in event) || event.path === undefined) continue
    if ((isSending(event) || isWaiting(event)) && ended.has(event.path)) {
      found.push(violation('nothing_of_an_ended_step', event, `${event.path} went out after its end`))
    }
    if (ENDS.has(event.type)) ended.set(event.path, event.type)
  }
  return found
}

/** An attempt never starts before its backoff, unless a person asked for it. */
const backoffIsKept: Law = (events) => {
  const notBefore = new Map<string, number>()
  const found: Violation[] = []
  for (const event of events) {
    if (event.type === 'step.attempt_failed' && event.retryAtMs !== undefined)
      notBefore.set(event.path, event.retryAtMs)
    if (event.type === 'step.lost' && event.nextAtMs) notBefore.set(event.path, event.nextAtMs)
    if (event.type === 'step.retried') {
      for (const path of notBefore.keys()) if (isWithin(path, event.path)) notBefore.delete(path)
    }
    if (!isSending(event)) continue
    const earliest = notBefore.get(event.path)
    if (earliest !== undefined && event.atMs < earliest) {
      found.push(violation('backoff_is_kept', event, `${event.path} at ${event.atMs}, not before ${earliest}`))
    }
    notBefore.delete(event.path)
  }
  return found
}

/** What may follow a failure for good, besides an end: a case, or another way. */
const DECISIONS: ReadonlySet<Event['type']> = new Set([...ENDS, 'step.escalated', 'step.fallback'])

/** Every attempt that failed for good is followed by a decision on it: a case, another way, a failure, or a late result. */
const failuresAreSettled: Law = (events) => {
  const open = new Map<string, Event>()
  const over = events.some((event) => RUN_ENDS.has(event.type))
  for (const event of events) {
    if (event.type === 'step.attempt_failed' && event.retryAtMs === undefined) open.set(event.path, event)
    else if ('path' in event && event.path !== undefined && DECISIONS.has(event.type)) {
      for (const path of open.keys()) if (isWithin(path, event.path ?? '')) open.delete(path)
    }
  }
  const paused = events.findLast((event) => event.type === 'run.paused' || event.type === 'run.resumed')
  if (over || paused?.type === 'run.paused') return []
  return [...open].map(([path, event]) =>
    violation('failures_are_settled', event, `${path} failed and nothing followed`),
  )
}

/** One open case per step at a time, and each is decided once. */
const casesAreDecidedOnce: Law = (events) => {
  const open = new Map<string, string>()
  const decided = new Set<string>()
  const found: Violation[] = []
  for (const event of events) {
    // what ends or escalates closes the cases inside it
    if (event.type === 'step.escalated' || ENDS.has(event.type)) {
      for (const path of open.keys()) if ('path' in event && isInside(path, event.path ?? '')) open.delete(path)
    }
    if (event.type === 'step.escalated') {
      if (open.has(event.path)) found.push(violation('cases_are_decided_once', event, `${event.path} has an open case`))
      open.set(event.path, event.case)
    } else if (event.type === 'approval.given') open.delete(event.path)
    else if (event.type === 'escalation.resolved') {
      if (decided.has(event.case)) found.push(violation('cases_are_decided_once', event, `${event.case} decided twice`))
      decided.add(event.case)
      open.delete(event.path)
    }
  }
  return found
}

/** A step of effect `once` is never sent again after it had begun: an ambiguous end is final until a person asks. */
const onceIsNotRepeated: Law = (events) => {
  const unknown = new Set<string>()
  const found: Violation[] = []
  for (const event of events) {
    if (event.type === 'step.attempt_failed' && event.failure.class === 'ambiguous') unknown.add(event.path)
    if (event.type === 'step.retried') unknown.delete(event.path)
    if (isSending(event) && event.effect === 'once' && unknown.has(event.path)) {
      found.push(violation('once_is_not_repeated', event, `${event.path} went out again with its effect unknown`))
    }
  }
  return found
}

/**
 * A callback is answered from outside: that its worker has told somebody is no answer. While the answer is waited for nobody
 * is told again, and its time is not over before it says so.
 */
const callbacksAreAnswered: Law = (events) => {
  const waiting = new Map<string, number>()
  const callbacks = new Set<string>()
  const found: Violation[] = []
  const wrong = (event: Event, detail: string) => found.push(violation('callbacks_are_answered', event, detail))
  for (const event of events) {
    if (!('path' in event) || event.path === undefined) continue
    const { path } = event
    const untilMs = waiting.get(path)
    const isCallback = event.type === 'callback.opened' || isWaiting(event)
    if (isSending(event) && event.tool === 'callback') callbacks.add(path)
    if (isSending(event) && untilMs !== undefined) wrong(event, `${path} was told of again while it waited`)
    if (event.type === 'step.completed' && callbacks.has(path) && event.worker !== undefined)
      wrong(event, `${path} completed with what its worker said`)
    if (event.type === 'step.attempt_failed' && event.failure.code === 'timeout' && event.atMs < (untilMs ?? 0))
      wrong(event, `${path} timed out at ${event.atMs}, and had until ${untilMs}`)
    if (isCallback) waiting.set(path, event.untilMs)
    else if (event.type === 'step.attempt_failed' || event.type === 'step.retried' || ENDS.has(event.type))
      for (const inner of waiting.keys()) if (isWithin(inner, path)) waiting.delete(inner)
  }
  return found
}

export const LAWS: Readonly<Record<string, Law>> = {
  no_gaps: noGaps,
  time_never_runs_back: timeNeverRunsBack,
  starts_once: startsOnce,
  nothing_after_the_end: nothingAfterTheEnd,
  ends_once: endsOnce,
  deliveries_in_order: deliveriesInOrder,
  nothing_of_an_ended_step: nothingOfAnEndedStep,
  backoff_is_kept: backoffIsKept,
  failures_are_settled: failuresAreSettled,
  cases_are_decided_once: casesAreDecidedOnce,
  once_is_not_repeated: onceIsNotRepeated,
  callbacks_are_answered: callbacksAreAnswered,
}

/** A step begins only when all it needs has ended; and what needs a skipped step is skipped itself. */
export const needsComeFirst =
  (plan: Plan): Law =>
  (events) => {
    const ended = new Map<string, Event['type']>()
    const found: Violation[] = []
    for (const event of events) {
      if (!('path' in event) || event.path === undefined || event.type.startsWith('run.')) continue
      const { role, node } = parsePath(event.path)
      const { needs = [], needsAny = [] } = plan.steps.get(node) ?? {}
      const block = parsePath(stepAround(event.path)).parent ?? ''
      for (const need of event.actor.kind === 'operator' ? [] : needs) {
        const end = ended.get(innerPath(block, need))
        if (end === undefined)
          found.push(violation('needs_come_first', event, `${event.path} before ${need} had ended`))
        const goesOn = event.type !== 'step.skipped' && event.type !== 'step.overridden'
        if (end === 'step.skipped' && goesOn && !needsAny.includes(need)) {
          found.push(violation('needs_come_first', event, `${event.path}: ${event.type} though ${need} was skipped`))
        }
      }
      if (role === 'step' && ENDS.has(event.type)) ended.set(event.path, event.type)
    }
    return found
  }

const lawsOf = (plan: Plan): Law[] => [needsComeFirst(plan), ...Object.values(NESTED_LAWS).map((law) => law(plan))]

/** All broken laws of a journal; with its plan, those that ask for it too. */
export const checkLaws = (events: readonly Event[], plan?: Plan): Violation[] =>
  [...Object.values(LAWS), ...(plan ? lawsOf(plan) : [])].flatMap((law) => law(events))
