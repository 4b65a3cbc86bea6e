// Asking for leave, and waiting for a near turn on the spot: a task handed back costs the run two appends and a delivery.
import { pause } from '../task-worker-waiting.ts'
import type { LimitAnswer, LimitAsk, ProviderLimits } from './port.ts'

/** A turn that is nearer than this is waited for. Only tasks of the same model's queue could use the slot meanwhile. */
export const WAIT_ON_THE_SPOT_MS = 1_000
/**
 * Who is sent away is told to come so much before its turn, and waits for the rest here: the way back through the
 * engine and a queue takes its time, and at 50 calls a minute each tenth of a second would cost a twelfth of the rate.
 */
export const EARLY_MS = 300
const MOST_ASKS = 5

/**
 * The answer, after waiting for it when it is near; a refusal's `retryAfterMs` is a little early on purpose. An abort ends the waiting, not an ask; the ticket of who goes away runs out by itself.
 */
export const acquireSoon = async (
  limits: Pick<ProviderLimits, 'acquire'>,
  ask: LimitAsk,
  { signal, waitMs = WAIT_ON_THE_SPOT_MS }: { signal: AbortSignal; waitMs?: number },
): Promise<LimitAnswer> => {
  let leftMs = waitMs
  for (let asked = 1; ; asked += 1) {
    const answer = await limits.acquire(ask)
    if (answer.granted) return answer
    if (answer.retryAfterMs > leftMs || asked === MOST_ASKS || signal.aborted) {
      return { ...answer, retryAfterMs: Math.max(1, answer.retryAfterMs - Math.min(EARLY_MS, waitMs)) }
    }
    leftMs -= answer.retryAfterMs
    await pause(answer.retryAfterMs, signal)
  }
}
