// A model call under the limits of its provider: leave is asked for before it, and what it used is told after it.
import { type LlmInput, llmInputSchema, type Task } from '@stepfleet/contracts'
import type { Logger } from './logger.ts'
import type { Permit, ProviderLimits } from './provider-limits/port.ts'
import { LimitReached, settleCall } from './provider-limits/settlement.ts'
import type { TokenEstimates } from './provider-limits/token-estimate.ts'
import { acquireSoon } from './provider-limits/wait-for-limit.ts'
import type { Release, Settled } from './task-attempt-circuit.ts'
import { insist } from './task-worker-waiting.ts'

export interface LimitPorts {
  limits: ProviderLimits
  estimates: TokenEstimates
  logger: Logger
}

export interface LimitedCall {
  dependency: string
  task: Task
  /** Of this delivery. */
  token: string
  input: unknown
  signal: AbortSignal
}

/** The task goes back, unspent: it has a place in line, and is told when to come. */
export const refusedByLimit = ({ refusal }: LimitReached): Omit<Release, 'status'> => ({
  reason: 'provider_limit',
  why: refusal.why,
  retryAfterMs: refusal.retryAfterMs,
  dependency: refusal.dependency.slice(0, 300),
})

const AGAIN_MS = 1_000

/** Waiting for a turn took all the time of the attempt: nothing was called, so none is spent. */
export const outwaited = (dependency: string): LimitReached =>
  new LimitReached({
    granted: false,
    dependency,
    retryAfterMs: AGAIN_MS,
    reason: 'requests',
    why: `${dependency}: its turn did not come within the time of an attempt`,
  })

/**
 * Makes the call when the limits let it. Throws LimitReached when they do not, null when it was aborted before; `call`
 * tells how it ended, and whether it was made at all.
 */
export const underLimit = async (
  ports: LimitPorts,
  { dependency, task, token, input, signal }: LimitedCall,
  call: () => Promise<{ settled: Settled; made: boolean }>,
): Promise<Settled | null> => {
  const { limits, estimates } = ports
  const read = llmInputSchema.safeParse(input)
  // an input that cannot be read is refused by the handler, without a call
  if (!read.success) return (await call()).settled
  const { ns, run, path, attempt } = task
  const tokens = estimates.estimate(read.data)
  const ask = { dependency, task: `${ns}~${run}.${path}.${attempt}`, token, tokens }
  // a repeat under the same token is the same grant
  const answer = await insist({ what: 'limit', signal, logger: ports.logger }, async () => {
    const given = await acquireSoon(limits, ask, { signal })
    // too late: nobody waits for it any more
    if (signal.aborted && given.granted) await limits.settle(given.permit, null)
    return given
  })
  if (answer === null) return null
  if (!answer.value.granted) throw new LimitReached(answer.value)
  return settleAfter(ports, answer.value.permit, read.data, call)
}

const settleAfter = async (
  ports: LimitPorts,
  permit: Permit,
  input: LlmInput,
  call: () => Promise<{ settled: Settled; made: boolean }>,
): Promise<Settled> => {
  const giveBack = (): void => void ports.limits.settle(permit, null).catch(() => undefined)
  try {
    const { settled, made } = await call()
    if (made) settleCall(ports, permit, settled.ending, input)
    else giveBack()
    return settled
  } catch (error) {
    giveBack()
    throw error
  }
}
