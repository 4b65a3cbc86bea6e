// Instances: the code of many runs in one memory. Each is told how its steps ended, one after another, and runs until
// nothing moves before it is told the next: so a replay interleaves as the first time did.
import { setImmediate } from 'node:timers'
import type { AdvanceReply, AdvanceRequest, BundledWorkflow, CodeInstance } from './protocol.ts'

/** Where the code of a run stands: it was told everything up to `seq`. A run begins with the event 1. */
interface Held {
  code: CodeInstance
  seq: number
}
const BEGUN = 1

/** All microtasks are worked off before the next turn of the loop. */
const untilNothingMoves = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Calls into the code of a workflow; what follows from a call follows in microtasks. */
export type Enter = <T>(call: () => T) => T

export class Instances {
  readonly #maxRuns: number
  readonly #enter: Enter
  readonly #runs = new Map<string, Held>()
  #moving: CodeInstance | null = null

  constructor(maxRuns: number, enter: Enter = (call) => call()) {
    this.#maxRuns = maxRuns
    this.#enter = enter
  }

  /** Whose code is running. */
  get moving(): CodeInstance | null {
    return this.#moving
  }

  /** `lost`: there is no instance at that point. */
  async advance(
    workflow: BundledWorkflow,
    request: AdvanceRequest,
  ): Promise<Extract<AdvanceReply, { type: 'advanced' | 'lost' }>> {
    const { key, fromSeq, ended } = request
    const held = this.#begin(workflow, request) ?? this.#runs.get(key)
    if (!held || (!request.start && held.seq !== fromSeq)) return { type: 'lost' }
    const { code } = held
    this.#moving = code
    await untilNothingMoves()
    const { asked, ...now } = code.take()
    for (const one of ended) {
      if (now.state.status !== 'waiting') break
      this.#enter(() => code.deliver(one))
      held.seq = one.seq
      await untilNothingMoves()
      const taken = code.take()
      now.state = taken.state
      for (const more of taken.asked) asked.push(more)
    }
    this.#moving = null
    const { state } = now
    if (state.status === 'waiting') this.#keep(key, held)
    else this.#runs.delete(key)
    return { type: 'advanced', seq: held.seq, asked, state }
  }

  /** Forgets the code of a run. */
  drop(key: string): void {
    this.#runs.delete(key)
  }

  #begin(workflow: BundledWorkflow, { start }: AdvanceRequest): Held | null {
    return start && { code: this.#enter(() => workflow.begin(start)), seq: BEGUN }
  }

  /** Puts a run in front and lets the oldest go. */
  #keep(key: string, held: Held): void {
    this.#runs.delete(key)
    this.#runs.set(key, held)
    const [oldest] = this.#runs.keys()
    if (this.#runs.size > this.#maxRuns && oldest !== undefined) this.#runs.delete(oldest)
  }
}
