// Checks every expression: can it be read, are its names, steps and fields known where it stands.

import type { Definition } from '@stepfleet/contracts'
import { nearest } from '@stepfleet/contracts'
import { clip, holdsExpression } from '../../expressions/scan.ts'
import { compileTemplate, type TemplateUse } from '../../expressions.ts'
import type { Findings, Path } from './findings.ts'
import { knownOutput } from './outputs.ts'
import { type Place, placesOf, plainTexts } from './places.ts'
import { missingField } from './schemas.ts'
import { ancestorIn, itemName, type ScopeInfo, type Spot, scopesFrom } from './spots.ts'

const EVERYWHERE = ['input', 'steps', 'run', 'env']
const RUN_FIELDS = ['id', 'namespace', 'workflow', 'startedAt', 'now']
/** Names of the format whose places are not built yet. */
const UNBUILT_NAMES: Readonly<Record<string, string>> = { thread: 'threads' }
/** Names that are known in some places only. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  args: "`args` is only known in a tool of an agent's own",
  previous: '`previous` is only known inside a step with `repeat`',
  output: '`output` is only known in `repeat.until` and in `compensate`',
}

/** What the checks of one definition share. */
interface Registry {
  definition: Definition
  spots: readonly Spot[]
  findings: Findings
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
  const known = [...EVERYWHERE, ...place.names].filter((one) => one !== 'steps' || place.scope !== null)
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

/** A step that no scope around a place has: perhaps it stands inside of a block. */
const unknownStep = (registry: Registry, scopes: readonly ScopeInfo[], path: Path, name: string): void => {
  const { findings, spots } = registry
  const inside = spots.find((spot) => spot.name === name && spot.scope.owner)?.scope.owner
  const known = scopes.flatMap(({ names }) => names)
  if (!inside) {
    findings.error(path, 'unknown_step', `there is no step \`${name}\``, nearest(name, known))
    return
  }
  const message = `\`${name}\` stands inside of \`${inside.name}\`: outside of it only \`steps.${inside.name}.output\` is known`
  findings.error(path, 'unknown_step', message, `steps.${inside.name}.output`)
}

/** The scope that a place means by a step's name, or null; what it waits for is noted. */
const resolve = (registry: Registry, place: Place, path: Path, name: string): ScopeInfo | null => {
  if (!place.scope) {
    registry.findings.error(path, 'unknown_name', 'no step is known here: this is judged before the run begins')
    return null
  }
  const scopes = scopesFrom(place.scope)
  const scope = scopes.find(({ names }) => names.includes(name)) ?? null
  if (!scope) unknownStep(registry, scopes, path, name)
  if (!scope || !place.spot || !place.orders || scope === place.spot.inner) return scope
  const waiting = ancestorIn(place.spot, scope)
  if (waiting.name !== name) {
    const known = registry.mentioned.get(waiting) ?? new Set()
    registry.mentioned.set(waiting, known.add(name))
  } else if (waiting === place.spot) {
    registry.findings.error(path, 'needs_self', `step \`${name}\` cannot wait for itself`)
  } else {
    registry.findings.error(
      path,
      'needs_self',
      `\`${place.spot.name}\` stands inside of \`${name}\` and cannot wait for it`,
    )
  }
  return scope
}

const checkInput = (registry: Registry, path: Path, keys: readonly string[]): void => {
  const schema = registry.definition.input
  const missing = schema ? missingField(schema, keys) : null
  if (!missing) return
  const where = ['input', ...missing.before].join('.')
  const message = `\`${where}\` has no \`${missing.name}\` in its schema`
  registry.findings.error(path, 'unknown_input_field', message, nearest(missing.name, missing.known))
}

const checkOutput = (
  registry: Registry,
  place: Place,
  path: Path,
  way: { name: string; keys: readonly string[] },
): void => {
  const { name, keys } = way
  const [field = '', ...rest] = keys
  const scope = place.scope && scopesFrom(place.scope).find(({ names }) => names.includes(name))
  const step = registry.spots.find((spot) => spot.name === name && spot.scope === scope)?.step
  const known = step ? knownOutput(step, field) : null
  const { findings } = registry
  const where = `steps.${name}.${field}`
  if (known === null || rest.length === 0) return
  if (known.kind === 'text') {
    const message = `\`${where}\` is text, it has no members; an output schema would give it some`
    findings.error(path, 'unknown_output_field', field === 'output' ? message : `\`${where}\` is text`)
  } else if (known.kind === 'list') {
    findings.error(path, 'unknown_output_field', `\`${where}\` is the list of all items: \`${where}[0]\` is the first`)
  } else {
    const missing = missingField(known.schema, rest)
    if (!missing) return
    const message = `\`${[where, ...missing.before].join('.')}\` has no \`${missing.name}\``
    findings.error(path, 'unknown_output_field', message, nearest(missing.name, missing.known))
  }
}

const checkPaths = (registry: Registry, place: Place, path: Path, use: TemplateUse): void => {
  // `a.b` and `a.b.c` of one expression would report one typo twice
  const seen = new Set<string>()
  for (const keys of use.paths) {
    const [root = '', second, ...rest] = keys
    if (second === undefined || seen.has(keys.join('.'))) continue
    seen.add(keys.join('.'))
    if (root === 'input') checkInput(registry, path, keys.slice(1))
    else if (root === 'steps') checkOutput(registry, place, path, { name: second, keys: rest })
    else if (root === 'run' && !RUN_FIELDS.includes(second)) {
      const message = `\`run\` has ${RUN_FIELDS.join(', ')}, not \`${second}\``
      registry.findings.error(path, 'unknown_name', message, nearest(second, RUN_FIELDS))
    }
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
    checkVariables(registry, place, path, use)
  }
}

const TAKEN = [...EVERYWHERE, 'index', 'args', 'secrets', 'previous', 'output']

/** `each.as` must not hide a name that is known everywhere, nor the item of an `each` around it. */
const checkItemNames = (registry: Registry): void => {
  for (const { step, path, items } of registry.spots) {
    const as = itemName(step)
    if (as === null) continue
    const at = typeof step.each === 'object' && step.each.as !== undefined ? ['each', 'as'] : ['each']
    if (TAKEN.includes(as)) {
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
  const registry: Registry = { definition, spots, findings, mentioned: new Map() }
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
