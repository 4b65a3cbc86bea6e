// open: the kinds that run no task of their own. They ask, open, or end at once; what they fix is in the journal.
import { type AgentToolBinding, failure, type Json, LIMITS, parseDurationMs } from '@stepfleet/contracts'
import type { AgentBody, AgentTool, ApprovalBody, StepBody, Template } from '../definition/plan.ts'
import { itemsOf, render } from '../scope.ts'
import { parsePath } from '../state/paths.ts'
import { emit, type Looked, type Turn } from '../turn.ts'
import { caseId, expressionFailure, settleFailure } from './failure-policy.ts'
import { holdForTool } from './hold.ts'
import { packOutput } from './output.ts'

type BodyOf<K extends StepBody['kind']> = Extract<StepBody, { kind: K }>

export const askGate = (turn: Turn, path: string): Looked => {
  if (turn.state.steps.get(path)?.approval?.gate) return 'done'
  emit(turn, { type: 'approval.asked', path, case: caseId(turn), gate: true, onExpiry: 'reject' })
  return 'done'
}

type Evaluated = { value: Json } | 'wait' | 'failed'

/** Renders a template of a step; when it cannot be rendered the step has failed. `args`: those of a tool use. */
export const evaluate = (turn: Turn, path: string, template: Template, place: string, args?: Json): Evaluated => {
  const rendered = render(turn, template, path, args === undefined ? {} : { args })
  if (rendered === null) return 'wait'
  if (rendered.ok) return { value: rendered.value }
  settleFailure(turn, path, expressionFailure(`steps.${parsePath(path).node}.${place}`, rendered.message))
  return 'failed'
}

export const completeValue = (turn: Turn, path: string, body: BodyOf<'value'>): Looked => {
  const result = evaluate(turn, path, body.value, 'value')
  if (result === 'wait') return 'wait'
  if (result === 'failed') return 'done'
  const output = packOutput(turn, path, result.value)
  if (output) emit(turn, { type: 'step.completed', path, output })
  return 'done'
}

/** `args`: an agent's tool use shows its arguments, unless the definition says what to show. */
export const askApproval = (turn: Turn, path: string, body: ApprovalBody, args?: Json): Looked => {
  const given = args === undefined ? null : { value: args }
  const shown = body.show ? evaluate(turn, path, body.show, 'approval.show', args) : given
  if (shown === 'wait') return 'wait'
  if (shown === 'failed') return 'done'
  emit(turn, {
    type: 'approval.asked',
    path,
    case: caseId(turn),
    gate: false,
    onExpiry: body.onExpiry,
    ...(shown ? { show: turn.values.pack(shown.value) } : {}),
    ...(body.assignee === null ? {} : { assignee: body.assignee }),
    ...(body.expiresMs === null ? {} : { expiresAtMs: turn.nowMs + body.expiresMs }),
  })
  return 'done'
}

/** With its zone: a time without one would be the engine's local time. */
const RFC_3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/i
/** The last moment a Date can hold. */
const LAST_TIME_MS = 8.64e15

/** Epoch milliseconds of a rendered time, or null. Times are RFC 3339 texts or epoch milliseconds. */
const timeOf = (mode: 'for' | 'until', value: Json, nowMs: number): number | null => {
  if (mode === 'for') {
    const ms = typeof value === 'string' ? parseDurationMs(value) : null
    return ms === null ? null : nowMs + ms
  }
  if (typeof value === 'number') return Math.abs(value) <= LAST_TIME_MS ? Math.round(value) : null
  const at = typeof value === 'string' && RFC_3339.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(at) ? null : at
}

export const openWait = (turn: Turn, path: string, body: BodyOf<'wait'>): Looked => {
  const result = evaluate(turn, path, body.time, 'wait')
  if (result === 'wait') return 'wait'
  if (result === 'failed') return 'done'
  const untilMs = timeOf(body.mode, result.value, turn.nowMs)
  if (untilMs === null) {
    const hint = body.mode === 'for' ? 'a duration such as 10m' : 'an RFC 3339 time or epoch milliseconds'
    const message = `${JSON.stringify(result.value)} is not ${hint}`
    settleFailure(turn, path, expressionFailure(`steps.${parsePath(path).node}.wait`, message))
    return 'done'
  }
  emit(turn, { type: 'step.opened', path, opening: { kind: 'wait', untilMs } })
  return 'done'
}

export const openSignal = (turn: Turn, path: string, body: BodyOf<'signal'>): Looked => {
  const result = evaluate(turn, path, body.name, 'signal')
  if (result === 'wait') return 'wait'
  if (result === 'failed') return 'done'
  const name = typeof result.value === 'string' ? result.value : JSON.stringify(result.value)
  const untilMs = body.timeoutMs === null ? null : turn.nowMs + body.timeoutMs
  emit(turn, { type: 'step.opened', path, opening: { kind: 'signal', name, untilMs } })
  return 'done'
}

export const openEach = (turn: Turn, path: string): Looked => {
  const items = itemsOf(turn, path)
  if (items === null) return 'wait'
  if (!items.ok) {
    settleFailure(turn, path, expressionFailure(`steps.${parsePath(path).node}.each.in`, items.message))
  } else if (!Array.isArray(items.value)) {
    const message = `needs a list, got ${JSON.stringify(items.value)?.slice(0, 100)}`
    settleFailure(turn, path, failure('each_failed', `steps.${parsePath(path).node}.each.in ${message}`))
  } else if (items.value.length > LIMITS.eachItems) {
    const message = `${items.value.length} items; an each takes at most ${LIMITS.eachItems}`
    settleFailure(turn, path, failure('limit_exceeded', `steps.${parsePath(path).node}.each.in has ${message}`))
  } else {
    emit(turn, { type: 'step.opened', path, opening: { kind: 'each', count: items.value.length } })
  }
  return 'done'
}

const bind = (turn: Turn, tool: AgentTool): AgentToolBinding | null => {
  const action = tool.declared?.action
  const manifest = turn.tools.get(action?.kind === 'tool' ? action.tool : tool.name)
  if (tool.declared) {
    const { description, input } = tool.declared
    // a child run and an approval are durable of their own
    if (action?.kind !== 'tool') return { spec: { name: tool.name, description, input }, effect: 'read' }
    // the plan has resolved the effect of an `http` tool; a module tool's is in its manifest
    return { spec: { name: tool.name, description, input }, effect: tool.effect ?? manifest?.effect ?? 'once' }
  }
  return manifest ? { spec: manifest.spec, effect: tool.effect ?? manifest.effect } : null
}

/** Opens an agent: from here on its list of tools is fixed in the journal. */
export const openAgent = (turn: Turn, path: string, body: AgentBody): Looked => {
  const tools: AgentToolBinding[] = []
  for (const tool of body.tools) {
    const binding = bind(turn, tool)
    if (!binding) return holdForTool(turn, path, tool.name)
    tools.push(binding)
  }
  emit(turn, { type: 'step.opened', path, opening: { kind: 'agent', tools } })
  return 'done'
}
