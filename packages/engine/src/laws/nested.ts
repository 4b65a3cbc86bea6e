// Laws of what is inside of something: items, iterations, blocks, children, and what undoes a step. Each asks the plan,
// and each counts only while a mutant of the engine dies on it (laws.mutants.test.ts).
import type { Event, EventType } from '@stepfleet/contracts'
import type { Plan, StepPlan } from '../definition/plan.ts'
import type { Law, Violation } from '../laws.ts'
import { isInside, parsePath } from '../state/paths.ts'

export type LawByPlan = (plan: Plan) => Law

const ENDS: ReadonlySet<EventType> = new Set(['step.completed', 'step.failed', 'step.skipped', 'step.overridden'])
const BEGINS: ReadonlySet<EventType> = new Set([
  'step.opened',
  'step.dispatched',
  'callback.opened',
  'step.held',
  'approval.asked',
])
const RUN_ENDS: ReadonlySet<EventType> = new Set(['run.completed', 'run.failed', 'run.cancelled'])

/** An event about a step: not the end of a run, which names the step that failed it. */
type StepEvent = Event & { path: string }
const isAboutStep = (event: Event): event is StepEvent =>
  'path' in event && event.path !== undefined && !event.type.startsWith('run.')
const hasEnded = (event: Event): boolean => ENDS.has(event.type)
const hasCompleted = (event: Event): boolean => event.type === 'step.completed' || event.type === 'step.overridden'
const isBegun = (event: Event): boolean => BEGINS.has(event.type)

const violation = (law: string, event: Event, detail: string): Violation => ({ law, seq: event.seq, detail })
const planOf = (plan: Plan, path: string): StepPlan | undefined => plan.steps.get(parsePath(path).node)

/** A path and all it is a part of, from the inside out. What undoes a step is no part of it. */
const around = (path: string): string[] => {
  const found = [path]
  for (let at = parsePath(path); at.parent !== null && at.role !== 'compensation'; at = parsePath(at.parent)) {
    found.push(at.parent)
  }
  return found
}

const isCompensation = (path: string): boolean => around(path).some((one) => parsePath(one).role === 'compensation')

/** What `step.retried` starts anew: everything in it that had not completed. */
const forget = (known: Map<string, unknown>, event: Event): void => {
  if (event.type !== 'step.retried') return
  for (const path of known.keys()) if (path === event.path || isInside(path, event.path)) known.delete(path)
}

/** Parts that begin one after another: the part of `role` that an event is about, or stands in. */
const partOf = (event: StepEvent, role: 'item' | 'iteration'): string[] =>
  around(event.path).filter((path) => parsePath(path).role === role)

/** An iteration begins when the one before it has ended, and two are never open at once. */
const iterationsInOrder: LawByPlan = () => (events) => {
  const last = new Map<string, { number: number; open: boolean; failed: boolean }>()
  const found: Violation[] = []
  for (const event of events) {
    if (!isAboutStep(event)) continue
    for (const path of isBegun(event) || hasEnded(event) ? partOf(event, 'iteration') : []) {
      const { parent, turn } = parsePath(path)
      const now = last.get(parent ?? '') ?? { number: 0, open: false, failed: false }
      if (turn !== now.number && (turn !== now.number + 1 || now.open)) {
        const state = `${now.number} ${now.open ? 'is open' : 'has ended'}`
        found.push(violation('iterations_in_order', event, `${path} while iteration ${state}`))
      }
      const ends = hasEnded(event) && event.path === path
      last.set(parent ?? '', { number: turn ?? 0, open: !ends, failed: event.type === 'step.failed' })
    }
    // a step that is asked for again goes on where it was; an iteration that had failed begins anew
    if (event.type !== 'step.retried') continue
    for (const [path, now] of last) now.open ||= now.failed && (path === event.path || isInside(path, event.path))
  }
  return found
}

