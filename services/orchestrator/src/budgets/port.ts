// Budgets that the whole fleet shares, as the driver sees them. Two keep them: memory (tests) and Redis. One conformance
// suite (conformance.fixture.ts) runs against both.
import type { BudgetCap, BudgetOver } from '@stepfleet/engine'

/** Tokens in and out, and whole micro-dollars. */
export interface Amount {
  tokens: number
  microUsd: number
}

export interface Reservation extends Amount {
  run: string
  workflow: string
  /** Path of the agent whose own cap is among them. */
  agent?: string | undefined
  /** One delivery of one attempt of a step, unique within its run. */
  holder: string
  /** Those of the agent, the run and its workflow that hold, and of the namespace. */
  caps: readonly BudgetCap[]
}

export type BudgetAnswer =
  | { granted: true }
  /** `pending`: it would fit if calls under way used nothing. */
  | { granted: false; over: BudgetOver; pending: boolean }

export interface Spend {
  /** What was settled, and what nobody knows of. */
  spent: Amount
  /** Of calls under way. */
  reserved: Amount
}

/**
 * What each call promises: a reservation is made in all counters or in none, so that what is spent never passes a cap;
 * a repeat does nothing more. What is not settled counts as spent. Days are those of UTC, by the store's own clock.
 */
export interface FleetBudgets {
  reserve(ns: string, reservation: Reservation): Promise<BudgetAnswer>
  /** `used` null: nobody knows; what was reserved counts as spent until it is known after all. Unknown holders: nothing. */
  settle(ns: string, run: string, holder: string, used: Amount | null): Promise<void>
  ofRun(ns: string, run: string): Promise<Spend>
  /** What all runs of a workflow with a daily budget spent today. */
  ofWorkflow(ns: string, workflow: string): Promise<Spend>
}

/** A day of UTC, `2026-11-21`. */
export const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10)

/** Whose counters; `agent` is a path, or empty. */
export interface Whose {
  run: string
  workflow: string
  agent: string
  day: string
}

/** Name of the counter of a scope, below the budgets of its namespace. */
export const counterOf = (scope: BudgetCap['scope'], { run, workflow, agent, day }: Whose): string => {
  switch (scope) {
    case 'agent':
      return `agent:${run}/${agent}`
    case 'run':
      return `run:${run}`
    case 'workflow':
      return `workflow:${workflow}:${day}`
    case 'namespace':
      return `day:${day}`
  }
}
