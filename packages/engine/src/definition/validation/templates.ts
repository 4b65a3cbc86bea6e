// Checks every expression: can it be read, are its names, steps and fields known where it stands.

import type { Definition } from '@stepfleet/contracts'
import { nearest } from '@stepfleet/contracts'
import { clip, holdsExpression } from '../../expressions/scan.ts'
import { compileTemplate, type TemplateUse } from '../../expressions.ts'
import type { Findings, Path } from './findings.ts'
import { RESERVED } from './kinds.ts'
import { type Knowledge, knowledgeOf } from './known.ts'
import { RUN } from './outputs.ts'
import { type Place, placesOf, plainTexts } from './places.ts'
import { missingField } from './schemas.ts'
import { ancestorIn, blockSeenFrom, itemName, type ScopeInfo, type Spot, scopesFrom } from './spots.ts'
import { checkKinds } from './types.ts'

const EVERYWHERE = ['input', 'steps', 'run', 'env']
/** What the limit of runs knows, which is judged before the run begins. */
const BEFORE_THE_RUN = ['input', 'run']
const RUN_FIELDS = Object.keys(RUN)
/** Names of the format whose places are not built yet. */
const UNBUILT_NAMES: Readonly<Record<string, string>> = { thread: 'threads' }
/** Names that are known in some places only. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  args: "`args` is only known in a tool of an agent's own",
  previous: '`previous` is only known inside a step with `repeat`',
  output: '`output` is only known in `repeat.until`, `confidence.from` and `compensate`',
  error: '`error` is only known in `fallback`',
}

/** What the checks of one definition share. */
interface Registry {
  spots: readonly Spot[]
  findings: Findings
  knowledge: Knowledge
  /** Step → those of its scope that its expressions mention, and those inside of it do. */
  mentioned: Map<Spot, Set<string>>
}

const checkItem = (registry: Registry, place: Place, path: Path, name: string): void => {
  const { findings } = registry
  const own = place.spot ? itemName(place.spot.step) : null
  const around = place.names.filter((known) => known !== 'index' && place.spot?.items.includes(known))
  if (around.length > 0)
    findings.error(path, 'unknown_name', `the item is called \`${around.at(-1)}\` here`, around.at(-1))
  else if (own !== null)
    findings.error(path, 'item_outside_each', `\`${name}\` is not known yet in \`if\` and \`each\``)
  else findings.error(path, 'item_outside_each', `\`${name}\` is only known inside a step with \`each\``)
}

const checkName = (registry: Registry, place: Place, path: Path, name: string): void => {
  const { findings } = registry
  const known = [...(place.scope === null ? BEFORE_THE_RUN : EVERYWHERE), ...place.names]
  if (known.includes(name) || name === 'secrets') return
  if (name === 'item' || name === 'index') {
    checkItem(registry, place, path, name)
    return
  }
  const unbuilt = UNBUILT_NAMES[name]
  if (unbuilt !== undefined) {
    findings.error(path, 'not_supported_yet', `\`${name}\` belongs to ${unbuilt}, which is not built yet`)
    return
  }
  const isStep = place.scope !== null && scopesFrom(place.scope).some(({ names }) => names.includes(name))
  const message = ELSEWHERE[name] ?? `\`${name}\` is not known here`
  findings.error(path, 'unknown_name', message, isStep ? `steps.${name}.output` : nearest(name, known))
}

/** What a place says instead of its own step, or of a step inside of it: `until` and `compensate` know its output. */
const ownOutput = (place: Place, inner?: string): string | null => {
  if (!place.names.includes('output')) return null
  return inner === undefined || place.spot?.step.output !== undefined ? 'output' : `output.${inner}`
}

/** A step that no scope around a place has: perhaps it stands inside of a block. */
const unknownStep = (registry: Registry, place: Place, scopes: readonly ScopeInfo[], at: Path, name: string): void => {
  const { findings, spots } = registry
  const block = blockSeenFrom(spots, scopes, name)
  if (!block) {
    const known = scopes.flatMap(({ names }) => names)
    findings.error(at, 'unknown_step', `there is no step \`${name}\``, nearest(name, known))
    return
  }
  const own = block === place.spot ? ownOutput(place, name) : null
  const seen = own ?? `steps.${block.name}.output`
  const message = `\`${name}\` stands inside of \`${block.name}\`: outside of it only \`${seen}\` is known`
  findings.error(at, 'unknown_step', message, seen)
}

/** The scope that a place means by a step's name, or null; what it waits for is noted. */
const resolve = (registry: Registry, place: Place, path: Path, name: string): ScopeInfo | null => {
  if (!place.scope) {
    registry.findings.error(path, 'unknown_name', 'no step is known here: this is judged before the run begins')
    return null
  }
  const scopes = scopesFrom(place.scope)
  const scope = scopes.find(({ names }) => names.includes(name)) ?? null
  if (!scope) unknownStep(registry, place, scopes, path, name)
  if (!scope || !place.spot || !place.orders || scope === place.spot.inner) return scope
  const waiting = ancestorIn(place.spot, scope)
  if (waiting.name !== name) {
    const known = registry.mentioned.get(waiting) ?? new Set()
    registry.mentioned.set(waiting, known.add(name))
  } else if (waiting === place.spot) {
    registry.findings.error(path, 'needs_self', `step \`${name}\` cannot wait for itself`, ownOutput(place))
  } else {
    registry.findings.error(
      path,
      'needs_self',
      `\`${place.spot.name}\` stands inside of \`${name}\` and cannot wait for it`,
    )
  }
  return scope
}

