// The faults of the chaos run. Before each, all shards are owned by the victim, and a burst of runs is sent that keeps
// the fleet busy: a fault between two idle moments would prove little.
import { SHARDS } from '@stepfleet/contracts'
import { type Planned, submitAll } from './chaos-load.ts'
import type { Fleet } from './fleet.ts'
import { type Api, createApi, pause, until } from './http.ts'
import { lastToolCalls, type ToolCall } from './records.ts'

/**
 * `kill`: SIGKILL of the engine, and a new one. `stop`: SIGSTOP of the engine until another one owns all shards, then
 * SIGCONT. `worker-stop`: SIGSTOP of a tool-worker until its tasks have been given to others, then SIGCONT.
 */
export type FaultKind = 'kill' | 'stop' | 'worker-stop'

export interface Fault {
  kind: FaultKind
  /** Whom it hit. */
  pid: number
  atMs: number
  /** When what it explains was over: all shards have an owner again, or the worker goes on. */
  backAtMs: number
  /** When a stopped process went on; null: it was killed. */
  resumedAtMs: number | null
}

export interface FaultsOptions {
  api: Api
  fleet: Fleet
  /** The process that owns the shards. */
  victim: 'engine' | 'orchestrator'
  random: () => number
  /** The ledger of the tools. */
  effects: string
}

/** The worker that is stopped; another one must be there to take over. */
export const STOPPED_WORKER = 'tool-worker-1'
/** From a kill or stop until all shards have an owner again: the lease (2 s), a process's start, some load. */
const RECOVERY_MS = 30_000
/** A fault comes up to this after its burst was sent. */
const LOADED_MS = 250
/** How long the new owner works before the old one goes on: what the old one has in its hands is stale by then. */
const STALE_MS = 300
/** A worker's lease is 1 s, and the engine looks every 100 ms. */
const WORKER_LOST_MS = 2_500
/** Runs of one submit. */
const BATCH = 10

interface Fleeting {
  engines: { pid: number; alive: boolean | null; shards: number[] }[]
}

/** Shards by the pid of who says that it owns them. The API may be away. */
const ownersOf = async (api: Api): Promise<Map<number, number[]>> => {
  const answer = await api.get<Fleeting>('/v1/fleet').catch(() => null)
  return new Map(answer?.status === 200 ? answer.body.engines.map(({ pid, shards }) => [pid, shards]) : [])
}

const pidOf = (fleet: Fleet, name: string): number => fleet.pids()[name] ?? 0

const untilOwnsAll = (api: Api, fleet: Fleet, name: string): Promise<void> =>
  until(
    `${name} to own all shards`,
    RECOVERY_MS,
    async () => (await ownersOf(api)).get(pidOf(fleet, name))?.length === SHARDS,
    100,
  )

/** Two engines have agreed on who owns which shard. */
const untilShared = (api: Api, fleet: Fleet, names: readonly string[]): Promise<void> =>
  until(
    `${names.join(' and ')} to share the shards`,
    RECOVERY_MS,
    async () => {
      const owners = await ownersOf(api)
      const shares = names.map((name) => owners.get(pidOf(fleet, name)) ?? [])
      const all = shares.flat()
      return all.length === SHARDS && new Set(all).size === SHARDS && shares.every(({ length }) => length > 0)
    },
    100,
  )

const kill = async ({ api, fleet, victim, random }: FaultsOptions): Promise<Fault> => {
  const pid = pidOf(fleet, victim)
  const atMs = Date.now()
  await fleet.kill(victim)
  // a supervisor takes a moment too
  await pause(random() * 200)
  fleet.start(victim)
  await untilOwnsAll(api, fleet, victim)
  return { kind: 'kill', pid, atMs, backAtMs: Date.now(), resumedAtMs: null }
}

/** At its end both engines have lived side by side, and the victim owns all shards again. */
const stop = async ({ api, fleet, victim }: FaultsOptions): Promise<Fault> => {
  const pid = pidOf(fleet, victim)
  const atMs = Date.now()
  fleet.suspend(victim)
  fleet.start('spare')
  // an API in the stopped process says nothing
  const other = createApi(victim === 'orchestrator' ? fleet.urlOf('spare') : api.url, 2_000)
  await untilOwnsAll(other, fleet, 'spare')
  other.close()
  const backAtMs = Date.now()
  await pause(STALE_MS)
  fleet.resume(victim)
  const resumedAtMs = Date.now()
  await untilShared(api, fleet, [victim, 'spare'])
  await fleet.end('spare')
  await untilOwnsAll(api, fleet, victim)
  return { kind: 'stop', pid, atMs, backAtMs, resumedAtMs }
}

