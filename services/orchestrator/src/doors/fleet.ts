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
import { createCircuits } from './circuits.ts'
import type { FleetView, QueueView } from './http/bodies.ts'
import { readable } from './readable.ts'

/** A worker beats every 200 ms; over this time a live one has beaten. */
const LOOK_MS = 300

/** Module tools that workers have published, by name. */
export const readToolManifests = async (client: RedisClient): Promise<ReadonlyMap<string, ToolManifest>> =>
  readable(await client.hgetall(FLEET.tools), toolManifestSchema)

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
  const circuits = createCircuits(client)
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
    const living = workers.filter(({ alive }) => alive !== false)
    return { workers, engines, queues, circuits: await circuits.list(living) }
  }
  return { view }
}
