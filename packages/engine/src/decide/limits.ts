// limits: places that the whole fleet shares. Who finds none waits, says so, and is called when one is free.
import { failure } from '@stepfleet/contracts'
import type { LimitPlan } from '../definition/plan.ts'
import { render } from '../scope.ts'
import { lookAgain } from '../state/timers.ts'
import { type Answer, ask, emit, type Looked, type Turn } from '../turn.ts'
import { closeOrUndo } from './closing.ts'
import { expressionFailure, settleFailure } from './failure-policy.ts'
import { hold } from './hold.ts'

type Refusal = Extract<Answer, { kind: 'limit'; granted: false }>
type Taken = 'granted' | 'wait' | Refusal | { failed: string }

/** The text of a limit's key; a key that is no text is shown as JSON. */
export const limitKeyOf = (
  turn: Turn,
  limit: LimitPlan,
  path: string,
): { ok: true; key: string } | { ok: false; message: string } | null => {
  const rendered = render(turn, limit.key, path)
  if (rendered === null || !rendered.ok) return rendered
  const { value } = rendered
  return { ok: true, key: typeof value === 'string' ? value : JSON.stringify(value) }
}

/** Takes a place under each limit, in their order, so that no two steps wait for each other's. */
const take = (turn: Turn, limits: readonly LimitPlan[], path: string): Taken => {
  for (const limit of limits) {
    const key = limitKeyOf(turn, limit, path)
    if (key === null) return 'wait'
    if (!key.ok) return { failed: key.message }
    const answer = ask(turn, { kind: 'limit', key: key.key, limit: limit.limit, perMs: limit.perMs, path })
    if (answer === null) return 'wait'
    if (answer.kind === 'limit' && !answer.granted) return answer
  }
  return 'granted'
}

/** Places for the body of a step; `done`: it waits for one. */
export const admitStep = (turn: Turn, path: string, limits: readonly LimitPlan[], id: string): Looked | 'granted' => {
  if (limits.length === 0) return 'granted'
  const taken = take(turn, limits, path)
  if (typeof taken === 'string') return taken
  if ('failed' in taken) {
    settleFailure(turn, path, expressionFailure(`steps.${id}: the key of its limit`, taken.failed))
    return 'done'
  }
  return hold(turn, path, taken.why, taken.againInMs)
}

/** A place for the run itself, before anything of it begins. */
export const admitRun = (turn: Turn): Looked | 'granted' => {
  const taken = take(turn, turn.plan.limits, '')
  if (typeof taken === 'string') return taken
  if ('failed' in taken) {
    closeOrUndo(turn, { to: 'failed', failure: failure('expression_failed', `concurrency.key: ${taken.failed}`) })
    return 'done'
  }
  if (turn.state.heldWhy !== taken.why) emit(turn, { type: 'run.held', why: taken.why })
  lookAgain(turn.state, '', turn.nowMs + taken.againInMs)
  return 'done'
}
