// why: what a step waits for, in words for a tired person.
import type { OutEntry, ToolManifest } from '@stepfleet/contracts'
import { innerPath, type Plan, parsePath, type RunState, type StepState } from '@stepfleet/engine'

export interface WhyContext {
  plan: Plan
  state: RunState
  out: ReadonlyMap<string, OutEntry>
  tools: ReadonlyMap<string, ToolManifest>
  nowMs: number
}

/** `in 8 s`, `in 3 min`, `now`. */
const inWords = (ms: number): string => {
  if (ms <= 0) return 'now'
  if (ms < 120_000) return `in ${Math.ceil(ms / 1_000)} s`
  return ms < 7_200_000 ? `in ${Math.round(ms / 60_000)} min` : `in ${Math.round(ms / 3_600_000)} h`
}
const since = (atMs: number): string => `since ${new Date(atMs).toISOString()}`

const whyRetrying = ({ plan, nowMs }: WhyContext, step: StepState): string => {
  const when = inWords((step.notBeforeMs ?? nowMs) - nowMs)
  if (step.heldWhy) return `${step.heldWhy}, next try ${when}`
  const used = (step.attempts.at(-1)?.attempt ?? 0) - step.attemptsBefore
  const all = plan.steps.get(step.node)?.retry.attempts ?? used
  return `attempt ${used + 1} of ${all} ${when}, after ${step.failure?.code ?? 'a failure'}: ${step.failure?.message ?? ''}`
}

const whyWaiting = ({ nowMs, plan, state }: WhyContext, step: StepState): string | null => {
  if (step.approval && !step.approval.given) {
    const what = step.approval.gate ? 'a person must approve it before it runs' : 'approval asked'
    return `${what}, ${since(step.approval.askedAtMs)}`
  }
  if (step.callback) {
    const { sinceMs, untilMs } = step.callback
    return `waits for a callback ${since(sinceMs)}, until ${new Date(untilMs).toISOString()}`
  }
  if (step.opening?.kind === 'wait') return `ends ${inWords(step.opening.untilMs - nowMs)}`
  if (step.opening?.kind === 'signal') return `signal ${step.opening.name} has not come, ${since(step.readyAtMs)}`
  if (step.opening?.kind === 'run') return `child run ${step.opening.run} has not ended, ${since(step.readyAtMs)}`
  if (step.opening?.kind === 'each' && step.ended < step.opening.count) {
    const held = state.backlog.has(step.path) ? ', more start as places get free' : ''
    return `${step.ended} of ${step.opening.count} items have ended${held}`
  }
  const repeat = step.opening?.kind === 'repeat' ? plan.steps.get(step.node)?.repeat : null
  return repeat ? `iteration ${Math.max(step.rounds, 1)} of at most ${repeat.max}` : null
}

const whyScheduled = ({ out, tools }: WhyContext, step: StepState): string | null => {
  if (out.get(step.path)?.worker) return null
  const { tool } = step
  const isModule = step.queue?.endsWith('tool.module') === true
  if (tool !== null && isModule && !tools.has(tool)) return `no worker serves tool ${tool}`
  return `waits in queue ${step.queue ?? ''} for a free worker`
}

/** Null when it does not wait. */
export const whyStep = (context: WhyContext, step: StepState): string | null => {
  switch (step.phase) {
    case 'retrying':
      return whyRetrying(context, step)
    case 'waiting':
      return whyWaiting(context, step)
    case 'scheduled':
      return whyScheduled(context, step)
    case 'escalated':
      return step.case ? `case ${step.case.id} is open (${step.case.reason}), ${since(step.case.openedAtMs)}` : null
    default:
      return null
  }
}

/** Why a step that has not begun has not. */
export const whyPending = ({ plan, state }: WhyContext, path: string): string | null => {
  const { node, parent } = parsePath(path)
  const needs = plan.steps.get(node)?.needs ?? []
  const open = needs.filter((need) => state.steps.get(innerPath(parent ?? '', need))?.endSeq == null)
  return open.length === 0 ? null : `waits for ${open.join(', ')}`
}

/** A run that undoes what it has done: why, and what is being undone. */
const whyClosing = ({ state }: WhyContext, first: { path: string; why: string } | undefined): string | null => {
  const { closing } = state
  if (!closing) return null
  const cause =
    closing.to === 'failed' ? `failed (${closing.failure?.code ?? ''})` : `was cancelled by ${closing.by ?? ''}`
  const now = first ? `; ${first.path}: ${first.why}` : ''
  return `it ${cause} and undoes what it has done${now}`
}

/** The run's own reason, from its status; null when it goes on or has ended. */
export const whyRun = (context: WhyContext, reasons: readonly { path: string; why: string }[]): string | null => {
  const { state } = context
  if (state.paused) {
    const { by, reason, atMs } = state.paused
    return `paused by ${by} ${since(atMs)}${reason ? `: ${reason}` : ''}`
  }
  const [first] = reasons
  if (state.endedAtMs !== null) return null
  if (state.closing) return whyClosing(context, first)
  if (state.status !== 'waiting' && state.status !== 'escalated') return null
  if (!first) return state.heldWhy
  const more = reasons.length > 1 ? ` (and ${reasons.length - 1} more)` : ''
  return `${first.path}: ${first.why}${more}`
}
