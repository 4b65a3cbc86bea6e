// The limits of model providers in memory, for tests: what the scripts lua/provider-*.lua do, over plain maps.
import {
  AXES,
  add,
  type Meters,
  MINUTE_US,
  ratesOf,
  returnOf,
  type Three,
  type Ticket,
  turnOf,
  workOf,
} from './memory-turn.ts'
import {
  checkAsk,
  checkTokens,
  type DependencyState,
  LIMIT_TUNING,
  type LimitAnswer,
  type LimitAsk,
  type LimitsOf,
  type LimitTuning,
  type Permit,
  type ProviderLimits,
  refusal,
  splitDependency,
  type Tokens,
} from './port.ts'

const NONE: Readonly<Three> = [0, 0, 0]

interface Held {
  token: string
  atUs: number
}

interface Model extends Meters {
  why: string
  tickets: Map<string, Ticket>
  held: Map<string, Held>
  /** By minute of the clock. */
  used: Map<number, Three>
}

class MemoryProviderLimits implements ProviderLimits {
  readonly #nowMs: () => number
  readonly #limitsOf: LimitsOf
  readonly #tuning: LimitTuning
  readonly #models = new Map<string, Model>()
  #stoppedUs: number | null = null

  constructor(nowMs: () => number, limitsOf: LimitsOf, tuning: LimitTuning) {
    this.#nowMs = nowMs
    this.#limitsOf = limitsOf
    this.#tuning = tuning
  }

  get #nowUs(): number {
    return Math.round(this.#nowMs() * 1_000)
  }

