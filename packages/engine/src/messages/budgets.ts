// budgets: what was reserved for a model call is settled by what it used, as soon as that is known.
import type { Event, EventOf, Failure, FailureCode, Usage } from '@stepfleet/contracts'
import { isBudgeted } from '../decide/budget.ts'
import { holderOf } from '../state/paths.ts'
import { lastAttempt, type StepState } from '../state/state.ts'
import type { Ask, Turn } from '../turn.ts'
import { cutBy } from './cut.ts'

export interface Settle {
  kind: 'settle'
  /** Who reserved. */
  holder: string
  /** null: nobody knows. What was reserved counts as spent, until it is known after all. */
  used: { tokens: number; microUsd: number } | null
  /** Who waits for what is given back: it is to be woken then. */
  next?: string
}

const NOTHING = { tokens: 0, microUsd: 0 }
/** The call may have been made, and was charged then. */
const MAY_BE_PAID: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'timeout',
  'stream_broken',
  'connection_failed',
  'cancelled',
  'outcome_unknown',
  'poison_step',
])

/** null: some servers tell nothing, and nought is no count. */
const usedOf = (usage: Usage): Settle['used'] => {
  const tokens = usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens + usage.outputTokens
  return tokens === 0 ? null : { tokens, microUsd: usage.microUsd ?? 0 }
}

/** Its worker is sure that the call was not made, or not taken. */
const isNotSent = ({ details }: Failure): boolean =>
  typeof details === 'object' && details !== null && !Array.isArray(details) && details.notSent === true

/** What a call that has failed used: one that broke off has told its input at best, and not what was paid for its output. */
const usedByFailed = ({ failure, usage }: EventOf<'step.attempt_failed'>): Settle['used'] => {
  if (MAY_BE_PAID.has(failure.code) && !isNotSent(failure)) return null
  return usage ? usedOf(usage) : NOTHING
}

const isModelCall = ({ queue, tool }: StepState): boolean => queue !== null && tool === null

/** Of what was out when it ended: it may be paid, and its worker may still tell. */
const unknown = (step: StepState, attempt?: number): Settle[] => {
  const last = attempt === undefined ? lastAttempt(step) : step.attempts.find((one) => one.attempt === attempt)
  if (!last || !isModelCall(step) || last.reported.includes(last.delivery)) return []
  return [{ kind: 'settle', holder: holderOf(step.path, last.attempt, last.delivery), used: null }]
}

/** What a fact says of the call that it is about. */
const ofFact = (event: Event, step: StepState): Settle[] => {
  switch (event.type) {
    case 'step.completed':
    case 'step.answered':
    case 'cost.noted':
    case 'step.happened':
    case 'step.attempt_failed': {
      const { attempt, delivery, usage } = event
      if (attempt === undefined || delivery === undefined) break
      const told = usage ? usedOf(usage) : NOTHING
      const used = event.type === 'step.attempt_failed' ? usedByFailed(event) : told
      const holder = holderOf(step.path, attempt, delivery)
      // another delivery may be out, which nobody waits for any more
      const others = event.type === 'step.completed' || event.type === 'step.answered' ? unknown(step) : []
      return [{ kind: 'settle', holder, used }, ...others]
    }
    case 'step.lost': {
      const { attempt, delivery, cause } = event
      return [
        { kind: 'settle', holder: holderOf(step.path, attempt, delivery), used: cause === 'worker' ? null : NOTHING },
      ]
    }
    default:
  }
  // given up by the engine; should this be told late, another attempt may be out by then
  if (event.type === 'step.attempt_failed') return unknown(step, event.attempt)
  return step.endSeq === event.seq || event.type === 'step.escalated' ? unknown(step) : []
}

export const budgetMessages = (turn: Turn, event: Event): Settle[] => {
  if (!isBudgeted(turn)) return []
  const own = 'path' in event && event.path !== undefined ? turn.state.steps.get(event.path) : undefined
  const cut = cutBy(turn, event).filter((step) => step !== own)
  const settles = [...(own && isModelCall(own) ? ofFact(event, own) : []), ...cut.flatMap(unknown)]
  const [next] = turn.state.unaffordable
  return next === undefined ? settles : settles.map((settle) => ({ ...settle, next }))
}

/** Reserved in this turn for calls that are not made after all: the run, or what is around them, ended. */
export const unusedReservations = (turn: Turn): Settle[] => {
  const sent = new Set(
    turn.events.flatMap((event) =>
      event.type === 'step.dispatched' ? [holderOf(event.path, event.attempt, event.delivery)] : [],
    ),
  )
  return [...turn.answers].flatMap(([text, answer]): Settle[] => {
    if (answer.kind !== 'budget' || !answer.granted) return []
    const question: Ask = JSON.parse(text)
    if (question.kind !== 'budget' || sent.has(question.holder)) return []
    return [{ kind: 'settle', holder: question.holder, used: NOTHING }]
  })
}
