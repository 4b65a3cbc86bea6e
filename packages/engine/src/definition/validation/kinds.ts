// Checks of raw steps: exactly one kind each, and no modifier where it means nothing.
import { COMPENSATE_KINDS, FALLBACK_KINDS, type Json, LIMITS, STEP_KINDS, type StepKind } from '@stepfleet/contracts'
import { isMap, type JsonMap } from '../../expressions/values.ts'
import { isMistypedKind, unknownField } from './fields.ts'
import type { Findings, Path } from './findings.ts'
import { valueAt } from './raw.ts'
import { rawSteps } from './spots.ts'

/** Words of CEL: a step or item of such a name could not be mentioned. */
export const RESERVED = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
)

const MODIFIERS = [
  'retry',
  'timeout',
  'effect',
  'gate',
  'deadline',
  'priority',
  'concurrency',
  'rate',
  'cache',
  'compensate',
  'fallback',
  'confidence',
] as const
type Modifier = (typeof MODIFIERS)[number]
/** Of what gives an answer that may be undone, done in another way, or doubted. */
const ANSWERS = ['compensate', 'fallback', 'confidence'] as const

/** Which of these modifiers mean something on which kind. */
const TAKES: Readonly<Record<StepKind, readonly Modifier[]>> = {
  llm: MODIFIERS,
  // its turns and tools are steps of their own: their effect and gate stand at the tools
  agent: ['retry', 'timeout', 'deadline', 'priority', 'concurrency', 'rate', ...ANSWERS],
  tool: MODIFIERS,
  approval: ['deadline'],
  wait: ['deadline'],
  signal: ['deadline', 'fallback'],
  run: ['deadline', 'priority', 'concurrency', 'rate', ...ANSWERS],
  steps: ['deadline', 'concurrency', 'rate', 'compensate', 'fallback'],
  value: ['fallback'],
}

/** Where people meant to put a modifier that a kind does not take. */
const INSTEAD: Readonly<Record<string, string>> = {
  'agent.effect': 'agent.tools.<tool>.effect',
  'agent.gate': 'agent.tools.<tool>.gate',
  'approval.timeout': 'approval.expires',
  'signal.timeout': 'signal.timeout',
  'steps.timeout': 'deadline',
  'run.timeout': 'deadline',
  'steps.confidence': 'steps.<step>.confidence',
}

/** The kind of a raw step; reports none or several. */
const checkKind = (raw: JsonMap, path: Path, findings: Findings): StepKind | null => {
  const kinds = STEP_KINDS.filter((kind) => Object.hasOwn(raw, kind))
  if (kinds.length > 1) {
    findings.error(path, 'several_kinds', `a step has exactly one kind, this one has ${kinds.join(' and ')}`)
  } else if (kinds.length === 0 && !Object.keys(raw).some(isMistypedKind)) {
    findings.error(path, 'no_kind', `a step needs one of ${STEP_KINDS.join(', ')}`)
  }
  return kinds.length === 1 ? (kinds[0] ?? null) : null
}

/** Modifiers where they mean nothing would be accepted and ignored. */
const checkModifiers = (raw: JsonMap, kind: StepKind, path: Path, findings: Findings): void => {
  for (const modifier of MODIFIERS) {
    if (!Object.hasOwn(raw, modifier) || TAKES[kind].includes(modifier)) continue
    const message = `\`${modifier}\` means nothing on a step of kind ${kind}`
    findings.error([...path, modifier], 'misplaced_modifier', message, INSTEAD[`${kind}.${modifier}`])
  }
  if (Object.hasOwn(raw, 'with') && kind !== 'tool') {
    findings.error([...path, 'with'], 'misplaced_modifier', '`with` belongs to a tool step')
  }
  if (Object.hasOwn(raw, 'output') && kind !== 'steps') {
    const instead = kind === 'llm' || kind === 'agent' ? `${kind}.output` : null
    findings.error([...path, 'output'], 'misplaced_modifier', '`output` belongs to a block of `steps`', instead)
  }
}

