// The circuit of a dependency as the whole fleet has it, in Redis; and what a person is told of it. Pure.
//
// closed      calls go through; each worker counts its own (breaker.ts), Redis those of all (lua/circuit-count.1.lua).
//             Too many failures in either open it for all.
// open        nothing goes through until `probeAtMs`. The first call that comes then is the probe.
// halfOpen    the probe is under way, under a lease that its holder renews. Its success starts the recovery; its failure
//             opens again, for twice as long, up to a limit. Broken off by us, it gives the lease back and says nothing.
//             A holder that died lets the lease run out, and the next call to come is the probe.
// recovering  calls go through in waves of 2, 4, 8, …: each waits for its calls to end (lua/circuit-wave.1.lua). Too
//             many failures in one open it again; the end of the last one closes it.
// forced      an operator holds it open or closed. Let go, a closed one is closed, an open one is tried by a probe.
//
// Each change has a new epoch. What was counted, or let through, under another one changes nothing.
import { type CircuitState, type CircuitView, circuitStateSchema } from '@stepfleet/contracts'
import { z } from 'zod'
import { clock } from './circuit-open.ts'

const number = z.coerce.number().default(0)
const text = z.string().default('')

const circuitFields = z.object({
  state: circuitStateSchema.default('closed'),
  epoch: z.string().default('0'),
  atMs: number,
  openedAtMs: number,
  probeAtMs: number,
  probes: number,
  probeUntilMs: number,
  wave: number,
  waveAtMs: number,
  turned: number,
  why: text,
  forced: z.enum(['open', 'closed']).nullable().default(null),
  by: text,
  reason: text,
})

/** Times are those of Redis, in ms; 0 where there is none. */
export interface Circuit {
  dependency: string
  state: CircuitState
  /** Of the last change; grows. `0`: there is no hash, so it is closed. A string: it is only compared with care. */
  epoch: string
  /** Of the last change. */
  atMs: number
  /** When it first opened, of this outage. */
  openedAtMs: number
  probeAtMs: number
  /** Probes and waves that have failed, of this outage. */
  probes: number
  /** When the lease of the probe runs out, if it is not renewed. */
  probeUntilMs: number
  /** Calls that the present wave lets through. */
  wave: number
  waveAtMs: number
  /** Calls that the present wave has refused. */
  turned: number
  /** What had failed: `529 ×7`. */
  why: string
  forced: 'open' | 'closed' | null
  by: string
  reason: string
}

const toldSchema = z.object({
  dependency: z.string(),
  verdict: z.string(),
  nowMs: z.number(),
  circuit: circuitFields,
})

/** A circuit as Redis told it, by a script's reply or a message. */
export interface Told {
  verdict: string
  /** Time of Redis when it said so. */
  nowMs: number
  circuit: Circuit
}

/** Throws for what is no circuit, such as one of a later release. */
export const readTold = (json: string): Told => {
  const { dependency, verdict, nowMs, circuit } = toldSchema.parse(JSON.parse(json))
  return { verdict, nowMs, circuit: { dependency, ...circuit } }
}

export const isPlainlyClosed = ({ state, forced }: Circuit): boolean => state === 'closed' && forced === null

const forcedText = ({ dependency, forced, atMs, by, reason }: Circuit): string =>
  `circuit ${dependency} was forced ${forced} at ${clock(atMs)} by ${by}${reason && `: ${reason}`}`

/** One line for a person; null: there is nothing to say of a closed circuit. */
export const whyOf = (circuit: Circuit): string | null => {
  if (circuit.forced !== null) return forcedText(circuit)
  const { dependency, state, openedAtMs, probeAtMs, wave, why, atMs } = circuit
  const open = `circuit ${dependency} is open since ${clock(openedAtMs)}${why && ` (${why})`}`
  switch (state) {
    case 'closed':
      return null
    case 'open':
      return `${open}; next probe at ${clock(probeAtMs)}`
    case 'halfOpen':
      return `${open}; a probe is under way`
    case 'recovering':
      return `circuit ${dependency} recovers since ${clock(atMs)}, open from ${clock(openedAtMs)}${why && ` (${why})`}; it lets ${wave} calls through at a time`
  }
}

/** For the fleet view; `workers` that have used it. */
export const circuitView = (circuit: Circuit, workers: number): CircuitView => {
  const { dependency, state, forced, by, openedAtMs, probeAtMs, atMs } = circuit
  const since = forced === null ? openedAtMs : atMs
  return {
    dependency,
    state,
    sinceMs: state === 'closed' && forced === null ? null : since,
    why: whyOf(circuit),
    nextProbeAtMs: state === 'open' && forced === null ? probeAtMs : null,
    forced,
    by: forced === null ? null : by,
    workers,
  }
}
