// Reads what the processes of the fleet say of themselves, and whether their beats move.
import {
  type EngineInfo,
  engineInfoSchema,
  FLEET,
  type ToolManifest,
  toolManifestSchema,
  type WorkerInfo,
  workerInfoSchema,
} from '@stepfleet/contracts'
import type { Publisher, RedisClient } from '@stepfleet/runtime'
import type { z } from 'zod'
import type { FleetView, QueueView } from './http/bodies.ts'

/** A worker beats every 200 ms; over this time a live one has beaten. */
const LOOK_MS = 300

/** Entries of a hash that can be read; one from another release that cannot is left out, not fatal. */
const readable = <T>(fields: Record<string, string>, schema: z.ZodType<T>): Map<string, T> => {
  const found = new Map<string, T>()
  for (const [name, text] of Object.entries(fields)) {
    const parsed = schema.safeParse(parseOrNull(text))
    if (parsed.success) found.set(name, parsed.data)
  }
  return found
}

const parseOrNull = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Module tools that workers have published, by name. */
export const readToolManifests = async (client: RedisClient): Promise<ReadonlyMap<string, ToolManifest>> =>
  readable(await client.hgetall(FLEET.tools), toolManifestSchema)

const SEVERITY = { closed: 0, halfOpen: 1, open: 2 } as const

/** Each dependency with the worst state that a live worker reports. */
const mergeCircuits = (workers: readonly (WorkerInfo & { alive: boolean | null })[]): FleetView['circuits'] => {
  const merged = new Map<string, FleetView['circuits'][number]>()
  for (const worker of workers) {
    if (worker.alive === false) continue
    for (const [dependency, state] of Object.entries(worker.circuits)) {
      const seen = merged.get(dependency) ?? { dependency, state, workers: 0 }
      seen.workers += 1
      if (SEVERITY[state] > SEVERITY[seen.state]) seen.state = state
      merged.set(dependency, seen)
    }
  }
  return [...merged.values()].sort((a, b) => (a.dependency < b.dependency ? -1 : 1))
}

/**
 * Beats are counters without a time, so only looking twice tells whether they move, and since when they have not.
 * State of one entry: `count` as last read, `movedAtMs` when it was last seen to change (or first seen), by our
 * own monotonic clock.
 */
interface Beat {
  count: string
  movedAtMs: number
}

export interface FleetReader {
  /** Takes about 300 ms: it watches the beats for that long. */
  view(): Promise<FleetView>
}

export const createFleetReader = (client: RedisClient, publisher: Pick<Publisher, 'depth'>): FleetReader => {
  let beats = new Map<string, Beat>()

  const look = async (): Promise<void> => {
    const counts = await client.hgetall(FLEET.beats)
    const now = performance.now()
    const next = new Map<string, Beat>()
    for (const [id, count] of Object.entries(counts)) {
      const before = beats.get(id)
      next.set(id, before?.count === count ? before : { count, movedAtMs: now })
    }
    beats = next
  }

  const livenessOf = (id: string, sinceMs: number): { alive: boolean | null; lastBeatAgoMs: number | null } => {
    const beat = beats.get(id)
    if (!beat) return { alive: null, lastBeatAgoMs: null }
    const alive = beat.movedAtMs > sinceMs
    return { alive, lastBeatAgoMs: alive ? 0 : Math.round(performance.now() - beat.movedAtMs) }
  }

  const depths = async (): Promise<QueueView[]> => {
    const names = (await client.smembers(FLEET.queues)).sort()
    return Promise.all(names.map(async (name) => ({ name, ...(await publisher.depth(name)) })))
  }

  const view = async (): Promise<FleetView> => {
    const reading = Promise.all([client.hgetall(FLEET.workers), client.hgetall(FLEET.engines), depths()])
    await look()
    const sinceMs = performance.now()
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    const [[workerFields, engineFields, queues]] = await Promise.all([reading, look()])
    const withLiveness = <T extends WorkerInfo | EngineInfo>(info: T) => ({ ...info, ...livenessOf(info.id, sinceMs) })
    const workers = [...readable(workerFields, workerInfoSchema).values()].map(withLiveness)
    const engines = [...readable(engineFields, engineInfoSchema).values()].map(withLiveness)
    return { workers, engines, queues, circuits: mergeCircuits(workers) }
  }
  return { view }
}
