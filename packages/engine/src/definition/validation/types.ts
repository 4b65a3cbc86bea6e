// Checks the kinds of expressions against what is known of their names: `input.topic > 3` where topic is text.

import { checkTypes, type Kind, type TypeEnvironment } from '../../expressions/types.ts'
import { isOneExpression } from '../../expressions.ts'
import type { Findings, Path } from './findings.ts'
import type { Knowledge } from './known.ts'
import type { Place } from './places.ts'
import { schemaAt } from './schemas.ts'

/** What a place takes: conditions are true or false, `each` goes over a list. */
const wantedAt = ({ path, source }: Place): Kind => {
  // text around it is reported as such; a list literal of items may hold expressions of any kind
  if (typeof source !== 'string' || !isOneExpression(source)) return 'any'
  const [last, before] = [path.at(-1), path.at(-2)]
  if (last === 'until' && before === 'repeat') return 'boolean'
  if (last === 'if') return 'boolean'
  return last === 'each' || (last === 'in' && before === 'each') ? 'list' : 'any'
}

/** Checks one expression of a place; `path` is where it stands. */
export const checkKinds = (
  about: { knowledge: Knowledge; findings: Findings },
  place: Place,
  path: Path,
  expression: string,
): void => {
  const environment: TypeEnvironment = {
    schemaOf: (chain) => {
      const known = about.knowledge.at(place, chain)
      return known && schemaAt(known.schema, chain.slice(known.taken))
    },
  }
  for (const message of checkTypes(expression, environment, wantedAt(place)))
    about.findings.error(path, 'type_mismatch', message)
}
