// A model call under the limits of its provider: leave is asked for before it, and what it used is told after it.
import { type LlmInput, llmInputSchema, type Task } from '@stepfleet/contracts'
import type { Logger } from './logger.ts'
import type { Permit, ProviderLimits } from './provider-limits/port.ts'
import { LimitReached, settleCall } from './provider-limits/settlement.ts'
import type { TokenEstimates } from './provider-limits/token-estimate.ts'
import { acquireSoon } from './provider-limits/wait-for-limit.ts'
import type { Release, Settled } from './task-attempt-circuit.ts'
import { unlessAborted } from './task-worker-waiting.ts'

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
  const asked = acquireSoon(limits, { dependency, task: `${ns}~${run}.${path}.${attempt}`, token, tokens }, { signal })
  const answer = await unlessAborted(asked, signal)
  if (answer === null) {
    asked.then((late) => (late.granted ? limits.settle(late.permit, null) : undefined)).catch(() => undefined)
    return null
  }
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
