// The circuits of the fleet for its view, and an operator's hand on them.
import { type CircuitView, FLEET, type ForceCircuit, type WorkerInfo, workerInfoSchema } from '@stepfleet/contracts'
import { type Circuit, type CircuitStore, circuitView, createCircuitStore, type RedisClient } from '@stepfleet/runtime'
import { readable } from './readable.ts'

export interface Circuits {
  /** Those that `workers` use, and those that Redis holds, by name. */
  list(workers: readonly WorkerInfo[]): Promise<CircuitView[]>
  /** Holds a circuit, also one that no worker has used yet, or lets it go. The same again changes nothing. */
  force(dependency: string, force: ForceCircuit): Promise<CircuitView>
}

const SEVERITY = { closed: 0, halfOpen: 1, open: 2 } as const

type OfWorkers = Map<string, { state: keyof typeof SEVERITY; workers: number }>

/** Each dependency with the worst state that a worker reports. */
const ofWorkers = (workers: readonly WorkerInfo[]): OfWorkers => {
  const merged: OfWorkers = new Map()
  for (const worker of workers) {
    for (const [dependency, state] of Object.entries(worker.circuits)) {
      const seen = merged.get(dependency) ?? { state, workers: 0 }
      seen.workers += 1
      if (SEVERITY[state] > SEVERITY[seen.state]) seen.state = state
      merged.set(dependency, seen)
    }
  }
  return merged
}

/** One that a worker has opened, and the fleet does not know of: Redis was away, or there are too many to share. */
const ownView = (dependency: string, state: keyof typeof SEVERITY, workers: number): CircuitView => ({
  ...{ dependency, state, sinceMs: null, nextProbeAtMs: null, forced: null, by: null, workers },
  why: state === 'closed' ? null : `circuit ${dependency} is open in a worker, by its own calls`,
})

export const mergeCircuits = (workers: readonly WorkerInfo[], shared: readonly Circuit[]): CircuitView[] => {
  const used = ofWorkers(workers)
  const views = shared.map((circuit) => circuitView(circuit, used.get(circuit.dependency)?.workers ?? 0))
  const known = new Set(shared.map(({ dependency }) => dependency))
  for (const [dependency, { state, workers: count }] of used) {
    if (!known.has(dependency)) views.push(ownView(dependency, state, count))
  }
  return views.sort((a, b) => (a.dependency < b.dependency ? -1 : 1))
}

export const createCircuits = (client: RedisClient): Circuits => {
  const store: CircuitStore = createCircuitStore(client)
  const shared = async (): Promise<Circuit[]> => (await store.list()).map(({ circuit }) => circuit)
  return {
    list: async (workers) => mergeCircuits(workers, await shared()),
    force: async (dependency, force) => {
      const { circuit } = await store.force(dependency, force)
      const workers = readable(await client.hgetall(FLEET.workers), workerInfoSchema)
      return circuitView(circuit, ofWorkers([...workers.values()]).get(dependency)?.workers ?? 0)
    },
  }
}
