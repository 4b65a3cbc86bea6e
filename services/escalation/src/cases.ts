// Cases: what the desk makes of the engine's notices. Pure.
import type { Case, CaseReason, EscalationNotice, Resolution } from '@stepfleet/contracts'

export type OpenedNotice = Extract<EscalationNotice, { type: 'opened' }>
export type ClosedNotice = Extract<EscalationNotice, { type: 'closed' }>

/** A decision that was sent to the engine. It closes nothing: only the engine's `closed` notice does. */
export interface Asked {
  action: string
  by: string
  reason: string | null
  atMs: number
  /** Id of the command, by which its receipt is found. */
  command: string
}

/**
 * All that is known of a case. Each part is written once, in any order and any number of times: notices are
 * delivered at least once, and `closed` may overtake `opened`.
 */
export interface CaseRecord {
  opened: OpenedNotice
  closed: ClosedNotice | null
  asked: Asked | null
}

export type Action = Resolution['action']

/** What a person may do, by why the case is open: approvals and gates are judged, failed steps are mended. */
export const actionsFor = (reason: CaseReason): Action[] => {
  switch (reason) {
    case 'requires_human':
    case 'irreversible_action':
      return ['approve', 'reject']
    case 'max_retries_exceeded':
    case 'permanent_failure':
    case 'ambiguous_state':
    case 'poison_step':
    case 'deadline_exceeded':
    case 'engine_failure':
    case 'budget_exceeded':
      return ['retry', 'skip', 'override', 'fail']
    // to approve is to take the answer as it is
    case 'low_confidence':
      return ['approve', 'retry', 'skip', 'override', 'fail']
  }
}

/**
 * The case of a record. `open`: waits for a decision. `resolving`: one was sent and the engine has not told the end
 * yet; another may be sent all the same, since the engine applies one. `closed`: the engine said so.
 */
export const caseOf = ({ opened, closed, asked }: CaseRecord): Case => ({
  id: opened.case,
  ns: opened.ns,
  run: opened.run,
  path: opened.path,
  workflow: opened.workflow,
  kind: opened.kind,
  reason: opened.reason,
  status: closed ? 'closed' : asked ? 'resolving' : 'open',
  failure: opened.failure ?? null,
  attempts: opened.attempts,
  input: opened.input,
  show: opened.show ?? null,
  assignee: opened.assignee ?? null,
  openedAtMs: opened.atMs,
  expiresAtMs: opened.expiresAtMs ?? null,
  closedAtMs: closed?.atMs ?? null,
  resolution: closed
    ? { action: closed.action, by: closed.by, reason: closed.why ?? null, atMs: closed.atMs }
    : asked && { action: asked.action, by: asked.by, reason: asked.reason, atMs: asked.atMs },
  actions: closed ? [] : actionsFor(opened.reason),
})

/** Whether a case id names this run: `esc_<run>_<seq>`. */
export const isOfRun = (id: string, run: string): boolean => {
  const prefix = `esc_${run}_`
  return id.startsWith(prefix) && /^\d+$/.test(id.slice(prefix.length))
}
