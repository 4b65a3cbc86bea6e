// The script at run time: rules, outages and limits are set and the ledger is read while the server runs.
import { z } from 'zod'
import type { Context } from './calls.ts'
import { type EffectEntry, type LedgerEntry, readEffects, readLedger } from './ledger.ts'
import type { Limit, LimitReport } from './limits.ts'
import type { ReadRule, Rule } from './rules.ts'

export const outageSchema = z.strictObject({
  /** Model; `*` in it stands for anything. */
  model: z.string().min(1),
  on: z.boolean(),
  /** Directives that all its calls are answered with. */
  fault: z.string().min(1).default('error=overloaded'),
})

/** As it is given: `fault` has a default. */
export type Outage = z.input<typeof outageSchema>

/** What can be done to a running server, from its own process or over HTTP. */
export class Control {
  readonly #context: Context
  readonly #file: string

  constructor(context: Context, file: string) {
    this.#context = context
    this.#file = file
  }

  calls(): LedgerEntry[] {
    return readLedger(this.#file)
  }

  effects(): EffectEntry[] {
    return readEffects(this.#file)
  }

  setRule(rule: Rule): ReadRule {
    return this.#context.rules.set(rule)
  }

  deleteRule(id: string): boolean {
    return this.#context.rules.delete(id)
  }

  rules(): ReadRule[] {
    return [...this.#context.outages.list(), ...this.#context.rules.list()]
  }

  /** Throws ZodError for a fault that cannot be read. */
  outage(given: Outage): void {
    const { model, on, fault } = outageSchema.parse(given)
    const id = `outage:${model}`
    if (on) this.#context.outages.set({ id, match: { model }, per: 'rule', later: fault })
    else this.#context.outages.delete(id)
  }

  setLimit(limit: Limit): LimitReport {
    return this.#context.limits.set(limit)
  }

  deleteLimit(model: string): boolean {
    return this.#context.limits.delete(model)
  }

  limits(): LimitReport[] {
    return this.#context.limits.list()
  }

  /** No rules, outages or limits any more. The ledger stays, and what was counted from it. */
  reset(): void {
    this.#context.rules.clear()
    this.#context.outages.clear()
    this.#context.limits.clear()
  }
}