/** Names whose values the step is given; others are what steps give. */
const isGiven = (place: Place, root: string): boolean =>
  ['input', 'args'].includes(root) || (place.spot?.items.includes(root) ?? false)

const HOLDERS = { text: 'text', number: 'a number', boolean: 'true or false' } as const

/** Says that a value has no such member, if that is certain. */
const checkMember = (registry: Registry, place: Place, path: Path, keys: readonly string[], isAsked: boolean): void => {
  const known = registry.knowledge.at(place, keys)
  const missing = known && missingField(known.schema, keys.slice(known.taken))
  if (!known || !missing) return
  const [root = '', name = ''] = keys
  const given = isGiven(place, root)
  const where = [...keys.slice(0, known.taken), ...missing.before].join('.')
  const { findings } = registry
  const code = given ? 'unknown_input_field' : 'unknown_output_field'
  // `has()` may ask for what a schema leaves open, but not for what looks mistyped
  if (isAsked && (missing.holder !== 'map' || nearest(missing.name, missing.known) === null)) return
  if (missing.holder === 'map') {
    const message = `\`${where}\` has no \`${missing.name}\`${given ? ' in its schema' : ''}`
    findings.error(path, code, message, nearest(missing.name, missing.known))
  } else if (missing.holder === 'list') {
    findings.error(path, code, `\`${where}\` is a list: \`${where}[0]\` is its first item`)
  } else {
    const scopes = place.scope ? scopesFrom(place.scope) : []
    const step = registry.spots.find((spot) => spot.name === name && scopes.includes(spot.scope))?.step
    const isAnswer = root === 'steps' && keys[2] === 'output' && (step?.llm ?? step?.agent) && !missing.before.length
    const hint = isAnswer ? '; an output schema would give it some' : ''
    findings.error(path, code, `\`${where}\` is ${HOLDERS[missing.holder]}, it has no members${hint}`)
  }
}

const checkPaths = (registry: Registry, place: Place, path: Path, use: TemplateUse): void => {
  // `a.b` and `a.b.c` of one expression would report one typo twice
  const seen = new Set<string>()
  for (const keys of use.paths) {
    const [root = '', second] = keys
    if (second === undefined || seen.has(keys.join('.'))) continue
    seen.add(keys.join('.'))
    if (root === 'run' && !RUN_FIELDS.includes(second)) {
      const message = `\`run\` has ${RUN_FIELDS.join(', ')}, not \`${second}\``
      registry.findings.error(path, 'unknown_name', message, nearest(second, RUN_FIELDS))
    } else checkMember(registry, place, path, keys, use.asked.has(keys.join('.')))
  }
}

const checkVariables = (registry: Registry, place: Place, path: Path, use: TemplateUse): void => {
  for (const variable of use.variables) {
    if (!place.names.includes(variable)) continue
    const message = `the variable \`${variable}\` hides the \`${variable}\` of this step; choose another`
    registry.findings.error(path, 'shadowed_name', message)
  }
}

const inside = (place: Place, at: string): Path => (at === '' ? place.path : [...place.path, at])

const checkPlace = (registry: Registry, place: Place): void => {
  const compiled = compileTemplate(place.source, place.options)
  if (!compiled.ok) {
    for (const { at, code, message, suggestion } of compiled.errors) {
      registry.findings.error(inside(place, at), code, message, suggestion)
    }
  }
  for (const use of compiled.uses) {
    const path = inside(place, use.at)
    for (const name of use.names) checkName(registry, place, path, name)
    for (const step of new Set(use.mentions.map((mention) => mention.step))) resolve(registry, place, path, step)
    checkPaths(registry, place, path, use)
    if (compiled.ok) checkKinds(registry, place, path, use.expression)
    checkVariables(registry, place, path, use)
  }
}

const TAKEN = [...EVERYWHERE, 'index', 'args', 'secrets', 'previous', 'output', 'error', 'thread']

/** `each.as` must not hide a name that is known everywhere, nor the item of an `each` around it. */
const checkItemNames = (registry: Registry): void => {
  for (const { step, path, items } of registry.spots) {
    const as = itemName(step)
    if (as === null) continue
    const at = typeof step.each === 'object' && step.each.as !== undefined ? ['each', 'as'] : ['each']
    if (RESERVED.has(as)) {
      const message = `\`${as}\` is a word of the expression language`
      registry.findings.error([...path, 'each', 'as'], 'invalid_value', message, `${as}_item`)
    } else if (TAKEN.includes(as)) {
      registry.findings.error([...path, 'each', 'as'], 'shadowed_name', `\`${as}\` already means something else`)
    } else if (items.slice(0, -1).includes(as)) {
      const message = `an \`each\` around this one calls its item \`${as}\` too; give one of them a name by \`as\``
      registry.findings.error([...path, ...at], 'shadowed_name', message)
    }
  }
}

/** Checks all expressions. Gives what each step waits for because of them. */
export const checkTemplates = (
  definition: Definition,
  top: ScopeInfo,
  spots: readonly Spot[],
  findings: Findings,
): ReadonlyMap<Spot, ReadonlySet<string>> => {
  const knowledge = knowledgeOf(definition, spots)
  const registry: Registry = { spots, findings, knowledge, mentioned: new Map() }
  checkItemNames(registry)
  for (const place of placesOf(definition, top, spots)) checkPlace(registry, place)
  for (const { path, text } of plainTexts(definition, spots)) {
    if (!holdsExpression(text)) continue
    findings.error(
      path,
      'bad_expression',
      `\`${clip(text)}\`: no expression can stand here, the text is taken as it is`,
    )
  }
  return registry.mentioned
}
