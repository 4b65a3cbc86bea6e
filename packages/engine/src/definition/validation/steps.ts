// Checks of single steps: kinds, modifiers, effects and gates, durations, what each kind needs.
import {
  type Definition,
  type Json,
  LIMITS,
  nearest,
  parseDurationMs,
  STEP_KINDS,
  type StepDefinition,
} from '@stepfleet/contracts'
import { holdsExpression } from '../../expressions/scan.ts'
import { isMap, type JsonMap } from '../../expressions/values.ts'
import { isOneExpression } from '../../expressions.ts'
import { type ToolUse, toolEffect } from '../compile/defaults.ts'
import { isMistypedKind } from './fields.ts'
import type { Findings, Path } from './findings.ts'
import { checkModel } from './models.ts'
import { checkSchema } from './schemas.ts'

/** Words of CEL: a step of such a name could not be mentioned. */
const RESERVED = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
)
/** Kinds of the format that are refused elsewhere; their steps are not without a kind. */
const UNBUILT_KINDS = ['run', 'steps']

type Kind = (typeof STEP_KINDS)[number]
const MODIFIERS = ['retry', 'timeout', 'effect', 'gate', 'deadline'] as const
type Modifier = (typeof MODIFIERS)[number]

/** Which of these modifiers mean something on which kind. */
const TAKES: Readonly<Record<Kind, readonly Modifier[]>> = {
  llm: ['retry', 'timeout', 'effect', 'gate', 'deadline'],
  // its turns and tools are steps of their own: their effect and gate stand at the tools
  agent: ['retry', 'timeout', 'deadline'],
  tool: ['retry', 'timeout', 'effect', 'gate', 'deadline'],
  approval: ['deadline'],
  wait: ['deadline'],
  signal: ['deadline'],
  value: [],
}

/** Where people meant to put a modifier that a kind does not take. */
const INSTEAD: Readonly<Record<string, string>> = {
  'agent.effect': 'agent.tools.<tool>.effect',
  'agent.gate': 'agent.tools.<tool>.gate',
  'approval.timeout': 'approval.expires',
  'signal.timeout': 'signal.timeout',
}

/** Kinds of a raw step; reports none or several. Null when there is not exactly one built kind. */
export const checkKind = (raw: JsonMap, path: Path, findings: Findings): Kind | null => {
  const kinds = STEP_KINDS.filter((kind) => Object.hasOwn(raw, kind))
  const all = [...kinds, ...UNBUILT_KINDS.filter((kind) => Object.hasOwn(raw, kind))]
  if (all.length > 1) {
    findings.error(path, 'several_kinds', `a step has exactly one kind, this one has ${all.join(' and ')}`)
  } else if (all.length === 0 && !Object.keys(raw).some(isMistypedKind)) {
    findings.error(path, 'no_kind', `a step needs one of ${STEP_KINDS.join(', ')}`)
  }
  return all.length === 1 ? (kinds[0] ?? null) : null
}

/** Modifiers where they mean nothing would be accepted and ignored. */
export const checkModifiers = (raw: JsonMap, kind: Kind, path: Path, findings: Findings): void => {
  for (const modifier of MODIFIERS) {
    if (!Object.hasOwn(raw, modifier) || TAKES[kind].includes(modifier)) continue
    const message = `\`${modifier}\` means nothing on a step of kind ${kind}`
    findings.error([...path, modifier], 'misplaced_modifier', message, INSTEAD[`${kind}.${modifier}`])
  }
  if (Object.hasOwn(raw, 'with') && kind !== 'tool') {
    findings.error([...path, 'with'], 'misplaced_modifier', '`with` belongs to a tool step')
  }
}

const HTTP_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

const checkHttp = (input: Record<string, Json> | undefined, path: Path, findings: Findings): void => {
  if (input?.url === undefined) findings.error([...path, 'with', 'url'], 'missing_field', 'an http tool needs a `url`')
  const method = input?.method
  if (typeof method !== 'string' || holdsExpression(method) || HTTP_METHODS.includes(method.toUpperCase())) return
  findings.error([...path, 'with', 'method'], 'invalid_value', 'no HTTP method', nearest(method, HTTP_METHODS))
}

