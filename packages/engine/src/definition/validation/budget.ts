// Checks of a budget: a money budget needs a price for every model, or it would hold for none of its calls.
import { type Definition, nearest, type RunBudget } from '@stepfleet/contracts'
import type { Findings, Path } from './findings.ts'
import type { Spot } from './spots.ts'

interface ModelBody {
  model: string
  fallback?: string[] | undefined
  budget?: RunBudget | undefined
}

interface Caller {
  path: Path
  body: ModelBody
}

/** Whatever of a step calls models, with its place. */
const callersOf = ({ step, path }: Spot): Caller[] => {
  const bodies: [Path, ModelBody | undefined][] = [
    [['llm'], step.llm],
    [['agent'], step.agent],
    [['compensate', 'llm'], step.compensate?.llm],
    [['fallback', 'llm'], step.fallback?.llm],
    [['fallback', 'agent'], step.fallback?.agent],
  ]
  return bodies.flatMap(([at, body]) => (body ? [{ path: [...path, ...at], body }] : []))
}

const modelsOf = ({ path, body: { model, fallback = [] } }: Caller): { path: Path; model: string }[] => [
  { path: [...path, 'model'], model },
  ...fallback.map((other, index) => ({ path: [...path, 'fallback', index], model: other })),
]

const NO_CAP = 'a budget has `usd`, `tokens` or both'

/** Says that a budget caps nothing, unless what it has instead is wrong already. */
const checkCaps = (path: Path, budget: object | undefined, findings: Findings): void => {
  if (!budget || Object.keys(budget).length > 0) return
  const inside = `${path.join('.')}.`
  if (!findings.errors.some((error) => error.path.startsWith(inside))) findings.error(path, 'missing_field', NO_CAP)
}

export const checkBudget = (
  { budget }: Definition,
  spots: readonly Spot[],
  priced: readonly string[],
  findings: Findings,
): void => {
  const callers = spots.flatMap(callersOf)
  checkCaps(['budget'], budget, findings)
  checkCaps(['budget', 'per_day'], budget?.per_day, findings)
  for (const { path, body } of callers) checkCaps([...path, 'budget'], body.budget, findings)
  const isInDollars = (budget?.usd ?? budget?.per_day?.usd) !== undefined
  const capped = callers.filter(({ body }) => isInDollars || body.budget?.usd !== undefined)
  for (const { path, model } of capped.flatMap(modelsOf)) {
    if (priced.includes(model)) continue
    const message = `no price is known for ${model}: a budget in dollars cannot hold for it; cap tokens, or give its price`
    findings.error(path, 'unpriced_model', message, nearest(model, priced))
  }
}