interface Items {
  /** The last that began. */
  last: number
  open: Set<string>
  completed: number
}
const noItems = (): Items => ({ last: -1, open: new Set(), completed: 0 })

/** Follows the items of every `each`; `on` is told of each item that begins, before it counts. */
const followItems = (
  events: readonly Event[],
  on: (event: StepEvent, group: string, items: Items, index: number) => void,
): void => {
  const groups = new Map<string, Items>()
  for (const event of events) {
    if (!isAboutStep(event)) continue
    for (const path of partOf(event, 'item')) {
      const { parent, index } = parsePath(path)
      const items = groups.get(parent ?? '') ?? noItems()
      groups.set(parent ?? '', items)
      const endsAtOnce = event.path === path && hasEnded(event) && event.actor.kind !== 'operator'
      if ((isBegun(event) || endsAtOnce) && !items.open.has(path)) {
        on(event, parent ?? '', items, index ?? 0)
        items.open.add(path)
        items.last = Math.max(items.last, index ?? 0)
      }
      if (event.path !== path || !hasEnded(event)) continue
      items.open.delete(path)
      if (hasCompleted(event)) items.completed += 1
    }
    if (hasEnded(event) || event.type === 'step.escalated') {
      for (const [group, items] of groups) {
        if (group === event.path || isInside(group, event.path)) items.open.clear()
      }
    }
    forget(groups, event)
  }
}

/** At most `concurrency` items of an `each` are open at a time. */
const concurrencyIsKept: LawByPlan = (plan) => (events) => {
  const found: Violation[] = []
  followItems(events, (event, group, items) => {
    const most = planOf(plan, group)?.each?.concurrency ?? Number.POSITIVE_INFINITY
    if (items.open.size < most) return
    found.push(violation('concurrency_is_kept', event, `${event.path} is one more than ${most} of ${group}`))
  })
  return found
}

/** Items begin in the order of their list. */
const itemsInOrder: LawByPlan = () => (events) => {
  const found: Violation[] = []
  followItems(events, (event, _group, items, index) => {
    // an item that had begun may go on: it is behind the last one
    if (index <= items.last + 1 || event.actor.kind === 'operator') return
    found.push(violation('items_in_order', event, `${event.path} began after item ${items.last}`))
  })
  return found
}

/** When enough items of an `any` or `atLeast` have completed, no other begins. */
const racesEndWhenMet: LawByPlan = (plan) => (events) => {
  const found: Violation[] = []
  followItems(events, (event, group, items) => {
    const join = planOf(plan, group)?.each?.join
    const enough = join === 'any' ? 1 : typeof join === 'object' ? join.atLeast : Number.POSITIVE_INFINITY
    if (items.completed < enough) return
    found.push(violation('races_end_when_met', event, `${event.path} began though ${items.completed} had completed`))
  })
  return found
}

/** Nothing begins or ends inside of what has ended or was given to a person, unless it is asked for again. */
const nothingInsideAfterTheEnd: LawByPlan = () => (events) => {
  const over = new Map<string, EventType>()
  const found: Violation[] = []
  for (const event of events) {
    if (!isAboutStep(event)) continue
    const [path, ...composites] = around(event.path)
    if (isBegun(event) || hasEnded(event) || event.type === 'step.escalated') {
      for (const composite of composites) {
        const end = over.get(composite)
        if (end) found.push(violation('nothing_inside_after_the_end', event, `${path}: ${event.type} after ${end}`))
      }
    }
    if (hasEnded(event) || event.type === 'step.escalated') over.set(event.path, event.type)
    if (event.type === 'step.retried') {
      forget(over, event)
      for (const composite of composites) over.delete(composite)
    }
  }
  return found
}

/** The answer of a step with a confidence counts only once it was judged. */
const answersAreJudged: LawByPlan = (plan) => (events) =>
  events.flatMap((event) => {
    if (event.type !== 'step.completed' || event.attempt === undefined) return []
    const { role } = parsePath(event.path)
    if (role === 'turn' || role === 'tool' || !planOf(plan, event.path)?.confidence) return []
    return [violation('answers_are_judged', event, `${event.path} completed without a look at its confidence`)]
  })

