// What the host and the thread of a bundle say to each other, and what a bundle is to its thread.
import type { Failure, Json } from '@stepfleet/contracts'

/** How a step ended, as the code is told. */
export interface EndedStep {
  name: string
  /** Of the event that ended it. */
  seq: number
  atMs: number
  result:
    | { status: 'completed' | 'overridden'; output: Json }
    | { status: 'failed'; failure: Failure }
    | { status: 'skipped' }
}

/** A step that the code asks for; not checked yet. */
export interface AskedStep {
  name: string
  step: Json
}

/** `step`: a failed step was not caught. `changed`: it is not the code that wrote the journal. */
export interface Threw {
  status: 'threw'
  kind: 'error' | 'step' | 'changed'
  message: string
  /** As V8 writes it, places in the bundle. */
  stack: string
  step: string | null
  failure: Failure | null
}
export type CodeState = { status: 'waiting' } | { status: 'returned'; output: Json } | Threw

/** What `begin` of a bundle's workflow gives. Bundles are kept for life, so this only ever grows. */
export interface CodeInstance {
  deliver(ended: EndedStep): void
  fail(error: unknown): void
  take(): { asked: AskedStep[]; state: CodeState }
}

export interface CodeStart {
  ns: string
  run: string
  startedAtMs: number
  input: Json
}

/** An export of a bundle that defineWorkflow made. */
export interface BundledWorkflow {
  name: string
  description: string | null
  input: { [key: string]: Json } | null
  begin(start: CodeStart): CodeInstance
}

/** The mark of what defineWorkflow makes. */
export const WORKFLOW = Symbol.for('stepfleet.workflow')

/** What runs in a thread: one bundle, by its text. */
export interface ThreadData {
  bundle: string
  /** Runs whose code is kept; the one that moved longest ago goes first. */
  maxRuns: number
}

export type Described =
  | { ok: true; name: string; description: string | null; input: { [key: string]: Json } | null }
  | { ok: false; why: string; stack: string }

/** `fromSeq` is where the code must stand; with `start` it begins anew. */
export interface AdvanceRequest {
  type: 'advance'
  key: string
  start: CodeStart | null
  fromSeq: number
  ended: readonly EndedStep[]
}
export type ThreadRequest = { type: 'describe' } | AdvanceRequest | { type: 'drop'; key: string }
export type AdvanceReply =
  | { type: 'advanced'; seq: number; asked: AskedStep[]; state: CodeState }
  | { type: 'lost' }
  | { type: 'unloaded'; why: string; stack: string }
export type ThreadReply = { type: 'described'; workflow: Described } | AdvanceReply
