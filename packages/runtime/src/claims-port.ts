// What a worker asks of the record of a run: claims, reports, and the payloads its tasks refer to.
import type { CommandOf, Event, Json, TaskRef } from '@stepfleet/contracts'

export type ClaimAnswer =
  | { status: 'granted'; atMs: number }
  /** `not_out`: ended, cancelled or never dispatched; `superseded`: another attempt or delivery is out. */
  | { status: 'refused'; why: 'not_out' | 'superseded' | 'held' | 'reported' }

export interface Claims {
  /** Granted only for what is out and unclaimed; again for the same token (a reply was lost). */
  claim(task: TaskRef, worker: string, token: string): Promise<ClaimAnswer>
  /** Records durably that a `once` task is about to act; false: the claim is no longer this token's. */
  begin(task: TaskRef, token: string): Promise<boolean>
  /**
   * Puts the outcome into the mailbox, marks `out` reported, removes the claim: one script. `repeat`: this token
   * reported before. `late`: the task is no longer out under this token; the command is in the mailbox all the
   * same, because it was paid.
   */
  report(task: TaskRef, token: string, command: CommandOf<'outcome'>): Promise<'reported' | 'repeat' | 'late'>
  /** For each task: is this attempt still out? False means: abort. */
  stillOut(tasks: readonly TaskRef[]): Promise<boolean[]>
}

export interface RunRecord {
  /** Events of a run by sequence number, in the order asked for; throws when one is missing. */
  events(ns: string, run: string, seqs: readonly number[]): Promise<Event[]>
  blob(ns: string, run: string, sha: string): Promise<Json>
  /** Inline, or written as a blob first when its JSON is over the inline limit. Throws over 16 MiB. */
  payload(ns: string, run: string, value: Json): Promise<import('@stepfleet/contracts').Payload>
}