/** Models in their order, then what is done in place of the step; never after what nobody knows, or while it is open. */
const fallbacksInOrder: LawByPlan = (plan) => (events) => {
  const models = new Map<string, string>()
  const inPlace = new Set<string>()
  const found: Violation[] = []
  for (const event of events) {
    if (!isAboutStep(event)) continue
    const complain = (detail: string) => found.push(violation('fallbacks_in_order', event, `${event.path}: ${detail}`))
    if (event.type === 'step.retried' || hasEnded(event)) {
      for (const path of [...models.keys(), ...inPlace]) {
        if (path === event.path || isInside(path, event.path)) models.delete(path)
        if (path === event.path || isInside(path, event.path)) inPlace.delete(path)
      }
    }
    const isSent = event.type === 'step.dispatched' || event.type === 'callback.opened'
    if (isSent && inPlace.has(event.path)) complain('went out though its fallback had begun')
    if (event.type !== 'step.fallback') continue
    const { to, failure } = event
    if (failure.class === 'ambiguous') complain('nobody knows what happened')
    if ('step' in to) inPlace.add(event.path)
    else {
      const body = planOf(plan, event.path)?.body
      const all = body?.kind === 'llm' || body?.kind === 'agent' ? [body.model, ...body.fallback] : []
      const before = models.get(event.path)
      if (all.indexOf(to.model) <= (before === undefined ? 0 : all.indexOf(before))) complain(`${to.model} is not next`)
      models.set(event.path, to.model)
    }
  }
  return found
}

/** A step with `needs_any` begins, in each run of its block, only when one of them has completed. */
const needsAnyAreMet: LawByPlan = (plan) => (events) => {
  const completed = new Set<string>()
  const begun = new Set<string>()
  const found: Violation[] = []
  for (const event of events) {
    if (!isAboutStep(event)) continue
    const { path } = event
    const step = parsePath(path).role === 'step' && event.type !== 'step.skipped' ? planOf(plan, path) : undefined
    if (step && step.needsAny.length > 0 && event.actor.kind !== 'operator' && !begun.has(path)) {
      const prefix = path.slice(0, path.length - step.name.length)
      const isMet = step.needsAny.some((need) => completed.has(prefix + need))
      if (!isMet) found.push(violation('needs_any_are_met', event, `${path} began though none had completed`))
    }
    begun.add(path)
    // a value in the place of a failure stands for an output
    const isReplaced = event.type === 'step.failed' && event.output !== undefined
    if (hasCompleted(event) || isReplaced) completed.add(path)
  }
  return found
}

/**
 * A step with a child that it waits for ends by what somebody says of it later, never by itself. A fallback is what is
 * said of its failure: from then on the step may end in any turn, also in one of the millisecond it was opened in.
 */
const childrenAnswer: LawByPlan = () => (events) => {
  const opened = new Map<string, string>()
  const found: Violation[] = []
  for (const event of events) {
    if (!isAboutStep(event)) continue
    if (event.type === 'step.opened' && event.opening.kind === 'run' && !event.opening.detach) {
      opened.set(event.path, event.command)
    } else if (event.type === 'step.fallback') {
      opened.delete(event.path)
    } else if (event.type === 'step.completed' && opened.get(event.path) === event.command) {
      found.push(violation('children_answer', event, `${event.path} completed before its child`))
    }
  }
  return found
}

/** Where a step is undone: the step, or each of its items, or each of their iterations. */
const isUndoneAt = (plan: StepPlan, path: string): boolean => {
  const { role } = parsePath(path)
  if (!plan.compensated || role === 'turn' || role === 'tool' || role === 'compensation') return false
  return role === (plan.repeat ? 'iteration' : plan.each ? 'item' : 'step')
}

