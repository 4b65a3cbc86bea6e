// Plans: definitions compiled once per process, found by the hash that a run's first event names.
import { definitionSchema, type WorkflowRef } from '@stepfleet/contracts'
import { compile, type Plan } from '@stepfleet/engine'
import type { DefinitionStore } from '../store/port.ts'

const KEPT = 500

export class Plans {
  readonly #store: DefinitionStore
  readonly #plans = new Map<string, Plan>()

  constructor(store: DefinitionStore) {
    this.#store = store
  }

  /** Throws when the definition is gone: an accepted run keeps its version for life. */
  async of(ns: string, ref: WorkflowRef): Promise<Plan> {
    const known = this.#plans.get(ref.hash)
    if (known) return known
    const definition = await this.#store.byRef(ns, ref)
    if (definition === null) throw new Error(`definition ${ref.name} ${ref.hash} of namespace ${ns} is gone`)
    const plan = compile(definitionSchema.parse(definition), ref.hash)
    this.#plans.set(ref.hash, plan)
    const [oldest] = this.#plans.keys()
    if (this.#plans.size > KEPT && oldest !== undefined) this.#plans.delete(oldest)
    return plan
  }
}
