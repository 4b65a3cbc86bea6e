// When a task that a circuit refused comes back. Not all at once: each one that is sent away costs the run two appends
// and a delivery, and thousands may wait. Pure but for the chance that is passed in.
import type { Circuit } from './circuit.ts'
import { CIRCUIT_TUNING } from './circuit-store.ts'

export interface WaitTuning {
  /** What is told while the probe is under way, at least. */
  probeWaitMs: number
  /** While an operator holds it open, at least. */
  forcedWaitMs: number
  /** Tasks that a worker has refused come back one by one, so far apart. */
  spreadMs: number
  /** But the last one after this at the latest, together with others then. */
  maxSpreadMs: number
  /** As for the waves of the store. */
  waveMs: number
  lastWave: number
}

export const WAIT_TUNING: WaitTuning = {
  probeWaitMs: 1_000,
  forcedWaitMs: 10_000,
  spreadMs: 50,
  maxSpreadMs: 60_000,
  waveMs: CIRCUIT_TUNING.waveMs,
  lastWave: CIRCUIT_TUNING.lastWave,
}

/** The place in line of the nth (from 0) that this worker refuses in a row. */
const spread = (nth: number, tuning: WaitTuning, chance: number): number =>
  ((nth * tuning.spreadMs) % tuning.maxSpreadMs) + chance * tuning.spreadMs

/**
 * Until the wave that has room for it, if all goes well: the nth that the present wave refuses in the whole fleet. Those
 * that find no room in any come after the last one, one by one.
 */
const waveWait = ({ wave, turned }: Circuit, tuning: WaitTuning, chance: number): number => {
  let room = 0
  let waitMs = 0
  for (let size = wave * 2; size <= tuning.lastWave; size *= 2) {
    waitMs += tuning.waveMs
    room += size
    if (turned <= room) return waitMs + chance * tuning.waveMs
  }
  return waitMs + tuning.waveMs + spread(turned - room, tuning, chance)
}

/** How long a refused task is to wait, at least 1 ms. `nowMs`: Redis's; `chance` from 0 to 1. */
export const refusalWaitMs = (
  circuit: Circuit,
  given: { nowMs: number; nth: number; chance: number },
  tuning: WaitTuning,
): number => {
  const { nowMs, nth, chance } = given
  const apart = spread(nth, tuning, chance)
  const wait = (): number => {
    if (circuit.forced === 'open') return tuning.forcedWaitMs + apart
    switch (circuit.state) {
      case 'open':
        return Math.max(0, circuit.probeAtMs - nowMs) + apart
      case 'recovering':
        return waveWait(circuit, tuning, chance)
      case 'halfOpen':
      case 'closed':
        return tuning.probeWaitMs + apart
    }
  }
  return Math.max(1, Math.ceil(wait()))
}
