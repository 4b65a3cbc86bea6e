// budgets: what runs reserve for model calls, and what the calls used after all.
import { randomUUID } from 'node:crypto'
import type { Answer, Ask, BudgetCap } from '@stepfleet/engine'
import type { FleetBudgets } from '../budgets/port.ts'
import type { RunReader } from '../store/port.ts'
import type { From, Leaving } from './outside.ts'

export interface Budgets {
  answer(from: From, ask: Extract<Ask, { kind: 'budget' }>): Promise<Answer>
  leave(from: From, message: Extract<Leaving, { kind: 'settle' }>): Promise<void>
}

export interface BudgetDeps {
  budgets: FleetBudgets
  store: Pick<RunReader, 'send'>
  engine: string
  /** What each namespace may spend in a day, over what its runs and workflows may; null: as much as they like. */
  perDay: Omit<BudgetCap, 'scope'> | null
}

export const createDrivenBudgets = ({ budgets, store, engine, perDay }: BudgetDeps): Budgets => ({
  answer: async ({ ns, run }, { workflow, agent, holder, tokens, microUsd, caps }) => {
    const all: BudgetCap[] = perDay === null ? caps : [...caps, { scope: 'namespace', ...perDay }]
    const whose = { run, workflow, agent, holder }
    return { kind: 'budget', ...(await budgets.reserve(ns, { ...whose, tokens, microUsd, caps: all })) }
  },
  leave: async ({ ns, run }, { holder, used, next }) => {
    await budgets.settle(ns, run, holder, used)
    if (next === undefined) return
    const by = { kind: 'engine' as const, id: engine }
    await store.send({ type: 'wake', id: `paid/${randomUUID()}`, ns, run, by, paths: [next] })
  },
})