interface GatedTool extends ToolUse {
  gate?: boolean | undefined
}

/** Effects of a tool use. Under `irreversible: gate` an effect that only a manifest knows counts as `once`. */
const checkEffect = (definition: Definition, use: GatedTool, path: Path, findings: Findings): void => {
  if (definition.irreversible !== 'gate' || use.gate === true) return
  const effect = toolEffect(use)
  const gate = 'the definition says `irreversible: gate`'
  if (effect === 'once') {
    findings.error(
      [...path, 'gate'],
      'gate_required',
      `${gate}, and this can not be undone: it needs gate: true`,
      'gate: true',
    )
  } else if (effect === null) {
    const message = `${gate}: a module tool must say its effect here, or have gate: true`
    findings.error([...path, 'gate'], 'gate_required', message, 'effect: read')
  }
}

const checkRetry = (use: ToolUse, retry: StepDefinition['retry'], path: Path, findings: Findings): void => {
  if (toolEffect(use) !== 'once' || retry === undefined || retry.attempts === 1) return
  const message = 'effect once with a retry: a failure that looks transient may have happened after the effect'
  findings.warn([...path, 'retry'], 'once_is_retried', message)
}

const checkTool = (definition: Definition, step: StepDefinition, path: Path, findings: Findings): void => {
  if (step.tool === undefined) return
  const use = { tool: step.tool, with: step.with, effect: step.effect, gate: step.gate }
  if (step.tool === 'http') checkHttp(step.with, path, findings)
  checkEffect(definition, use, path, findings)
  checkRetry(use, step.retry, path, findings)
}

const checkLlm = (step: StepDefinition, path: Path, findings: Findings): void => {
  const { llm } = step
  if (!llm) return
  const at = [...path, 'llm']
  checkModel(llm, at, findings)
  if (llm.prompt === undefined && llm.messages === undefined) {
    findings.error([...at, 'prompt'], 'missing_field', 'llm needs a `prompt` or `messages`')
  } else if (llm.prompt !== undefined && llm.messages !== undefined) {
    findings.error([...at, 'messages'], 'invalid_value', 'llm takes `prompt` or `messages`, not both')
  }
  if (llm.output) checkSchema(llm.output, [...at, 'output'], findings)
}

type Agent = NonNullable<StepDefinition['agent']>

const checkAgentTools = (definition: Definition, agent: Agent, path: Path, findings: Findings): void => {
  const names = new Set<string>()
  for (const [index, entry] of (agent.tools ?? []).entries()) {
    const at = [...path, 'tools', index]
    const name = typeof entry === 'string' ? entry : entry.name
    if (names.has(name)) findings.error(at, 'duplicate_tool', `the agent has two tools named \`${name}\``)
    names.add(name)
    if (typeof entry === 'string') {
      checkEffect(definition, { tool: entry }, at, findings)
      continue
    }
    checkSchema(entry.input, [...at, 'input'], findings)
    if (entry.input.type !== 'object') {
      findings.error([...at, 'input', 'type'], 'invalid_schema', "a tool's input is an object", 'object')
    }
    if (entry.tool === 'http') checkHttp(entry.with, at, findings)
    checkEffect(definition, entry, at, findings)
    checkRetry(entry, entry.retry, at, findings)
  }
}

const checkAgent = (definition: Definition, step: StepDefinition, path: Path, findings: Findings): void => {
  const { agent } = step
  if (!agent) return
  const at = [...path, 'agent']
  checkModel(agent, at, findings)
  if (agent.output) checkSchema(agent.output, [...at, 'output'], findings)
  checkAgentTools(definition, agent, at, findings)
}

const TIME = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})$/

