// budgets: what runs reserve for model calls, and what the calls used after all.
import type { Answer, Ask, BudgetCap } from '@stepfleet/engine'
import type { FleetBudgets } from '../budgets/port.ts'
import type { From, Leaving } from './outside.ts'

export interface Budgets {
  answer(from: From, ask: Extract<Ask, { kind: 'budget' }>): Promise<Answer>
  leave(from: From, message: Extract<Leaving, { kind: 'settle' }>): Promise<void>
}

/** `perDay`: what each namespace may spend in a day, over what its runs and workflows may; null: as much as they like. */
export const createDrivenBudgets = (budgets: FleetBudgets, perDay: Omit<BudgetCap, 'scope'> | null): Budgets => ({
  answer: async ({ ns, run }, { workflow, holder, tokens, microUsd, caps }) => {
    const all: BudgetCap[] = perDay === null ? caps : [...caps, { scope: 'namespace', ...perDay }]
    return { kind: 'budget', ...(await budgets.reserve(ns, { run, workflow, holder, tokens, microUsd, caps: all })) }
  },
  leave: ({ ns, run }, { holder, used }) => budgets.settle(ns, run, holder, used),
})
