// The desk's store as the door and the queue see it. All of it can be made again out of notices.
import type { Case, EscalationNotice } from '@stepfleet/contracts'
import type { Asked, CaseRecord } from '../cases.ts'

export interface CaseFilter {
  /** `open` holds what is not closed. */
  status: 'open' | 'closed' | 'all'
  run: string | undefined
}

export interface CasePage {
  items: Case[]
  /** Opaque; null: this was the last page. */
  cursor: string | null
}

/** A cursor that this store did not make. */
export class BadCursor extends Error {}

export interface CaseStore {
  /** Takes a notice; again, late or out of order makes no difference. */
  put(notice: EscalationNotice): Promise<void>
  /** Null: not opened, or closed and forgotten. */
  get(ns: string, id: string): Promise<CaseRecord | null>
  /** Newest first. @throws BadCursor */
  list(ns: string, filter: CaseFilter, page: { limit: number; cursor: string | undefined }): Promise<CasePage>
  /** Notes the decision that was sent last. */
  ask(ns: string, id: string, asked: Asked): Promise<void>
  /** Takes the note of this command back, when it is still the last. */
  unask(ns: string, id: string, command: string): Promise<void>
}
