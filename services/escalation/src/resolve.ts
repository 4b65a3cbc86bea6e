// resolve: a person's decision, sent to the engine as a command. The engine alone judges and applies it.
import { createHash, randomUUID } from 'node:crypto'
import type { Case, Command, Json, Payload, Resolution, Verdict } from '@stepfleet/contracts'
import { attributes, currentCarrier, type Mailbox, type RunRecord, withSpan } from '@stepfleet/runtime'
import { type CaseRecord, caseOf } from './cases.ts'
import type { CaseStore } from './store/port.ts'

export type Resolved =
  | { status: 'unknown' }
  /** The case does not take this action. */
  | { status: 'wrong_action'; actions: Case['actions'] }
  /** Closed before, and not by this very request. */
  | { status: 'closed' }
  /** `verdict` null: the engine has not answered yet; it will. */
  | { status: 'asked'; case: Case; verdict: Verdict | null }

export interface Desk {
  store: CaseStore
  mailbox: Mailbox
  record: Pick<RunRecord, 'payload'>
  /** How long an answer of the engine is waited for, milliseconds. */
  waitMs: number
}

export interface Decision {
  ns: string
  id: string
  resolution: Resolution
  /** The caller's `Idempotency-Key`. */
  key: string | undefined
}

/** JSON with its keys in order, so that equal requests have equal texts. */
const canonical = (value: Json): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )

/** Bound to case and body: a key that is used again for something else is another command, and is judged. */
const commandId = ({ id, resolution, key }: Decision): string => {
  if (key === undefined) return `desk:${randomUUID()}`
  const body: Json = JSON.parse(JSON.stringify(resolution))
  return `desk:${createHash('sha256')
    .update(JSON.stringify([key, id]))
    .update(canonical(body))
    .digest('hex')}`
}

const commandOf = async (desk: Desk, record: CaseRecord, decision: Decision): Promise<Command> => {
  const { resolution } = decision
  const { ns, run, path } = record.opened
  const trace = currentCarrier() ?? record.opened.trace
  const base = {
    id: commandId(decision),
    ns,
    run,
    path,
    by: { kind: 'operator', id: resolution.by },
    // the engine refuses a decision on a case that is not the open one
    case: decision.id,
    receipt: true,
    ...(resolution.reason === undefined ? {} : { reason: resolution.reason }),
    ...(trace === undefined ? {} : { trace }),
  } as const
  switch (resolution.action) {
    case 'retry':
      return { ...base, type: 'retry', ...(resolution.edit === undefined ? {} : { edit: resolution.edit }) }
    case 'skip':
      return { ...base, type: 'skip' }
    case 'fail':
      return { ...base, type: 'fail' }
    case 'override': {
      const output: Payload = await desk.record.payload(ns, run, resolution.output)
      return { ...base, type: 'override', output }
    }
    case 'approve': {
      const edits = resolution.edits === undefined ? {} : { edits: resolution.edits }
      return { ...base, type: 'approve', approved: true, ...edits }
    }
    case 'reject':
      return { ...base, type: 'approve', approved: false }
  }
}

const send = async (desk: Desk, record: CaseRecord, decision: Decision): Promise<Resolved> => {
  const { ns, id, resolution } = decision
  const command = await commandOf(desk, record, decision)
  const { action, by, reason = null } = resolution
  await desk.store.ask(ns, id, { action, by, reason, atMs: Date.now(), command: command.id })
  const verdict = await desk.mailbox.ask(command, desk.waitMs)
  if (verdict?.status === 'refused') await desk.store.unask(ns, id, command.id)
  const now = (await desk.store.get(ns, id)) ?? record
  return { status: 'asked', case: caseOf(now), verdict }
}

/** Sends the decision and waits for the verdict. A repeat under the same `Idempotency-Key` gets the same verdict. */
export const resolveCase = async (desk: Desk, decision: Decision): Promise<Resolved> => {
  const { ns, id, resolution } = decision
  const record = await desk.store.get(ns, id)
  if (!record) return { status: 'unknown' }
  const { opened, closed } = record
  if (closed) {
    const verdict = await desk.mailbox.receipt(ns, opened.run, commandId(decision))
    return verdict ? { status: 'asked', case: caseOf(record), verdict } : { status: 'closed' }
  }
  const { actions } = caseOf(record)
  if (!actions.includes(resolution.action)) return { status: 'wrong_action', actions }
  const labels = { ...attributes.run(ns, opened.run), ...attributes.step(opened.path), ...attributes.escalation(id) }
  return withSpan('resolve escalation', { carrier: opened.trace, attributes: labels }, () =>
    send(desk, record, decision),
  )
}

/** The case as it is now: a decision that the engine refused meanwhile is no longer shown. Null: unknown. */
export const readCase = async (desk: Desk, ns: string, id: string): Promise<Case | null> => {
  const record = await desk.store.get(ns, id)
  if (!record) return null
  if (!record.asked || record.closed) return caseOf(record)
  const verdict = await desk.mailbox.receipt(ns, record.opened.run, record.asked.command)
  if (verdict?.status !== 'refused') return caseOf(record)
  await desk.store.unask(ns, id, record.asked.command)
  return caseOf({ ...record, asked: null })
}
