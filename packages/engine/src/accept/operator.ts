// What a person, or a supervisor model, asks of a step: approve, retry, skip, override, fail.
import { type CommandOf, failure, type Json, type Payload, type Verdict } from '@stepfleet/contracts'
import { agentBudget } from '../decide/budget.ts'
import { callbackMs, isTold } from '../decide/callback.ts'
import { closeCase, failStep } from '../decide/failure-policy.ts'
import { layerOf } from '../decide/layers.ts'
import { holdsSecretMarker } from '../expressions.ts'
import { parsePath } from '../state/paths.ts'
import { isEnded, openCase, type StepState } from '../state/state.ts'
import { emit, planOf, type Turn } from '../turn.ts'
import { applied, refused, refuseEnded } from './verdict.ts'
import { giveApproval } from './wake.ts'

type StepCommand = CommandOf<'approve' | 'retry' | 'skip' | 'override' | 'fail'>
type Found = { step: StepState | null } | { refusal: Verdict }

/** A step that has no record yet, in a scope that is open, may be skipped or overridden before its time. */
const mayComeLater = (turn: Turn, path: string): boolean => {
  const { role, node, parent } = parsePath(path)
  if (role !== 'step' || !turn.plan.steps.has(node) || turn.state.closing) return false
  const block = parent === null ? null : turn.state.steps.get(parent)
  return block === null || (block?.opening?.kind === 'block' && !isEnded(block))
}

const find = (turn: Turn, command: StepCommand): Found => {
  const over = refuseEnded(turn)
  if (over) return { refusal: over }
  const step = turn.state.steps.get(command.path)
  if (!step) {
    if (mayComeLater(turn, command.path)) return { step: null }
    return { refusal: refused('unknown_step', `the run has no step ${command.path}`) }
  }
  if (command.case !== undefined && command.case !== openCase(step)) {
    return { refusal: refused('case_closed', `case ${command.case} is closed; somebody decided before`) }
  }
  if (isEnded(step)) return { refusal: refused('step_ended', `step ${step.path} is ${step.phase}`) }
  return { step }
}

const why = (command: StepCommand) => (command.reason === undefined ? {} : { reason: command.reason })

/** Closes the open case, if there is one, with what was done. */
const resolve = (turn: Turn, command: StepCommand, action: 'retry' | 'skip' | 'override' | 'fail'): void =>
  closeCase(turn, command.path, { action, by: command.by.id, reason: command.reason })

/** A person finds an answer good that was not sure enough. */
const takeAnswer = (turn: Turn, step: StepState, answer: Payload, command: CommandOf<'approve'>): Verdict => {
  if (!command.approved)
    return refused('bad_request', `retry, skip, override or fail ${step.path} to reject its answer`)
  if (command.edits !== undefined) return refused('bad_request', `override ${step.path} to give it another output`)
  closeCase(turn, step.path, { action: 'approve', by: command.by.id, reason: command.reason })
  emit(turn, { type: 'step.completed', path: step.path, output: answer })
  return applied(turn)
}

export const acceptApprove = (turn: Turn, command: CommandOf<'approve'>): Verdict => {
  const found = find(turn, command)
  if ('refusal' in found) return found.refusal
  const { step } = found
  if (step?.case?.reason === 'low_confidence' && step.answer) return takeAnswer(turn, step, step.answer, command)
  if (!step?.approval || step.approval.given) {
    return refused('step_not_waiting', `step ${command.path} does not wait for an approval`)
  }
  const { approved, edits, reason } = command
  if (edits !== undefined && holdsSecretMarker(edits)) return refuseMarkers
  if (step.approval.gate && edits !== undefined && !isGateEdit(turn, step, edits)) {
    return refused(
      'bad_request',
      `edits of a gate are the whole new \`with\` of a tool; ${step.path} takes none like these`,
    )
  }
  giveApproval(turn, step, { approved, by: command.by.id, reason, edits })
  return applied(turn)
}

export const acceptRetry = (turn: Turn, command: CommandOf<'retry'>): Verdict => {
  const found = find(turn, command)
  if ('refusal' in found) return found.refusal
  const { step } = found
  if (step?.phase === 'scheduled') return refused('step_in_flight', `step ${command.path} is running`)
  if (step?.phase !== 'escalated' && step?.phase !== 'retrying') {
    return refused('step_not_waiting', `step ${command.path} has not failed`)
  }
  const refusal = refuseEdit(turn, step, command)
  if (refusal) return refusal
  resolve(turn, command, 'retry')
  const edit = command.edit ? { edit: command.edit } : {}
  emit(turn, { type: 'step.retried', path: step.path, ...edit, by: command.by.id, ...why(command) })
  return applied(turn)
}