const ON_TASKS = ['retry', 'timeout', 'effect'] as const

type AsideKind = (typeof FALLBACK_KINDS)[number]

/** Which of these mean something on what is done beside a step. */
const ASIDE_TAKES: Readonly<Record<AsideKind, readonly string[]>> = {
  llm: ON_TASKS,
  tool: [...ON_TASKS, 'gate'],
  agent: ['retry', 'timeout'],
  approval: [],
  run: [],
  value: [],
}

/** What undoes a step, or is done in its place, has one kind too, of fewer. */
const checkAside = (
  raw: Json | undefined,
  path: Path,
  { what, among }: { what: string; among: readonly AsideKind[] },
  findings: Findings,
): void => {
  if (raw === undefined || !isMap(raw)) return
  const kinds = among.filter((kind) => Object.hasOwn(raw, kind))
  const [kind] = kinds
  if (kinds.length > 1)
    findings.error(path, 'several_kinds', `${what} is of exactly one kind, here are ${kinds.join(' and ')}`)
  const isMistyped = Object.keys(raw).some((key) => among.some((one) => one === unknownField(path, key).suggestion))
  if (kind === undefined && !isMistyped) findings.error(path, 'no_kind', `${what} is one of ${among.join(', ')}`)
  if (kind === undefined || kinds.length > 1) return
  if (Object.hasOwn(raw, 'with') && kind !== 'tool')
    findings.error([...path, 'with'], 'misplaced_modifier', '`with` belongs to a tool')
  for (const modifier of [...ON_TASKS, 'gate']) {
    if (!Object.hasOwn(raw, modifier) || ASIDE_TAKES[kind].includes(modifier)) continue
    const message = `\`${modifier}\` means nothing on ${kind === 'run' ? 'a child workflow' : `a step of kind ${kind}`}`
    findings.error([...path, modifier], 'misplaced_modifier', message)
  }
}

const UNDO = { what: 'what undoes a step', among: COMPENSATE_KINDS }
const IN_PLACE = { what: 'what is done in place of a step', among: FALLBACK_KINDS }

/** A scope is a map of at least one step. */
const checkScope = (root: Json, path: Path, findings: Findings): void => {
  const steps = valueAt(root, path)
  if (steps === undefined || !isMap(steps) || Object.keys(steps).length > 0) return
  const what = path.length === 1 ? 'a workflow' : 'a block'
  findings.error(path, 'empty_steps', `${what} needs at least one step`)
}

/**
 * Checks what the raw steps of all depths are. Gives the kinds of those that have exactly one, by their dotted places;
 * null when there are too many to be looked at.
 */
export const checkRawSteps = (root: Json, findings: Findings): ReadonlyMap<string, StepKind> | null => {
  const kinds = new Map<string, StepKind>()
  const steps = rawSteps(root)
  checkScope(root, ['steps'], findings)
  if (steps.length > LIMITS.stepsPerDefinition) {
    const message = `${steps.length} steps; a definition has at most ${LIMITS.stepsPerDefinition}, nested ones too`
    findings.error(['steps'], 'too_many_steps', message)
    return null
  }
  for (const { path, raw } of steps) {
    const name = String(path.at(-1))
    if (RESERVED.has(name))
      findings.error(path, 'invalid_value', `\`${name}\` is a word of the expression language`, `${name}_step`)
    if (Object.hasOwn(raw, 'steps')) checkScope(root, [...path, 'steps'], findings)
    checkAside(raw.compensate, [...path, 'compensate'], UNDO, findings)
    checkAside(raw.fallback, [...path, 'fallback'], IN_PLACE, findings)
    const kind = checkKind(raw, path, findings)
    if (kind === null) continue
    checkModifiers(raw, kind, path, findings)
    kinds.set(path.join('.'), kind)
  }
  return kinds
}
