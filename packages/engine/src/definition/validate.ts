// Registration: everything that is wrong with a definition, said at once and in plain words.
import { type Definition, defaultPrices, type Json, LIMITS, type ProblemError } from '@stepfleet/contracts'
import { checkBudget } from './validation/budget.ts'
import { type Findings, newFindings } from './validation/findings.ts'
import { checkGraph } from './validation/graph.ts'
import { checkRawSteps } from './validation/kinds.ts'
import { checkModifiers } from './validation/modifiers.ts'
import { copyJson } from './validation/raw.ts'
import { checkSchema } from './validation/schemas.ts'
import { checkShape } from './validation/shape.ts'
import { spotsOf } from './validation/spots.ts'
import { checkBody } from './validation/steps.ts'
import { checkTemplates } from './validation/templates.ts'
import { refuseUnsupported } from './validation/unsupported.ts'

export type Validation =
  | { ok: true; definition: Definition; warnings: ProblemError[] }
  | { ok: false; errors: ProblemError[] }

const checkWhole = (definition: Definition, findings: Findings): void => {
  if (definition.input) checkSchema(definition.input, ['input'], findings)
  const labels = Object.keys(definition.labels ?? {}).length
  if (labels > LIMITS.labels) {
    findings.error(['labels'], 'invalid_value', `${labels} labels; at most ${LIMITS.labels} are allowed`)
  }
}

/** Everything that looks at the definition as a whole; `definition` is what its shape left of `original`. */
const checkMeaning = (definition: Definition, original: Json, priced: readonly string[], findings: Findings): void => {
  const kinds = checkRawSteps(original, findings)
  checkWhole(definition, findings)
  if (kinds === null) return
  const { top, spots } = spotsOf(definition, original)
  for (const spot of spots) {
    if (!kinds.has(spot.path.join('.'))) continue
    checkBody(definition, spot, findings)
    checkModifiers(definition, spot, findings)
  }
  const mentioned = checkTemplates(definition, top, spots, findings)
  checkGraph(spots, mentioned, findings)
  checkBudget(definition, spots, priced, findings)
}

/**
 * Validates a definition as a user wrote it. All errors come at once, each with its dotted place
 * (`steps.report.llm.model`), a stable code, a plain message and, where there is one, the nearest right
 * spelling. A definition that passes can be compiled. `priced`: the models whose price is known.
 */
export const validate = (raw: unknown, priced: readonly string[] = Object.keys(defaultPrices.models)): Validation => {
  const findings = newFindings()
  const copy = copyJson(raw, [], findings)
  // what is cut out while checking must not change what the raw steps are judged by
  const original = copyJson(raw, [], newFindings())
  if (!copy.ok || !original.ok) return { ok: false, errors: findings.errors }
  refuseUnsupported(copy.value, findings)
  const definition = checkShape(copy.value, findings)
  if (definition) checkMeaning(definition, original.value, priced, findings)
  if (findings.errors.length > 0 || !definition) return { ok: false, errors: findings.errors }
  return { ok: true, definition, warnings: findings.warnings }
}