interface Undoing {
  /** What is to be undone, in the order of completion. */
  done: string[]
  compensating: boolean
  ended: Set<string>
  open: string | null
}

const checkUndo = (now: Undoing, event: StepEvent): Violation | null => {
  const undo = around(event.path).at(-1) ?? ''
  if (now.open === undo || now.ended.has(undo)) return null
  const law = 'compensations_in_order'
  if (!now.compensating) return violation(law, event, `${undo} while nothing was to be undone`)
  if (now.open !== null) return violation(law, event, `${undo} while ${now.open} is open`)
  now.open = undo
  const next = now.done.findLast((path) => !now.ended.has(`${path}/compensate-1`))
  return `${next}/compensate-1` === undo ? null : violation(law, event, `${undo}, but ${next} is next`)
}

/** What has completed is undone when the run fails or is cancelled: newest first, one at a time, all of it before the end. */
const compensationsInOrder: LawByPlan = (plan) => (events) => {
  const now: Undoing = { done: [], compensating: false, ended: new Set(), open: null }
  const found: Violation[] = []
  for (const event of events) {
    if (event.type === 'run.compensating') now.compensating = true
    // a person may end it at once: then the end is all that the command led to
    const isAtOnce = events[event.seq - 2]?.command !== event.command
    if (RUN_ENDS.has(event.type) && now.compensating && !isAtOnce) {
      const left = now.done.find((path) => !now.ended.has(`${path}/compensate-1`))
      if (left) found.push(violation('compensations_in_order', event, `${left} was not undone`))
    }
    if (!isAboutStep(event)) continue
    if (isCompensation(event.path)) {
      const wrong = checkUndo(now, event)
      if (wrong) found.push(wrong)
      if (!hasEnded(event) || parsePath(event.path).role !== 'compensation') continue
      now.ended.add(event.path)
      now.open = null
      continue
    }
    const { role, parent } = parsePath(event.path)
    // what was done in its place, and was waited for while the run closed
    if (role === 'fallback' && parent !== null && now.compensating && event.type === 'step.completed') {
      const replaced = planOf(plan, parent)
      if (replaced && isUndoneAt(replaced, parent)) now.done = [...now.done.filter((path) => path !== parent), parent]
    }
    const step = planOf(plan, event.path)
    const isDone = hasCompleted(event) || event.type === 'step.happened' || event.type === 'step.answered'
    if (step && isDone && isUndoneAt(step, event.path))
      now.done = [...now.done.filter((path) => path !== event.path), event.path]
  }
  return found
}

/** While a run undoes what was done, nothing else begins; a task that is awaited may go out again. */
const onlyUndoingAtTheEnd: LawByPlan = () => (events) => {
  const found: Violation[] = []
  let awaited: readonly string[] | null = null
  for (const event of events) {
    if (event.type === 'run.compensating') awaited = event.awaited
    if (awaited === null || !isAboutStep(event) || !isBegun(event)) continue
    if (isCompensation(event.path) || awaited.includes(event.path)) continue
    found.push(
      violation('only_undoing_at_the_end', event, `${event.path}: ${event.type} while the run is being undone`),
    )
  }
  return found
}

/** Laws that ask the plan, by name. */
export const NESTED_LAWS: Readonly<Record<string, LawByPlan>> = {
  iterations_in_order: iterationsInOrder,
  items_in_order: itemsInOrder,
  concurrency_is_kept: concurrencyIsKept,
  races_end_when_met: racesEndWhenMet,
  answers_are_judged: answersAreJudged,
  fallbacks_in_order: fallbacksInOrder,
  nothing_inside_after_the_end: nothingInsideAfterTheEnd,
  needs_any_are_met: needsAnyAreMet,
  children_answer: childrenAnswer,
  compensations_in_order: compensationsInOrder,
  only_undoing_at_the_end: onlyUndoingAtTheEnd,
}