  async acquire(ask: LimitAsk): Promise<LimitAnswer> {
    checkAsk(ask)
    const { dependency, task, token } = ask
    const model = this.#of(dependency)
    this.#tidy(model, ask)
    const held = model.held.get(task)
    if (held) return { granted: true, permit: { ...ask, atMs: Math.floor(held.atUs / 1_000) } }
    const nowUs = this.#nowUs
    const known = model.tickets.get(task)
    model.limits = this.#limitsOf(dependency)
    const work = workOf(ask.tokens)
    const ticket = known ?? { mark: [...model.queued], work, slotUs: 0, returnUs: 0, away: false }
    const running = { model: this.#running(model), provider: this.#providerRunning(dependency) }
    const turn = turnOf(model, { mark: ticket.mark, work, running }, nowUs, this.#tuning)
    if (turn.fits && (turn.first || (known && known.slotUs <= nowUs))) {
      for (const d of AXES) {
        if (turn.cost[d] > 0) model.tat[d] = Math.max(model.tat[d], nowUs) + turn.cost[d]
      }
      if (known && !known.away) add(model.served, known.work)
      model.tickets.delete(task)
      model.held.set(task, { token, atUs: nowUs })
      this.#count(model, Math.floor(nowUs / MINUTE_US), work)
      return { granted: true, permit: { ...ask, atMs: Math.floor(nowUs / 1_000) } }
    }
    if (!known) add(model.queued, work)
    else if (known.away) add(model.served, known.work, -1)
    const returnUs = returnOf(turn, this.#tuning)
    model.tickets.set(task, { ...ticket, slotUs: Math.round(turn.slotUs), returnUs, away: false })
    const reason = turn.fromUs > nowUs ? 'paused' : turn.reason
    const retryAfterMs = Math.max(1, Math.ceil((returnUs - nowUs) / 1_000))
    return refusal(dependency, { retryAfterMs, ahead: turn.ahead, reason, pauseWhy: model.why })
  }

  async settle(permit: Permit, used: Tokens | null): Promise<void> {
    if (used) checkTokens(used)
    const model = this.#of(permit.dependency)
    const held = model.held.get(permit.task)
    if (held?.token !== permit.token) return
    const nowUs = this.#nowUs
    model.held.delete(permit.task)
    const { input, output } = permit.tokens
    const more: Three = used ? [0, used.input - input, used.output - output] : [-1, -input, -output]
    const rates = ratesOf(this.#limitsOf(permit.dependency))
    for (const d of AXES) if (rates[d] > 0) model.tat[d] += Math.ceil((more[d] * MINUTE_US) / rates[d])
    const counted = model.used.get(Math.floor(held.atUs / MINUTE_US))
    if (counted) add(counted, more)
    if (!used) return
    const tookUs = nowUs - held.atUs
    model.meanUs ??= tookUs
    model.meanUs = Math.round(model.meanUs + (tookUs - model.meanUs) / 10)
  }

  async pause(dependency: string, forMs: number, why: string): Promise<void> {
    const model = this.#of(dependency)
    const untilUs = this.#nowUs + Math.min(forMs, this.#tuning.longestPauseMs) * 1_000
    if (untilUs > model.openUs) Object.assign(model, { openUs: untilUs, why })
  }

  async states(): Promise<DependencyState[]> {
    const nowUs = this.#nowUs
    return [...this.#models].map(([dependency, model]) => {
      const minute = Math.floor(nowUs / MINUTE_US)
      const share = 1 - (nowUs % MINUTE_US) / MINUTE_US
      const last = model.used.get(minute - 1) ?? NONE
      const now = model.used.get(minute) ?? NONE
      const used = (d: 0 | 1 | 2): number => Math.round(now[d] + last[d] * share)
      return {
        dependency,
        limits: model.limits,
        waiting: model.queued[0] - model.served[0],
        running: this.#running(model),
        providerRunning: this.#providerRunning(dependency),
        used: { requests: used(0), inputTokens: used(1), outputTokens: used(2) },
        paused: model.openUs > nowUs ? { untilMs: Math.ceil(model.openUs / 1_000), why: model.why } : null,
      }
    })
  }

  /** As if the process of all who hold permits had died: their leases run out. */
  stop(): void {
    this.#stoppedUs = this.#nowUs
  }

  #isOver({ atUs }: Held): boolean {
    if (this.#stoppedUs === null) return false
    return Math.max(atUs, this.#stoppedUs) + this.#tuning.leaseMs * 1_000 <= this.#nowUs
  }

  #of(dependency: string): Model {
    splitDependency(dependency)
    const known = this.#models.get(dependency)
    if (known) return known
    const model: Model = {
      tat: [0, 0, 0],
      queued: [0, 0, 0],
      served: [0, 0, 0],
      openUs: 0,
      why: '',
      meanUs: null,
      limits: this.#limitsOf(dependency),
      tickets: new Map(),
      held: new Map(),
      used: new Map(),
    }
    this.#models.set(dependency, model)
    return model
  }

  #running(model: Model): number {
    return [...model.held.values()].filter((held) => !this.#isOver(held)).length
  }

  #providerRunning(dependency: string): number {
    const { provider } = splitDependency(dependency)
    const own = [...this.#models].filter(([name]) => splitDependency(name).provider === provider)
    return own.reduce((sum, [, model]) => sum + this.#running(model), 0)
  }

  /** provider-tidy.6.lua. */
  #tidy(model: Model, { task, token, tokens }: LimitAsk): void {
    const nowUs = this.#nowUs
    const { lateMs, forgottenMs } = this.#tuning
    for (const [name, held] of model.held) if (this.#isOver(held)) model.held.delete(name)
    for (const [name, ticket] of model.tickets) {
      if (ticket.returnUs > nowUs - lateMs * 1_000) continue
      if (ticket.away) {
        model.tickets.delete(name)
        continue
      }
      add(model.served, ticket.work)
      Object.assign(ticket, { away: true, returnUs: nowUs + forgottenMs * 1_000 })
    }
    const held = model.held.get(task)
    if (!held || held.token === token) return
    const work = workOf(tokens)
    model.tickets.set(task, { mark: [...model.served], work, slotUs: nowUs, returnUs: nowUs, away: false })
    add(model.queued, work)
    model.held.delete(task)
  }

  #count(model: Model, minute: number, work: Three): void {
    for (const old of model.used.keys()) if (old < minute - 1) model.used.delete(old)
    const counted = model.used.get(minute) ?? [0, 0, 0]
    add(counted, work)
    model.used.set(minute, counted)
  }
}

/** `nowMs` is the clock that a Redis would have. */
export const createMemoryProviderLimits = (
  nowMs: () => number,
  limitsOf: LimitsOf,
  tuning: Partial<LimitTuning> = {},
): ProviderLimits => new MemoryProviderLimits(nowMs, limitsOf, { ...LIMIT_TUNING, ...tuning })
