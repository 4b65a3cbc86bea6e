// A child run ended: its result is that of the step that waits for it.
import { type ChildResult, type CommandOf, type Failure, failure, type Verdict } from '@stepfleet/contracts'
import { finishStep } from '../decide/confidence.ts'
import { settleFailure } from '../decide/failure-policy.ts'
import { isEnded } from '../state/state.ts'
import type { Turn } from '../turn.ts'
import { applied } from './verdict.ts'

const failureOf = (run: string, result: Exclude<ChildResult, { status: 'completed' }>): Failure => {
  switch (result.status) {
    case 'failed': {
      const { failure: cause } = result
      return failure('child_failed', `child run ${run} failed: ${cause.code}: ${cause.message}`, {
        details: { run, failure: { code: cause.code, class: cause.class, message: cause.message } },
      })
    }
    case 'cancelled': {
      const why = result.reason === undefined ? '' : `: ${result.reason}`
      return failure('child_cancelled', `child run ${run} was cancelled by ${result.by}${why}`, { details: { run } })
    }
    case 'refused':
      return failure('child_refused', result.failure.message, { details: { run } })
  }
}

/** A child that nobody waits for any more, or a second word of the same end, changes nothing. */
export const acceptChild = (turn: Turn, command: CommandOf<'child'>): Verdict => {
  const { path, child, result } = command
  const step = turn.state.steps.get(path)
  if (!step || isEnded(step) || step.phase !== 'waiting') return applied(turn)
  if (step.opening?.kind !== 'run' || step.opening.run !== child) return applied(turn)
  if (result.status === 'completed') finishStep(turn, step, result.output)
  else settleFailure(turn, path, failureOf(child, result))
  return applied(turn)
}
