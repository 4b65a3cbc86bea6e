// A fleet that plays limits by a seed: holders come, wait, are called or not, crash and ask again, and give back.
import { rng } from '@stepfleet/testkit'
import type { FleetLimits, Holder } from './port.ts'

export interface Play {
  limit: number
  perMs: number | null
  holders: number
  /** How late a waiter with a delay asks. */
  lateMs: number
}

interface Player {
  holder: Holder
  phase: 'new' | 'waits' | 'holds' | 'done'
  /** Its place in the order of those who came. */
  came: number
  /** When it does its next thing. */
  nextMs: number
  /** When the limit expects it to ask. */
  dueMs: number
  /** When it was granted. */
  sinceMs: number
  version: number
}

export interface Grant {
  came: number
  atMs: number
  /** Places free before it, and how many of those who came before it waited and were not late. */
  free: number
  before: number
}

export interface Played {
  grants: Grant[]
  /** Most places that were held at a time. */
  peak: number
  /** What went against the promises while it was played. */
  broken: string[]
}

const NS = 'default'
const KEY = 'k'
const MOST_STEPS = 20_000

/** Plays until everybody was served. `setNow` moves the clock of the limits. */
export const playFleet = async (
  seed: number,
  { limit, perMs, holders, lateMs }: Play,
  { limits, setNow }: { limits: FleetLimits; setNow(ms: number): void },
): Promise<Played> => {
  const random = rng(seed)
  const played: Played = { grants: [], peak: 0, broken: [] }
  let nowMs = 1_000_000
  let came = 0
  const players = Array.from(
    { length: holders },
    (_, index): Player => ({
      holder: { run: `r${random.int(0, 2)}`, path: `step[${index}]` },
      phase: 'new',
      came: 0,
      nextMs: nowMs + random.int(0, 3_000),
      dueMs: 0,
      sinceMs: 0,
      version: 1,
    }),
  )
  const called = (list: readonly Holder[]): void => {
    for (const { run, path } of list) {
      const player = players.find(({ holder }) => holder.run === run && holder.path === path)
      if (player?.phase !== 'waits') played.broken.push(`${run}/${path} was called and does not wait`)
      if (!player) continue
      player.dueMs = Math.min(player.dueMs, nowMs)
      // some calls are lost, some take long
      if (!random.chance(0.1)) player.nextMs = nowMs + (random.chance(0.05) ? lateMs * 2 : random.int(0, 50))
    }
  }
  const freeNow = (): number =>
    limit -
    (perMs === null
      ? players.filter(({ phase }) => phase === 'holds').length
      : played.grants.filter(({ atMs }) => atMs > nowMs - perMs).length)

  const ask = async (player: Player): Promise<void> => {
    player.version += 1
    if (player.phase === 'new') {
      player.came = came
      came += 1
    }
    const free = freeNow()
    const before = players.filter(
      (other) => other.phase === 'waits' && other.came < player.came && other.dueMs > nowMs - lateMs,
    ).length
    const { holder, version } = player
    const answer = await limits.take(NS, { key: KEY, limit, perMs, holder, version })
    if (player.phase === 'holds') {
      if (!answer.granted) played.broken.push(`${holder.path} lost what it had`)
    } else if (answer.granted) {
      played.grants.push({ came: player.came, atMs: nowMs, free, before })
      player.phase = 'holds'
      player.sinceMs = nowMs
      player.nextMs = nowMs + random.int(0, 4_000)
      played.peak = Math.max(played.peak, players.filter(({ phase }) => phase === 'holds').length)
    } else {
      player.phase = 'waits'
      player.dueMs = answer.againAtMs
      if (answer.againAtMs <= nowMs) played.broken.push(`${holder.path} is told to ask again at once`)
      player.nextMs = answer.againAtMs + (random.chance(0.05) ? lateMs * 2 : random.int(0, 50))
    }
    called(answer.call)
  }

  const release = async (player: Player): Promise<void> => {
    const { holder, version } = player
    player.phase = 'done'
    const name = { kind: perMs === null ? 'concurrency' : 'rate', key: KEY } as const
    called(await limits.release(NS, name, holder, version + 1))
    if (random.chance(0.3)) called(await limits.release(NS, name, holder, version + 1))
  }

  for (let step = 0; step < MOST_STEPS && players.some(({ phase }) => phase !== 'done'); step += 1) {
    const open = players.filter(({ phase }) => phase !== 'done').sort((a, b) => a.nextMs - b.nextMs)
    // an engine that came back asks for somebody again, at any time; a start is known for as long as it counts
    const asking = open.filter(({ phase, sinceMs }) => phase !== 'holds' || perMs === null || sinceMs > nowMs - perMs)
    const [next] = asking.length > 0 && random.chance(0.1) ? [random.pick(asking)] : open
    if (!next) break
    const again = next !== open[0]
    if (!again) nowMs = Math.max(nowMs, next.nextMs)
    setNow(nowMs)
    if (next.phase === 'holds' && !again) await release(next)
    else await ask(next)
  }
  if (players.some(({ phase }) => phase !== 'done')) played.broken.push('not everybody was served')
  return played
}
