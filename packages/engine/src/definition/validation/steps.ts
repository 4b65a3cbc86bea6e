// Checks of the bodies of steps: models, tools and their effects, agents, waits, signals.
import { type Definition, parseDurationMs, type StepDefinition } from '@stepfleet/contracts'
import { holdsExpression } from '../../expressions/scan.ts'
import { type ToolUse, toolEffect } from '../compile/defaults.ts'
import { checkBuiltIn, checkNamed } from './built-in-tools.ts'
import type { Findings, Path } from './findings.ts'
import { checkModel } from './models.ts'
import { checkSchema } from './schemas.ts'
import type { Spot } from './spots.ts'

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

type ToolStep = Pick<StepDefinition, 'tool' | 'with' | 'effect' | 'gate' | 'retry'>

const checkTool = (definition: Definition, step: ToolStep, path: Path, findings: Findings): void => {
  if (step.tool === undefined) return
  const use = { tool: step.tool, with: step.with, effect: step.effect, gate: step.gate }
  checkBuiltIn(step.tool, step.with, path, findings)
  checkEffect(definition, use, path, findings)
  checkRetry(use, step.retry, path, findings)
}

const checkLlm = (llm: NonNullable<StepDefinition['llm']>, path: Path, findings: Findings): void => {
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
      checkNamed(entry, at, findings)
      continue
    }
    checkSchema(entry.input, [...at, 'input'], findings)
    if (entry.input.type !== 'object') {
      findings.error([...at, 'input', 'type'], 'invalid_schema', "a tool's input is an object", 'object')
    }
    if (!('tool' in entry)) continue
    checkBuiltIn(entry.tool, entry.with, at, findings)
    checkEffect(definition, entry, at, findings)
    checkRetry(entry, entry.retry, at, findings)
  }
}

const checkAgent = (
  definition: Definition,
  step: Pick<StepDefinition, 'agent'>,
  path: Path,
  findings: Findings,
): void => {
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

/** What undoes a step is asked for by nobody: no gate stands before it. */
const checkUndo = (step: StepDefinition, path: Path, findings: Findings): void => {
  const { compensate } = step
  if (!compensate) return
  const at = [...path, 'compensate']
  if (compensate.llm) checkLlm(compensate.llm, at, findings)
  if (compensate.tool === undefined) return
  checkBuiltIn(compensate.tool, compensate.with, at, findings)
  checkRetry(
    { tool: compensate.tool, with: compensate.with, effect: compensate.effect },
    compensate.retry,
    at,
    findings,
  )
}

/** What is done in place of a step is asked for like the step itself. */
const checkFallback = (definition: Definition, step: StepDefinition, path: Path, findings: Findings): void => {
  const { fallback } = step
  if (!fallback) return
  const at = [...path, 'fallback']
  if (fallback.llm) checkLlm(fallback.llm, at, findings)
  checkAgent(definition, fallback, at, findings)
  checkTool(definition, fallback, at, findings)
}

/** Checks the body of a step that has a single kind. */
export const checkBody = (definition: Definition, { step, path }: Spot, findings: Findings): void => {
  if (step.llm) checkLlm(step.llm, path, findings)
  checkAgent(definition, step, path, findings)
  checkTool(definition, step, path, findings)
  checkWait(step, path, findings)
  checkSignal(step, path, findings)
  checkUndo(step, path, findings)
  checkFallback(definition, step, path, findings)
}
