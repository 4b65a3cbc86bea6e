// Checks of a budget: a money budget needs a price for every model, or it would hold for none of its calls.
import { type Definition, nearest } from '@stepfleet/contracts'
import type { Findings, Path } from './findings.ts'
import type { Spot } from './spots.ts'

interface ModelBody {
  model: string
  fallback?: string[] | undefined
}

/** Every model that a step may call, with its place. */
const modelsOf = ({ step, path }: Spot): { path: Path; model: string }[] => {
  const bodies: [Path, ModelBody | undefined][] = [
    [['llm'], step.llm],
    [['agent'], step.agent],
    [['compensate', 'llm'], step.compensate?.llm],
    [['fallback', 'llm'], step.fallback?.llm],
    [['fallback', 'agent'], step.fallback?.agent],
  ]
  return bodies.flatMap(([at, body]) => {
    if (!body) return []
    const others = (body.fallback ?? []).map((model, index) => ({ path: [...path, ...at, 'fallback', index], model }))
    return [{ path: [...path, ...at, 'model'], model: body.model }, ...others]
  })
}

const NO_CAP = 'a budget has `usd`, `tokens` or both'

export const checkBudget = (
  { budget }: Definition,
  spots: readonly Spot[],
  priced: readonly string[],
  findings: Findings,
): void => {
  const isWrong = findings.errors.some(({ path }) => path.startsWith('budget'))
  if (budget && !isWrong && Object.keys(budget).length === 0) findings.error(['budget'], 'missing_field', NO_CAP)
  if (budget?.per_day && !isWrong && Object.keys(budget.per_day).length === 0)
    findings.error(['budget', 'per_day'], 'missing_field', NO_CAP)
  if (budget?.usd === undefined && budget?.per_day?.usd === undefined) return
  for (const { path, model } of spots.flatMap(modelsOf)) {
    if (priced.includes(model)) continue
    const message = `no price is known for ${model}: a budget in dollars cannot hold for it; cap tokens, or give its price`
    findings.error(path, 'unpriced_model', message, nearest(model, priced))
  }
}