/** A call of effect `once` that has just begun: the shortest takes 20 ms. */
const JUST_MS = 12
/** Without one in this time there is no load, and the worker is stopped as it is. */
const MOST_MS = 3_000

/** The worker has a call in its hands that must not be made a second time. */
const untilPays = async (effects: string, pid: number): Promise<void> => {
  const pays = ({ tool, ...call }: ToolCall): boolean =>
    tool === 'pay' && call.pid === pid && Date.now() - call.atMs < JUST_MS
  await until('a call of pay', MOST_MS, () => lastToolCalls(effects).some(pays), 2).catch(() => undefined)
}

const stopWorker = async ({ fleet, effects }: FaultsOptions): Promise<Fault> => {
  const pid = pidOf(fleet, STOPPED_WORKER)
  await untilPays(effects, pid)
  const atMs = Date.now()
  fleet.suspend(STOPPED_WORKER)
  await pause(WORKER_LOST_MS)
  fleet.resume(STOPPED_WORKER)
  return { kind: 'worker-stop', pid, atMs, backAtMs: Date.now(), resumedAtMs: Date.now() }
}

const DO: Record<FaultKind, (options: FaultsOptions) => Promise<Fault>> = {
  kill,
  stop,
  'worker-stop': stopWorker,
}

/** So many of each, in a seeded order. */
export const planFaults = (counts: Record<FaultKind, number>, random: () => number): FaultKind[] => {
  const left: FaultKind[] = (['kill', 'stop', 'worker-stop'] as const).flatMap((kind) =>
    Array.from({ length: counts[kind] }, () => kind),
  )
  const planned: FaultKind[] = []
  while (left.length > 0) planned.push(...left.splice(Math.floor(random() * left.length), 1))
  return planned
}

/** The faults one after another, each in the middle of its burst. */
export const faultAround = async (
  options: FaultsOptions,
  planned: readonly FaultKind[],
  burstOf: (at: number) => readonly Planned[],
): Promise<{ faults: Fault[]; submits: Promise<void>[] }> => {
  const faults: Fault[] = []
  const submits: Promise<void>[] = []
  for (const [at, kind] of planned.entries()) {
    const burst = burstOf(at)
    for (let i = 0; i < burst.length; i += BATCH)
      submits.push(submitAll(options.api, burst.slice(i, i + BATCH), () => true))
    // a worker is stopped in the middle of a call, whenever that is
    if (kind !== 'worker-stop') await pause(10 + options.random() * LOADED_MS)
    faults.push(await DO[kind](options))
    if (faults.length % 5 === 0) console.log(`  ${faults.length} faults`)
  }
  return { faults, submits }
}

/** Milliseconds of a stretch that no fault explains. */
export const unexplained =
  (faults: readonly Fault[]) =>
  (fromMs: number, toMs: number): number =>
    faults.reduce(
      (left, { atMs, backAtMs }) => left - Math.max(0, Math.min(toMs, backAtMs) - Math.max(fromMs, atMs)),
      toMs - fromMs,
    )

/** A call that began so near to a stop was under way in it: the longest takes 270 ms and an fsync. */
const NEAR_MS = 500

/**
 * How often an effect key was in the hands of a worker that was taken for dead: then others called it too. By the
 * ledger of the tools: what the stopped process called right before, or when it went on.
 */
export const deathsOf = (faults: readonly Fault[], calls: readonly ToolCall[]): ((key: string) => number) => {
  const deaths = new Map<string, number>()
  for (const { kind, pid, atMs, resumedAtMs } of faults) {
    if (kind !== 'worker-stop' || resumedAtMs === null) continue
    const near = (at: number): boolean =>
      (at > atMs - NEAR_MS && at <= atMs) || (at >= resumedAtMs && at < resumedAtMs + NEAR_MS)
    const hit = new Set(calls.filter((call) => call.pid === pid && near(call.atMs)).map(({ key }) => key))
    for (const key of hit) deaths.set(key, (deaths.get(key) ?? 0) + 1)
  }
  return (key) => deaths.get(key) ?? 0
}
