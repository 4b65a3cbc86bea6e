// Which schema a path of an expression begins with: `input`, `steps.<step>.<field>`, an item, `previous`, `output`,
// `args`, `run`. What the checks of fields and of kinds go by.
import type { Definition, Json } from '@stepfleet/contracts'
import { chainOf } from '../../expressions/names.ts'
import { parse } from '../../expressions/parse.ts'
import { holdsExpression, isOneExpression, scan } from '../../expressions/scan.ts'
import { isMap } from '../../expressions/values.ts'
import { bodyOutput, ERROR, INDEX, joinedOutput, RUN_SCHEMA, STEP_FACTS } from './outputs.ts'
import type { Place } from './places.ts'
import { schemaAt } from './schemas.ts'
import { itemName, type Spot, scopesFrom } from './spots.ts'

/** The place an expression is seen from, as far as its names go. */
export type View = Pick<Place, 'spot' | 'from' | 'scope' | 'names' | 'args'>

export interface Known {
  schema: Json
  /** Members of the path that lead to it. */
  taken: number
}

/** What is known of the values of one definition; each step is looked at once. */
export interface Knowledge {
  /** What a path begins with as a place sees it; null: not known. */
  at(view: View, path: readonly string[]): Known | null
}

/** Steps that give on what others give; behind so many nothing is known, which is never wrong. */
const MAX_LINKS = 40

interface Memory {
  readonly definition: Definition
  readonly spots: readonly Spot[]
  readonly bodies: Map<Spot, Json | null>
  readonly items: Map<Spot, Json | null>
  links: number
}

/** Looks once; what is asked for while it is looked at (a circle) is not known. */
const once = (memory: Memory, made: Map<Spot, Json | null>, spot: Spot, make: () => Json | null): Json | null => {
  const known = made.get(spot)
  if (known !== undefined) return known
  if (memory.links >= MAX_LINKS) return null
  made.set(spot, null)
  memory.links += 1
  const schema = make()
  memory.links -= 1
  made.set(spot, schema)
  return schema
}

/** The schema of one expression that is a plain path; null for any other. */
const ofExpression = (memory: Memory, view: View, text: string): Json | null => {
  const found = scan(text)
  const [part] = found.ok ? found.parts : []
  const parsed = part?.kind === 'expression' ? parse(part.code) : null
  const chain = parsed?.ok ? chainOf(parsed.tree) : null
  const known = chain && knownAt(memory, view, chain)
  return known ? schemaAt(known.schema, (chain ?? []).slice(known.taken)) : null
}

/** The schema of what a template renders to; null where it may be anything. */
const ofTemplate = (memory: Memory, view: View, value: Json): Json | null => {
  if (typeof value === 'string') {
    return holdsExpression(value) && isOneExpression(value) ? ofExpression(memory, view, value) : { type: 'string' }
  }
  if (value === null) return null
  if (Array.isArray(value)) return { type: 'array' }
  if (!isMap(value)) return { type: typeof value === 'number' ? 'number' : 'boolean' }
  const entries = Object.entries(value)
  const properties = Object.fromEntries(entries.map(([key, item]) => [key, ofTemplate(memory, view, item) ?? {}]))
  return { type: 'object', properties }
}

/** What a step's own expressions see. */
const viewOf = (spot: Spot): View => ({
  spot,
  from: spot,
  scope: spot.step.steps ? spot.inner : spot.scope,
  names: [...spot.items, ...(spot.items.length > 0 ? ['index'] : []), ...(spot.repeats ? ['previous'] : [])],
})

const bodyOf = (memory: Memory, spot: Spot): Json | null =>
  once(memory, memory.bodies, spot, () =>
    bodyOutput(
      spot.step,
      (value) => ofTemplate(memory, viewOf(spot), value),
      (name) => {
        const inner = memory.spots.find((one) => one.scope === spot.inner && one.name === name)
        return inner ? joinedOutput(inner.step, bodyOf(memory, inner)) : null
      },
    ),
  )

/** The items of an `each` over what a schema describes. */
const itemOf = (memory: Memory, spot: Spot): Json | null =>
  once(memory, memory.items, spot, () => {
    const { each } = spot.step
    const list = typeof each === 'string' ? each : each?.in
    if (typeof list !== 'string' || !isOneExpression(list)) return null
    const owner = spot.scope.owner
    const names = owner ? viewOf(owner).names : []
    const schema = ofExpression(memory, { spot, from: owner, scope: spot.scope, names }, list)
    return schema !== null && isMap(schema) && schema.type === 'array' ? (schema.items ?? null) : null
  })

/** The innermost step of those around a place, itself too, for which something holds. */
const around = (from: Spot | null, holds: (spot: Spot) => boolean): Spot | null => {
  for (let at = from; at; at = at.scope.owner) if (holds(at)) return at
  return null
}

const stepAt = (memory: Memory, view: View, name: string, field: string): Json | null => {
  const scope = view.scope && scopesFrom(view.scope).find(({ names }) => names.includes(name))
  const spot = memory.spots.find((one) => one.name === name && one.scope === scope)
  if (!spot) return null
  return field === 'output' ? joinedOutput(spot.step, bodyOf(memory, spot)) : (STEP_FACTS[field] ?? null)
}

/** What is known of a name beyond `input`, `run` and `steps`. */
const nameAt = (memory: Memory, view: View, name: string): Json | null => {
  if (!view.names.includes(name)) return null
  if (name === 'index') return INDEX
  if (name === 'args') return view.args ?? null
  if (name === 'error') return ERROR
  if (name === 'output') return view.spot && bodyOf(memory, view.spot)
  const holder = around(view.from, ({ step }) =>
    name === 'previous' ? step.repeat !== undefined : itemName(step) === name,
  )
  if (!holder) return null
  return name === 'previous' ? bodyOf(memory, holder) : itemOf(memory, holder)
}

const knownAt = (memory: Memory, view: View, [root = '', ...keys]: readonly string[]): Known | null => {
  const [name, field] = keys
  if (root === 'steps') {
    const schema = name === undefined || field === undefined ? null : stepAt(memory, view, name, field)
    return schema === null ? null : { schema, taken: 3 }
  }
  if (root === 'input') return memory.definition.input ? { schema: memory.definition.input, taken: 1 } : null
  const schema = root === 'run' ? RUN_SCHEMA : nameAt(memory, view, root)
  return schema === null ? null : { schema, taken: 1 }
}

/** What is known of the values of a definition. */
export const knowledgeOf = (definition: Definition, spots: readonly Spot[]): Knowledge => {
  const memory: Memory = { definition, spots, bodies: new Map(), items: new Map(), links: 0 }
  return { at: (view, path) => knownAt(memory, view, path) }
}