/** The edits of a gate replace the input of the tool behind it. */
const isGateEdit = (turn: Turn, step: StepState, edits: Json): boolean => {
  const isTool = step.role === 'tool' || planOf(turn.plan, step.node).body.kind === 'tool'
  return isTool && isMap(edits) && !isForNobody(turn, step, edits)
}

const isMap = (value: Json): value is Record<string, Json> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** What a callback is to say, when nobody is told, would be ignored. */
const isForNobody = (turn: Turn, step: StepState, edited: Record<string, Json>): boolean =>
  callbackMs(turn.plan, step) !== null && !isTold({ with: edited }) && Object.keys(edited).length > 0

/** Only a definition may name a secret: an operator who can edit an input could read any of them. */
const refuseMarkers = refused('bad_request', 'an edit may not hold the keys $secret or $concat')

/** An edit must fit the kind of step: nothing is accepted and ignored. */
const refuseEdit = (turn: Turn, step: StepState, command: CommandOf<'retry'>): Verdict | null => {
  const { edit } = command
  if (!edit) return null
  const plan = planOf(turn.plan, step.node)
  const { kind } = plan.body
  if (layerOf(plan, step.role) === 'each')
    return refused('bad_request', `step ${step.path} is an each: edit one of its items`)
  if (layerOf(plan, step.role) === 'repeat')
    return refused('bad_request', `step ${step.path} is a repeat: edit one of its iterations`)
  const isTool = step.role === 'tool' || kind === 'tool'
  const isModel = step.role === 'turn' || kind === 'llm'
  if (edit.with && holdsSecretMarker(edit.with)) return refuseMarkers
  if (edit.with && !isTool) return refused('bad_request', `step ${step.path} is no tool: it has no \`with\` to edit`)
  if (edit.with && isForNobody(turn, step, edit.with))
    return refused(
      'bad_request',
      `a callback without a \`url\` tells nobody: what else ${step.path} is given would be ignored`,
    )
  if (edit.model && !isModel)
    return refused('bad_request', `step ${step.path} is no model call: it has no model to edit`)
  const { usd, per_day: perDay } = turn.state.budget ?? {}
  const ofAgent = agentBudget(turn, step.parent ?? '')?.usd
  if (edit.model && (usd ?? perDay?.usd ?? ofAgent) !== undefined && !turn.spending.prices.models[edit.model])
    return refused('bad_request', `no price is known for ${edit.model}, and there is a budget in dollars`)
  if (edit.prompt && kind !== 'llm')
    return refused('bad_request', `step ${step.path} is no llm step: it has no prompt to edit`)
  return null
}

export const acceptSkip = (turn: Turn, command: CommandOf<'skip'>): Verdict => {
  const found = find(turn, command)
  if ('refusal' in found) return found.refusal
  if (found.step?.role === 'turn') {
    return refused('bad_request', `a turn cannot be skipped; retry or override it, or skip ${found.step.parent}`)
  }
  resolve(turn, command, 'skip')
  emit(turn, { type: 'step.skipped', path: command.path, because: 'operator', by: command.by.id, ...why(command) })
  return applied(turn)
}

export const acceptOverride = (turn: Turn, command: CommandOf<'override'>): Verdict => {
  const found = find(turn, command)
  if ('refusal' in found) return found.refusal
  resolve(turn, command, 'override')
  emit(turn, {
    type: 'step.overridden',
    path: command.path,
    output: command.output,
    by: command.by.id,
    ...why(command),
  })
  return applied(turn)
}

export const acceptFail = (turn: Turn, command: CommandOf<'fail'>): Verdict => {
  const found = find(turn, command)
  if ('refusal' in found) return found.refusal
  if (found.step?.phase !== 'escalated') return refused('step_not_waiting', `step ${command.path} has no open case`)
  resolve(turn, command, 'fail')
  failStep(turn, command.path, failure('failed_by_operator', command.reason ?? `${command.by.id} gave it up`))
  return applied(turn)
}