const checkWait = (step: StepDefinition, path: Path, findings: Findings): void => {
  const { wait } = step
  if (wait === undefined) return
  const until = typeof wait === 'object' && 'until' in wait ? wait.until : null
  const duration = typeof wait === 'string' ? wait : 'for' in wait ? wait.for : null
  if (duration !== null && !holdsExpression(duration) && parseDurationMs(duration) === null) {
    const at = typeof wait === 'string' ? [...path, 'wait'] : [...path, 'wait', 'for']
    findings.error(
      at,
      'invalid_duration',
      'a wait is a duration such as 10m, at most 90d; a time is written {until: …}',
    )
  }
  if (until !== null && !holdsExpression(until) && (!TIME.test(until) || Number.isNaN(Date.parse(until)))) {
    const message = 'a time is written as RFC 3339 with its zone'
    findings.error([...path, 'wait', 'until'], 'invalid_value', message, '2030-01-31T12:00:00Z')
  }
}

const checkSignal = (step: StepDefinition, path: Path, findings: Findings): void => {
  const { signal } = step
  const name = typeof signal === 'object' ? signal.name : signal
  if (name === '') findings.error([...path, 'signal'], 'invalid_value', 'a signal needs a name')
  if (typeof signal === 'object' && signal.schema) checkSchema(signal.schema, [...path, 'signal', 'schema'], findings)
}

const oneExpression = (text: string): string => `\${{ ${text.trim()} }}`

const checkIf = (step: StepDefinition, path: Path, findings: Findings): void => {
  if (typeof step.if !== 'string' || isOneExpression(step.if)) return
  const message = '`if` is true, false or one expression and nothing else'
  const hint = holdsExpression(step.if) ? null : oneExpression(step.if)
  findings.error([...path, 'if'], 'invalid_value', message, hint)
}

const checkEach = (step: StepDefinition, path: Path, findings: Findings): void => {
  const { each } = step
  if (each === undefined) return
  const items = typeof each === 'string' ? each : each.in
  const at = typeof each === 'string' ? [...path, 'each'] : [...path, 'each', 'in']
  if (typeof items === 'string' && !isOneExpression(items)) {
    const hint = holdsExpression(items) ? null : oneExpression(items)
    findings.error(at, 'invalid_value', 'each goes over a list or one expression that gives one', hint)
  }
  if (Array.isArray(items) && items.length > LIMITS.eachItems) {
    findings.error(at, 'invalid_value', `each goes over at most ${LIMITS.eachItems} items`)
  }
}

/** Checks one step that has a single kind. */
export const checkStep = (definition: Definition, name: string, step: StepDefinition, findings: Findings): void => {
  const path = ['steps', name]
  checkLlm(step, path, findings)
  checkAgent(definition, step, path, findings)
  checkTool(definition, step, path, findings)
  checkWait(step, path, findings)
  checkSignal(step, path, findings)
  checkIf(step, path, findings)
  checkEach(step, path, findings)
}

/** Checks what the raw steps are: a map of at least one, not too many, each with one kind. */
export const checkRawSteps = (root: Json, findings: Findings): ReadonlyMap<string, Kind> => {
  const kinds = new Map<string, Kind>()
  const steps = isMap(root) ? root.steps : undefined
  if (steps === undefined || !isMap(steps)) return kinds
  const names = Object.keys(steps)
  if (names.length === 0) findings.error(['steps'], 'empty_steps', 'a workflow needs at least one step')
  if (names.length > LIMITS.stepsPerDefinition) {
    const message = `${names.length} steps; a definition has at most ${LIMITS.stepsPerDefinition}`
    findings.error(['steps'], 'too_many_steps', message)
    return kinds
  }
  for (const name of names) {
    const raw = steps[name]
    const path = ['steps', name]
    if (RESERVED.has(name))
      findings.error(path, 'invalid_value', `\`${name}\` is a word of the expression language`, `${name}_step`)
    if (raw === undefined || !isMap(raw)) continue
    const kind = checkKind(raw, path, findings)
    if (kind === null) continue
    checkModifiers(raw, kind, path, findings)
    kinds.set(name, kind)
  }
  return kinds
}
