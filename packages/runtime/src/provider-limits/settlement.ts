// How an attempt's end is settled with the limits, and what becomes of one that they refuse.
import type { Failure, LlmInput, Usage } from '@stepfleet/contracts'
import { type Logger, redact } from '../logger.ts'
import type { Ending } from '../task-worker-conclude.ts'
import type { Permit, ProviderLimits, Refusal, Tokens } from './port.ts'
import { countedTokens, type TokenEstimates } from './token-estimate.ts'

/** A provider that answers 429 without saying for how long is left alone for so long. */
export const PAUSE_MS = 5_000

/** The limits refused the call; nothing was sent. */
export class LimitReached extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusal.why)
    this.name = 'LimitReached'
    this.refusal = refusal
  }
}

const notSent = ({ code, details }: Failure): boolean =>
  code !== 'rate_limited' &&
  typeof details === 'object' &&
  details !== null &&
  !Array.isArray(details) &&
  details.notSent === true

/** Some servers that speak like OpenAI tell nothing: nought is no count. */
const isTold = ({ inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens }: Usage): boolean =>
  inputTokens + outputTokens + cacheReadTokens + cacheWriteTokens > 0

/**
 * What a call that was made has used, as limits count it; null: it never reached the provider. A 429 did, but used no
 * tokens. Where nobody knows, the estimate stands.
 */
export const settlementOf = (permit: Permit, ending: Ending): Tokens | null => {
  if (ending.status === 'none') return permit.tokens
  if (ending.usage && isTold(ending.usage)) return countedTokens(ending.usage)
  if (ending.status === 'done') return permit.tokens
  if (notSent(ending.failure)) return null
  return ending.failure.code === 'rate_limited' ? { input: 0, output: 0 } : permit.tokens
}

const TRIES = 20
const AGAIN_MS = 1_000

/** Through a fail-over: a repeat of either does nothing more. Holds no process. */
const persist = async (call: () => Promise<void>): Promise<void> => {
  for (let tried = 1; ; tried += 1) {
    try {
      return await call()
    } catch (error) {
      if (tried === TRIES) throw error
    }
    await new Promise<void>((resolve) => {
      setTimeout(resolve, AGAIN_MS).unref()
    })
  }
}

/** Settles, learns, and pauses the model for a 429. Does not wait and does not fail: the outcome is what counts. */
export const settleCall = (
  { limits, estimates, logger }: { limits: ProviderLimits; estimates: TokenEstimates; logger: Logger },
  permit: Permit,
  ending: Ending,
  input: LlmInput,
): void => {
  const failed = (error: unknown): void => logger.warn({ err: error }, 'a call could not be settled with the limits')
  persist(() => limits.settle(permit, settlementOf(permit, ending))).catch(failed)
  if (ending.status === 'none') return
  if (ending.usage && isTold(ending.usage)) estimates.learn(input, countedTokens(ending.usage))
  if (ending.status === 'failed' && ending.failure.code === 'rate_limited') {
    const { retryAfterMs, message } = ending.failure
    persist(() => limits.pause(permit.dependency, retryAfterMs ?? PAUSE_MS, redact(message))).catch(failed)
  }
}
