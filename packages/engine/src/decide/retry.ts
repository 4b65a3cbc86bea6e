// Retry: whether another attempt follows a failure, and when. Full jitter after
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/, drawn from the ids, so that a replay
// gives the same wait.
import type { Effect, Failure } from '@stepfleet/contracts'
import type { RetryPolicy } from '../definition/plan.ts'

/** A number in [0, 1) that depends on the text alone (FNV-1a, then a finalizer to spread neighbours). */
export const unit = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  hash ^= hash >>> 16
  return (hash >>> 0) / 2 ** 32
}

/** Transient failures may be tried again; ambiguous ones only where the effect allows a repeat. */
export const mayRepeat = (failure: Failure, effect: Effect): boolean =>
  failure.class === 'transient' || (failure.class === 'ambiguous' && effect !== 'once')

const isTriedAgain = ({ never, only }: RetryPolicy, { code }: Failure): boolean =>
  !never.includes(code) && (only === null || only.includes(code))

/**
 * Time of the next attempt, or null when none follows.
 * @param used attempts of this series so far, this one too
 * @param seed ids of run, step and attempt
 */
export const retryAt = (
  policy: RetryPolicy,
  context: { failure: Failure; effect: Effect; used: number; seed: string; nowMs: number },
): number | null => {
  const { failure, effect, used, seed, nowMs } = context
  if (!mayRepeat(failure, effect) || used >= policy.attempts || !isTriedAgain(policy, failure)) return null
  const ceiling = Math.min(policy.maxMs, policy.initialMs * policy.factor ** (used - 1))
  const wait = Math.round(unit(seed) * ceiling)
  return nowMs + Math.max(wait, failure.retryAfterMs ?? 0)
}
