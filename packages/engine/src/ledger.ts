// ledger: budgets in memory, for simulations and tests: what the scripts of the orchestrator do over Redis.
import type { Answer, BudgetOver } from './turn.ts'

export interface Counter {
  /** Settled, and what nobody knows of. */
  spent: Amount
  /** Of calls under way. */
  reserved: Amount
}
export interface Amount {
  tokens: number
  microUsd: number
}
/** What a call is counted against; `cap` null: it is counted only. */
export interface Counted {
  /** Of the counter: `run:r1`, `workflow:x:2026-11-21`. */
  name: string
  scope: BudgetOver['scope']
  cap: { tokens: number | null; microUsd: number | null } | null
}

interface Reservation extends Amount {
  names: readonly string[]
  /** It counts as spent, as nobody knows. */
  lost: boolean
}

const zero = (): Amount => ({ tokens: 0, microUsd: 0 })
const add = (to: Amount, amount: Amount, sign: 1 | -1 = 1): void => {
  to.tokens += sign * amount.tokens
  to.microUsd += sign * amount.microUsd
}

const UNITS = [
  ['tokens', 'tokens'],
  ['usd', 'microUsd'],
] as const

export class BudgetLedger {
  readonly #counters = new Map<string, Counter>()
  readonly #held = new Map<string, Reservation>()

  counter(name: string): Counter {
    const known = this.#counters.get(name) ?? { spent: zero(), reserved: zero() }
    this.#counters.set(name, known)
    return known
  }

  /** Reserves what a call may use at most, in all counters or in none. A repeat is granted again, and changes nothing. */
  reserve(holder: string, amount: Amount, counted: readonly Counted[]): Extract<Answer, { kind: 'budget' }> {
    if (this.#held.has(holder)) return { kind: 'budget', granted: true }
    for (const one of counted) {
      const over = this.#over(one, amount)
      if (over) return { kind: 'budget', granted: false, over, pending: over.spent + over.needed <= over.cap }
    }
    for (const { name } of counted) add(this.counter(name).reserved, amount)
    this.#held.set(holder, { ...amount, names: counted.map(({ name }) => name), lost: false })
    return { kind: 'budget', granted: true }
  }

  /** `used` null: nobody knows, so what was reserved counts as spent until it is known. */
  settle(holder: string, used: Amount | null): void {
    const held = this.#held.get(holder)
    if (!held || (used === null && held.lost)) return
    for (const name of held.names) {
      const { spent, reserved } = this.counter(name)
      add(held.lost ? spent : reserved, held, -1)
      add(spent, used ?? held)
    }
    if (used === null) held.lost = true
    else this.#held.delete(holder)
  }

  #over({ name, scope, cap }: Counted, amount: Amount): BudgetOver | null {
    const { spent, reserved } = this.counter(name)
    for (const [unit, field] of UNITS) {
      const most = cap?.[field] ?? null
      if (most === null || amount[field] === 0 || spent[field] + reserved[field] + amount[field] <= most) continue
      return { scope, unit, cap: most, spent: spent[field], reserved: reserved[field], needed: amount[field] }
    }
    return null
  }
}
