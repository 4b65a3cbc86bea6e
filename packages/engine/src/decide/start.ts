// start: a step that may begin. Gates ask first, limits let in; tasks go out; the other kinds open or end at once.
import { failure, LIMITS, llmQueue } from '@stepfleet/contracts'
import type { StepPlan } from '../definition/plan.ts'
import { parsePath } from '../state/paths.ts'
import { emit, isCrowded, type Looked, planOf, type Turn } from '../turn.ts'
import { takeCached } from './cache.ts'
import { dispatch, toolTask } from './dispatch.ts'
import { settleFailure } from './failure-policy.ts'
import { modelOf } from './fallback.ts'
import { holdForTool } from './hold.ts'
import { layerOf } from './layers.ts'
import { admitStep } from './limits.ts'
import { askApproval, askGate, completeValue, openAgent, openEach, openSignal, openWait } from './open.ts'
import { openRun } from './run.ts'
import { toolUseOf } from './tool-use.ts'

/** Steps that count against the limit of a run: not those that only hold others. */
const isFull = (turn: Turn, path: string): boolean => {
  const { steps, composites } = turn.state
  return steps.size - composites >= LIMITS.stepsPerRun && !steps.has(path)
}

/** Its body is a task. Whether a callback is one, its input says: nobody may have to be told. */
const goesOut = ({ body }: StepPlan): boolean =>
  body.kind === 'llm' || (body.kind === 'tool' && body.tool !== 'callback')

/** Begins a step, an item, an iteration, an agent's turn or tool use, or a compensation. */
export const start = (turn: Turn, path: string): Looked => {
  const { node, role } = parsePath(path)
  const plan = planOf(turn.plan, node)
  if (isFull(turn, path)) {
    settleFailure(turn, path, failure('limit_exceeded', `a run has at most ${LIMITS.stepsPerRun} steps`))
    return 'done'
  }
  if (role === 'tool') return startTool(turn, path)
  if (role === 'turn') return startTurn(turn, path, plan)
  const layer = layerOf(plan, role)
  if (layer === 'each') return openEach(turn, path)
  if (layer === 'repeat') {
    emit(turn, { type: 'step.opened', path, opening: { kind: 'repeat' } })
    return 'done'
  }
  if (plan.gate && !turn.state.steps.get(path)?.gateOpen) return askGate(turn, path)
  // before it takes a place under a limit, or asks for anything
  if (goesOut(plan) && isCrowded(turn)) {
    turn.state.backlog.add(path)
    return 'done'
  }
  const cached = plan.cache ? takeCached(turn, path, plan, plan.cache) : 'none'
  if (cached !== 'none') return cached
  const admitted = admitStep(turn, path, plan.limits, plan.id)
  return admitted === 'granted' ? begin(turn, path, plan) : admitted
}

const begin = (turn: Turn, path: string, plan: StepPlan): Looked => {
  const { body } = plan
  switch (body.kind) {
    case 'llm':
      return dispatch(turn, path, {
        queue: llmQueue(modelOf(turn, path)),
        effect: plan.effect ?? 'read',
        timeoutMs: plan.timeoutMs,
      })
    case 'tool': {
      // what repeating it would do is known only from the worker that serves it
      const effect = plan.effect ?? turn.tools.get(body.tool)?.effect
      if (!effect) return holdForTool(turn, path, body.tool)
      return dispatch(turn, path, toolTask({ tool: body.tool, name: body.tool, effect, timeoutMs: plan.timeoutMs }))
    }
    case 'agent':
      return openAgent(turn, path, body)
    case 'run':
      return openRun(turn, path, body)
    case 'block':
      emit(turn, { type: 'step.opened', path, opening: { kind: 'block' } })
      return 'done'
    case 'value':
      return completeValue(turn, path, body)
    case 'approval':
      return askApproval(turn, path, body)
    case 'wait':
      return openWait(turn, path, body)
    case 'signal':
      return openSignal(turn, path, body)
  }
}

const startTurn = (turn: Turn, path: string, plan: StepPlan): Looked => {
  if (plan.body.kind !== 'agent') return 'done'
  return dispatch(turn, path, { queue: llmQueue(modelOf(turn, path)), effect: 'read', timeoutMs: plan.timeoutMs })
}

/** A tool use of an agent: an unknown name is an answer to the model, not a task. */
const startTool = (turn: Turn, path: string): Looked => {
  const use = toolUseOf(turn, path)
  if (use === null) return 'wait'
  if (use.binding === null) {
    const known = use.offered.join(', ') || 'none'
    const message = `there is no tool ${use.name}; the tools are: ${known}`
    emit(turn, { type: 'step.failed', path, failure: failure('tool_unknown', message, { class: 'permanent' }) })
    return 'done'
  }
  const action = use.plan?.declared?.action
  if (action?.kind === 'run') return openRun(turn, path, action, use.args)
  if (action?.kind === 'approval') return askApproval(turn, path, action, use.args)
  if (use.gate && !turn.state.steps.get(path)?.gateOpen) return askGate(turn, path)
  const { name, tool, binding, timeoutMs } = use
  return dispatch(turn, path, toolTask({ tool, name, effect: binding.effect, timeoutMs }))
}
