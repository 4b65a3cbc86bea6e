// Plans: definitions compiled once per process, found by the hash that a run's first event names.
import type { WorkflowRef } from '@stepfleet/contracts'
import { compile, compileCode, type Plan } from '@stepfleet/engine'
import { bundleText, readStored } from '../code/definition.ts'
import type { DefinitionStore } from '../store/port.ts'

const KEPT = 500

export class Plans {
  readonly #store: DefinitionStore
  /** A plan of code belongs to one run: what is kept makes a new one each time. */
  readonly #plans = new Map<string, () => Plan>()

  constructor(store: DefinitionStore) {
    this.#store = store
  }

  /** Throws when the definition is gone: an accepted run keeps its version for life. */
  async of(ns: string, ref: WorkflowRef): Promise<Plan> {
    const known = this.#plans.get(ref.hash)
    if (known) return known()
    const definition = await this.#store.byRef(ns, ref)
    if (definition === null) throw new Error(`definition ${ref.name} ${ref.hash} of namespace ${ns} is gone`)
    const { definition: said, code } = readStored(definition)
    const make = code
      ? codePlans(said, ref.hash, { ...code, bundle: await bundleText(this.#store, ns, ref.name, code.hash) })
      : onePlan(compile(said, ref.hash))
    this.#plans.set(ref.hash, make)
    const [oldest] = this.#plans.keys()
    if (this.#plans.size > KEPT && oldest !== undefined) this.#plans.delete(oldest)
    return make()
  }
}

const onePlan =
  (plan: Plan): (() => Plan) =>
  () =>
    plan

const codePlans =
  (...of: Parameters<typeof compileCode>): (() => Plan) =>
  () =>
    compileCode(...of)
