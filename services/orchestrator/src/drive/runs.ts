// The runs an engine has in memory. A cache: dropping one costs a load, never a fact.
import { fullRunId, type WorkflowRef } from '@stepfleet/contracts'
import { createState, fold, fromSnapshot, type Plan, type RunState, revive, toSnapshot } from '@stepfleet/engine'
import type { Store } from '../store/port.ts'
import { learnAsked } from './code.ts'
import type { Plans } from './plans.ts'
import { RunValues } from './values.ts'

export interface LoadedRun {
  ns: string
  run: string
  plan: Plan
  state: RunState
  values: RunValues
  /** Random id of the last append (or of the submit). */
  tip: string
  /** The wake that Redis knows; undefined right after a load. */
  wakeAtMs: number | null | undefined
  snapshotSeq: number
}

const PAGE = 5_000
/**
 * A run longer than this since its last snapshot gets a new one, and a long run when it has grown by a tenth: so what is
 * written in all is some times the last snapshot, however long the run.
 */
const SNAPSHOT_EVERY = 2_000
const SNAPSHOT_GROWTH = 0.1
/** What a cached step takes in memory, measured over wide and long runs. */
const BYTES_PER_STEP = 1_500
const BYTES_PER_RUN = 4_000

export class Runs {
  readonly #store: Store
  readonly #plans: Plans
  readonly #maxBytes: number
  readonly #loaded = new Map<string, { run: LoadedRun; bytes: number }>()
  #bytes = 0

  constructor(store: Store, plans: Plans, maxBytes: number) {
    this.#store = store
    this.#plans = plans
    this.#maxBytes = maxBytes
  }

  cached(ns: string, run: string): LoadedRun | undefined {
    return this.#loaded.get(fullRunId(ns, run))?.run
  }

  /** The run as its journal says; null when there is none. `first` names the workflow of a run without events. */
  async load(ns: string, run: string, first?: WorkflowRef): Promise<LoadedRun | null> {
    const known = this.cached(ns, run)
    if (known) return known
    const loaded = await loadRun({ store: this.#store, plans: this.#plans }, ns, run, first)
    if (loaded) this.keep(loaded)
    return loaded
  }

  /** Puts a run in front and lets the oldest go when the cache is over its bytes. Ended runs go at once. */
  keep(run: LoadedRun): void {
    this.drop(run.ns, run.run)
    if (run.state.endedAtMs !== null) return
    const bytes = BYTES_PER_RUN + run.state.steps.size * BYTES_PER_STEP
    this.#loaded.set(fullRunId(run.ns, run.run), { run, bytes })
    this.#bytes += bytes
    for (const [key, entry] of this.#loaded) {
      if (this.#bytes <= this.#maxBytes || entry.run === run) return
      this.#loaded.delete(key)
      this.#bytes -= entry.bytes
    }
  }

  drop(ns: string, run: string): void {
    const key = fullRunId(ns, run)
    const entry = this.#loaded.get(key)
    if (!entry) return
    this.#loaded.delete(key)
    this.#bytes -= entry.bytes
  }

  /** Writes a snapshot when the tail has grown long. Failing to costs the next load some time. */
  async snapshot(run: LoadedRun): Promise<void> {
    const tail = run.state.version - run.snapshotSeq
    const isLong = run.state.endedAtMs !== null || tail >= run.snapshotSeq * SNAPSHOT_GROWTH
    if (tail < SNAPSHOT_EVERY || !isLong) return
    run.snapshotSeq = run.state.version
    await this.#store.putSnapshot(run.ns, run.run, run.state.version, toSnapshot(run.state))
  }
}

const readState = async (store: Store, ns: string, run: string): Promise<{ state: RunState; snapshotSeq: number }> => {
  const stored = await store.snapshot(ns, run)
  const base = stored ? fromSnapshot(stored.text) : null
  const state = base ?? createState(ns, run)
  const snapshotSeq = base ? state.version : 0
  for (;;) {
    const events = await store.journal(ns, run, state.version + 1, PAGE)
    for (const event of events) fold(state, event)
    if (events.length < PAGE) return { state, snapshotSeq }
  }
}

/**
 * Loads a run whole: head, snapshot, tail. The head is read before and after: an append in between would give
 * a tip that does not belong to the events.
 */
export const loadRun = async (
  from: { store: Store; plans: Plans },
  ns: string,
  run: string,
  first?: WorkflowRef,
): Promise<LoadedRun | null> => {
  for (;;) {
    const head = await from.store.head(ns, run)
    if (!head) return null
    const { state, snapshotSeq } = await readState(from.store, ns, run)
    if (state.version !== head.version) continue
    const ref = state.version > 0 ? state.workflow : (first ?? head.workflow)
    const plan = await from.plans.of(ns, ref)
    const values = new RunValues()
    if (plan.code) await learnAsked(from.store, { ns, run, state, values }, plan.code)
    return {
      ns,
      run,
      plan,
      state: revive(plan, state),
      values,
      tip: head.tip,
      wakeAtMs: undefined,
      snapshotSeq,
    }
  }
}
