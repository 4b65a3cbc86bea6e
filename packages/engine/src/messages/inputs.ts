// inputs: what a task is given, rendered from the state. The same state gives the same input, whenever it is asked.
import { type Failure, failure, type Json, type LlmInput, type ToolInput } from '@stepfleet/contracts'
import { modelOf } from '../decide/fallback.ts'
import { toolUseOf } from '../decide/tool-use.ts'
import type { AgentBody, LlmBody } from '../definition/plan.ts'
import { holdsSecretMarker } from '../expressions.ts'
import { render } from '../scope.ts'
import { toolPath, turnPath } from '../state/paths.ts'
import { agentTools, type StepState } from '../state/state.ts'
import { planOf, stepAt, type Turn } from '../turn.ts'

/** A rendered input, what kept it from being rendered, or null: a payload must be loaded first. */
type Input<T> = { ok: true; value: T } | { ok: false; failure: Failure } | null

const bad = (place: string, message: string): { ok: false; failure: Failure } => ({
  ok: false,
  failure: failure('expression_failed', `${place}: ${message}`),
})

const text = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))

const llmInput = (turn: Turn, step: StepState, body: LlmBody): Input<LlmInput> => {
  const place = `steps.${step.node}.llm`
  const system = body.system ? render(turn, body.system, step.path) : undefined
  if (system === null) return null
  if (system && !system.ok) return bad(`${place}.system`, system.message)
  const messages: LlmInput['messages'] = []
  for (const message of body.messages) {
    const content = render(turn, message.content, step.path)
    if (content === null) return null
    if (!content.ok) return bad(`${place}.prompt`, content.message)
    messages.push({ role: message.role, content: text(content.value) })
  }
  return {
    ok: true,
    value: {
      model: modelOf(turn, step.path),
      messages: step.edit?.prompt === undefined ? messages : [{ role: 'user', content: step.edit.prompt }],
      settings: body.settings,
      ...(system ? { system: text(system.value) } : {}),
      ...(body.output ? { output: body.output } : {}),
    },
  }
}

/** The journal entries of the turns before this one, in the order of the conversation. */
const history = (turn: Turn, agent: string, before: number): number[] => {
  const seqs: number[] = []
  const { steps } = turn.state
  for (let number = 1; number < before; number += 1) {
    const call = steps.get(turnPath(agent, number))
    if (call?.endSeq) seqs.push(call.endSeq)
    for (let use = 0; ; use += 1) {
      const tool = steps.get(toolPath(agent, number, use))
      if (!tool) break
      if (tool.endSeq) seqs.push(tool.endSeq)
    }
  }
  return seqs
}

const turnInput = (turn: Turn, step: StepState, body: AgentBody): Input<LlmInput> => {
  const agent = stepAt(turn, step.parent ?? '')
  const place = `steps.${step.node}.agent`
  const system = body.system ? render(turn, body.system, step.path) : undefined
  const prompt = render(turn, body.prompt, step.path)
  if (system === null || prompt === null) return null
  if (system && !system.ok) return bad(`${place}.system`, system.message)
  if (!prompt.ok) return bad(`${place}.prompt`, prompt.message)
  const number = step.turn ?? 1
  return {
    ok: true,
    value: {
      model: modelOf(turn, step.path),
      messages: [{ role: 'user', content: text(prompt.value) }],
      settings: body.settings,
      ...(system ? { system: text(system.value) } : {}),
      ...(body.output ? { output: body.output } : {}),
      agent: {
        path: agent.path,
        turn: number,
        tools: agentTools(agent).map((tool) => tool.spec),
        history: history(turn, agent.path, number),
      },
    },
  }
}

const asRecord = (value: Json): Record<string, Json> =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? value : { input: value }

const toolUseInput = (turn: Turn, step: StepState): Input<ToolInput> => {
  const use = toolUseOf(turn, step.path)
  if (use === null) return null
  const declared = use.plan?.declared
  if (step.edit?.with) return { ok: true, value: { tool: use.tool, with: step.edit.with } }
  // the worker resolves markers wherever they stand: a model must not be able to write one
  if (!declared && holdsSecretMarker(use.args)) {
    return { ok: false, failure: failure('tool_input_invalid', 'arguments may not hold the keys $secret or $concat') }
  }
  if (!declared) return { ok: true, value: { tool: use.tool, with: asRecord(use.args) } }
  if (declared.action.kind !== 'tool') return bad(step.path, `a ${declared.action.kind} runs no task`)
  const rendered = render(turn, declared.action.with, step.path, { args: use.args })
  if (rendered === null) return null
  if (!rendered.ok) return bad(`tool ${use.name} with`, rendered.message)
  return { ok: true, value: { tool: use.tool, with: asRecord(rendered.value) } }
}

/** What a task step is given, rendered. Secrets stay markers. */
export const inputOf = (turn: Turn, step: StepState): Input<LlmInput | ToolInput> => {
  const { body } = planOf(turn.plan, step.node)
  if (step.role === 'tool') return toolUseInput(turn, step)
  if (body.kind === 'agent') return turnInput(turn, step, body)
  if (body.kind === 'llm') return llmInput(turn, step, body)
  if (body.kind !== 'tool') return bad(step.path, `a ${body.kind} runs no task`)
  if (step.edit?.with) return { ok: true, value: { tool: body.tool, with: step.edit.with } }
  const rendered = render(turn, body.with, step.path)
  if (rendered === null) return null
  if (!rendered.ok) return bad(`steps.${step.node}.with`, rendered.message)
  return { ok: true, value: { tool: body.tool, with: asRecord(rendered.value) } }
}
