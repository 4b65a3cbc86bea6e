// The workbench of the conformance suite: asks, and what came of them.
import { expect } from 'vitest'
import type { DependencyLimits, LimitAnswer, LimitTuning, Permit, ProviderLimits, Refusal, Tokens } from './port.ts'

/** Empty limits, and their clock. */
export interface ProviderLimitsHarness {
  limits: ProviderLimits
  /** Lets at least so much of the limits' time pass. */
  pass(ms: number): Promise<void>
  stop(): Promise<void>
}

export type MakeLimits = (
  limitsOf: (dependency: string) => DependencyLimits,
  tuning: Partial<LimitTuning>,
) => Promise<ProviderLimitsHarness>

export const NO_LIMITS: DependencyLimits = {
  requestsPerMinute: null,
  inputTokensPerMinute: null,
  outputTokensPerMinute: null,
  concurrency: null,
  providerConcurrency: null,
}

export const MODEL = 'anthropic/sonnet'
export const OTHER = 'anthropic/haiku'
/** Nobody is told to look half-way, unless a test says so. */
const FAR = 1e9

export interface AskMore {
  dependency?: string
  token?: string
  tokens?: Tokens
}

export class Bench {
  readonly #make: MakeLimits
  #harness: ProviderLimitsHarness | null = null
  configured: Record<string, Partial<DependencyLimits>> = {}

  constructor(make: MakeLimits) {
    this.#make = make
  }

  get h(): ProviderLimitsHarness {
    if (!this.#harness) throw new Error('not started')
    return this.#harness
  }

  async start(tuning: Partial<LimitTuning> = {}): Promise<void> {
    const limitsOf = (dependency: string) => ({ ...NO_LIMITS, ...this.configured[dependency] })
    this.#harness = await this.#make(limitsOf, { nearMs: FAR, burstMs: 0, ...tuning })
  }

  async stop(): Promise<void> {
    await this.#harness?.stop()
    this.#harness = null
    this.configured = {}
  }

  ask(task: string, more: AskMore = {}): Promise<LimitAnswer> {
    const tokens = { input: 0, output: 0 }
    return this.h.limits.acquire({ dependency: MODEL, task, token: `t-${task}`, tokens, ...more })
  }

  async permit(task: string, more: AskMore = {}): Promise<Permit> {
    const answer = await this.ask(task, more)
    if (!answer.granted) throw new Error(`${task} was refused: ${answer.why}`)
    return answer.permit
  }

  async refused(task: string, more: AskMore = {}): Promise<Refusal> {
    const answer = await this.ask(task, more)
    if (answer.granted) throw new Error(`${task} was granted`)
    return answer
  }

  async wait(task: string, more: AskMore = {}): Promise<number> {
    return (await this.refused(task, more)).retryAfterMs
  }

  async stateOf(dependency = MODEL) {
    return (await this.h.limits.states()).find((state) => state.dependency === dependency)
  }
}

/** Tests run on a real clock too: a bound on a time has room for a slow one. */
export const expectAbout = (ms: number, wanted: number): void => {
  expect(ms).toBeLessThanOrEqual(wanted)
  expect(ms).toBeGreaterThan(wanted - 5_000)
}
