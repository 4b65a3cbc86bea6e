// New caps of a run or of an agent, and another try for what the old ones stopped.
import type { CommandOf, Verdict } from '@stepfleet/contracts'
import { agentBudget } from '../decide/budget.ts'
import { closeCase } from '../decide/failure-policy.ts'
import { isInside } from '../state/paths.ts'
import { isEnded, type StepState } from '../state/state.ts'
import { emit, planOf, type Turn } from '../turn.ts'
import { applied, refused, refuseEnded } from './verdict.ts'

type Raise = CommandOf<'budget'>

const modelsOf = (turn: Turn, { node }: StepState): readonly string[] => {
  const { body } = planOf(turn.plan, node)
  return body.kind === 'agent' ? [body.model, ...body.fallback] : []
}

/** Only an agent has a budget of its own; a cap that nothing asks for would be ignored. */
const refuseAgent = (turn: Turn, path: string, { usd, per_day: perDay }: Raise['budget']): Verdict | null => {
  const step = turn.state.steps.get(path)
  if (!step) return refused('unknown_step', `the run has no step ${path}`)
  if (agentBudget(turn, path) === null)
    return refused('bad_request', `step ${path} has no budget of its own; it spends that of the run`)
  if (isEnded(step)) return refused('step_ended', `step ${path} is ${step.phase}`)
  const unpriced =
    usd === undefined ? undefined : modelsOf(turn, step).find((model) => !turn.spending.prices.models[model])
  if (unpriced !== undefined)
    return refused('bad_request', `no price is known for ${unpriced}: a budget in dollars cannot hold for it`)
  return perDay ? refused('bad_request', 'only a workflow has a budget per day') : null
}

export const acceptBudget = (turn: Turn, command: Raise): Verdict => {
  const { budget, by, path: agent } = command
  const refusal = refuseEnded(turn) ?? (agent === undefined ? null : refuseAgent(turn, agent, budget))
  if (refusal) return refusal
  const why = { by: by.id, ...(command.reason === undefined ? {} : { reason: command.reason }) }
  if (agent === undefined) emit(turn, { type: 'run.budget_raised', budget, ...why })
  else {
    const { usd, tokens } = budget
    emit(turn, { type: 'step.budget_raised', path: agent, budget: { usd, tokens }, ...why })
  }
  for (const { path, case: open } of [...turn.state.steps.values()]) {
    if (open?.reason !== 'budget_exceeded' || (agent !== undefined && !isInside(path, agent))) continue
    closeCase(turn, path, { action: 'retry', by: by.id, reason: command.reason })
    emit(turn, { type: 'step.retried', path, ...why })
  }
  return applied(turn)
}
