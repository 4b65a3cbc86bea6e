// Checks every expression: can it be read, are its names, steps and fields known where it stands.

import type { Definition, StepDefinition } from '@stepfleet/contracts'
import { nearest } from '@stepfleet/contracts'
import { clip, holdsExpression } from '../../expressions/scan.ts'
import { compileTemplate, type TemplateUse } from '../../expressions.ts'
import type { Findings, Path } from './findings.ts'
import { knownOutput } from './outputs.ts'
import { itemName, type Place, placesOf, plainTexts } from './places.ts'
import { missingField } from './schemas.ts'

const EVERYWHERE = ['input', 'steps', 'run', 'env']
const RUN_FIELDS = ['id', 'namespace', 'workflow']
/** Names of the format whose places are not built yet. */
const UNBUILT_NAMES: Readonly<Record<string, string>> = {
  previous: 'repeat',
  output: 'confidence',
  thread: 'threads',
}

/** What the checks of one definition share. */
interface Registry {
  definition: Definition
  /** Every step of the raw definition, also those that could not be looked at. */
  stepNames: readonly string[]
  findings: Findings
}

const checkName = (registry: Registry, place: Place, path: Path, name: string): void => {
  const { definition, stepNames, findings } = registry
  const known = [...EVERYWHERE, ...place.names]
  if (known.includes(name) || name === 'secrets') return
  if (name === 'item' || name === 'index') {
    const step = place.step === null ? undefined : definition.steps[place.step]
    const as = step ? itemName(step) : null
    const message = `\`${name}\` is only known inside a step with \`each\``
    if (as === null) findings.error(path, 'item_outside_each', message)
    else if (place.names.length === 0)
      findings.error(path, 'item_outside_each', `\`${name}\` is not known yet in \`if\` and \`each\``)
    else findings.error(path, 'unknown_name', `the item is called \`${as}\` here`, as)
    return
  }
  const unbuilt = UNBUILT_NAMES[name]
  if (unbuilt !== undefined) {
    findings.error(path, 'not_supported_yet', `\`${name}\` belongs to ${unbuilt}, which is not built yet`)
    return
  }
  const step = stepNames.includes(name) ? `steps.${name}.output` : null
  const message =
    name === 'args' ? "`args` is only known in the `with` of an agent's tool" : `\`${name}\` is not known here`
  findings.error(path, 'unknown_name', message, step ?? nearest(name, known))
}

const checkMentions = (registry: Registry, place: Place, path: Path, use: TemplateUse): void => {
  const { stepNames, findings } = registry
  for (const { step } of use.mentions) {
    if (step === place.step) findings.error(path, 'needs_self', `step \`${step}\` cannot wait for itself`)
    else if (!stepNames.includes(step)) {
      findings.error(path, 'unknown_step', `there is no step \`${step}\``, nearest(step, stepNames))
    }
  }
}

const checkInput = (registry: Registry, path: Path, keys: readonly string[]): void => {
  const schema = registry.definition.input
  const missing = schema ? missingField(schema, keys) : null
  if (!missing) return
  const where = ['input', ...missing.before].join('.')
  const message = `\`${where}\` has no \`${missing.name}\` in its schema`
  registry.findings.error(path, 'unknown_input_field', message, nearest(missing.name, missing.known))
}

const checkOutput = (registry: Registry, path: Path, name: string, keys: readonly string[]): void => {
  const [field = '', ...rest] = keys
  const step: StepDefinition | undefined = registry.definition.steps[name]
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

const checkPaths = (registry: Registry, path: Path, use: TemplateUse): void => {
  // `a.b` and `a.b.c` of one expression would report one typo twice
  const seen = new Set<string>()
  for (const keys of use.paths) {
    const [root = '', second, ...rest] = keys
    if (second === undefined || seen.has(keys.join('.'))) continue
    seen.add(keys.join('.'))
    if (root === 'input') checkInput(registry, path, keys.slice(1))
    else if (root === 'steps') checkOutput(registry, path, second, rest)
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

const checkPlace = (registry: Registry, place: Place): string[] => {
  const compiled = compileTemplate(place.source, place.options)
  if (!compiled.ok) {
    for (const { at, code, message, suggestion } of compiled.errors) {
      registry.findings.error(inside(place, at), code, message, suggestion)
    }
  }
  for (const use of compiled.uses) {
    const path = inside(place, use.at)
    for (const name of use.names) checkName(registry, place, path, name)
    checkMentions(registry, place, path, use)
    checkPaths(registry, path, use)
    checkVariables(registry, place, path, use)
  }
  return compiled.uses.flatMap((use) => use.mentions.map((mention) => mention.step))
}

/** `each.as` must not hide a name that is known everywhere. */
const checkItemNames = (registry: Registry): void => {
  for (const [name, step] of Object.entries(registry.definition.steps)) {
    const as = itemName(step)
    if (as === null || ![...EVERYWHERE, 'index', 'args', 'secrets'].includes(as)) continue
    registry.findings.error(['steps', name, 'each', 'as'], 'shadowed_name', `\`${as}\` already means something else`)
  }
}

/**
 * Checks all expressions. Gives the steps that each step mentions, for the order of the graph.
 * `stepNames` are all steps of the raw definition.
 */
export const checkTemplates = (
  definition: Definition,
  stepNames: readonly string[],
  findings: Findings,
): ReadonlyMap<string, ReadonlySet<string>> => {
  const registry: Registry = { definition, stepNames, findings }
  const mentioned = new Map<string, Set<string>>()
  checkItemNames(registry)
  for (const place of placesOf(definition)) {
    const steps = checkPlace(registry, place)
    if (place.step === null) continue
    const known = mentioned.get(place.step) ?? new Set()
    for (const step of steps) known.add(step)
    mentioned.set(place.step, known)
  }
  for (const { path, text } of plainTexts(definition)) {
    if (!holdsExpression(text)) continue
    findings.error(
      path,
      'bad_expression',
      `\`${clip(text)}\`: no expression can stand here, the text is taken as it is`,
    )
  }
  return mentioned
}
