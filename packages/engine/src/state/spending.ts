// spending: what model calls have used, and what of it no reservation stands for.
import type { BudgetDefinition, Usage } from '@stepfleet/contracts'
import { holderOf } from './paths.ts'
import { addUsage, type RunState, type StepState } from './state.ts'

/** The run itself has a cap, and not only its workflow's day. */
const isCapped = (budget: RunState['budget']): boolean => budget?.usd !== undefined || budget?.tokens !== undefined

/** What was sent out for a step and has told nothing yet. */
const untoldDeliveries = ({ path, attempts, queue, tool }: StepState): string[] => {
  if (queue === null || tool !== null) return []
  return attempts.flatMap(({ attempt, delivery: last, reported }) =>
    Array.from({ length: last }, (_, before) => before + 1)
      .filter((delivery) => !reported.includes(delivery))
      .map((delivery) => holderOf(path, attempt, delivery)),
  )
}

interface Paid {
  path: string
  attempt?: number | undefined
  delivery?: number | undefined
  usage?: Usage | undefined
}

/** What a call has used counts for its run; and for the budget, if nothing was reserved for it. */
export const spend = (state: RunState, { path, attempt, delivery, usage }: Paid): void => {
  if (!usage) return
  addUsage(state.cost, usage)
  const at = state.unreserved.indexOf(holderOf(path, attempt ?? 0, delivery ?? 0))
  if (at < 0) return
  state.unreserved.splice(at, 1)
  state.uncounted.tokens += usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens + usage.outputTokens
  state.uncounted.microUsd += usage.microUsd ?? 0
}

/** New caps; those that are not named stay. */
export const raiseBudget = (state: RunState, budget: BudgetDefinition): void => {
  const before = state.budget
  const perDay = { ...before?.per_day, ...budget.per_day }
  state.budget = { ...before, ...budget, ...(Object.keys(perDay).length > 0 ? { per_day: perDay } : {}) }
  if (isCapped(before) || !isCapped(state.budget)) return
  // what was spent, and was sent, while nothing of the run was counted
  const { inputTokens, outputTokens, microUsd } = state.cost
  state.uncounted = { tokens: inputTokens + outputTokens, microUsd }
  state.unreserved = [...state.steps.values()].flatMap(untoldDeliveries)
}
