// places: what is given back, or kept for others, when a step or a run has ended.
import type { Event, Payload } from '@stepfleet/contracts'
import { cacheKeyOf } from '../decide/cache.ts'
import { isBody } from '../decide/layers.ts'
import { limitKeyOf } from '../decide/limits.ts'
import type { LimitPlan } from '../definition/plan.ts'
import { isEnded, type StepState } from '../state/state.ts'
import { type Ask, planOf, type Turn } from '../turn.ts'
import { cutBy } from './cut.ts'

interface Release {
  kind: 'release'
  key: string
  path: string
}

/** A place, or a turn among those who wait; a start under a rate stays counted all the same. */
const releasesOf = (turn: Turn, limits: readonly LimitPlan[], path: string): Release[] =>
  limits.flatMap((limit): Release[] => {
    const key = limitKeyOf(turn, limit, path)
    return key?.ok ? [{ kind: 'release', key: key.key, path }] : []
  })

const ofStep = (turn: Turn, step: StepState): Release[] =>
  isBody(turn.plan, step) ? releasesOf(turn, planOf(turn.plan, step.node).limits, step.path) : []

/** Given back when a step has ended or waits for a person, whether it had a place or not. */
export const placeMessages = (turn: Turn, event: Event): Release[] => {
  const { plan, state } = turn
  const given: Release[] = []
  if (plan.limited) {
    const own = 'path' in event && event.path !== undefined ? state.steps.get(event.path) : undefined
    if (own && (own.endSeq === event.seq || event.type === 'step.escalated')) given.push(...ofStep(turn, own))
    for (const step of cutBy(turn, event)) given.push(...ofStep(turn, step))
  }
  const over = event.type === 'run.completed' || event.type === 'run.failed' || event.type === 'run.cancelled'
  if (over && plan.limits.length > 0) given.push(...releasesOf(turn, plan.limits, ''))
  return given
}

/** Places that were granted in this turn to steps that did not begin after all: the run, or what is around them, ended. */
export const unusedPlaces = (turn: Turn): Release[] =>
  [...turn.answers].flatMap(([text, answer]): Release[] => {
    if (answer.kind !== 'limit' || !answer.granted) return []
    const question: Ask = JSON.parse(text)
    const isUsed = question.kind !== 'limit' || question.path === '' || turn.state.steps.has(question.path)
    return isUsed ? [] : [{ kind: 'release', key: question.key, path: question.path }]
  })

interface Cached {
  kind: 'cache'
  key: string
  ttlMs: number
  output: Payload
}

/** A finished output that the definition says may be taken again. */
export const cacheMessages = (turn: Turn, event: Event): Cached[] => {
  if (event.type !== 'step.completed' || event.cached) return []
  const step = turn.state.steps.get(event.path)
  const plan = step && planOf(turn.plan, step.node)
  if (!step || !plan?.cache || !isEnded(step) || !isBody(turn.plan, step) || step.edit) return []
  // what stands in for the real thing is not taken for it later
  if (step.fallback || step.model !== null) return []
  const key = cacheKeyOf(turn, event.path, plan, plan.cache)
  return key?.ok ? [{ kind: 'cache', key: String(key.value), ttlMs: plan.cache.ttlMs, output: event.output }] : []
}
