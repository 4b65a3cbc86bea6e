// Verdicts: the engine's answer to a command.
import type { Verdict } from '@stepfleet/contracts'
import { runHasEnded } from '../state/state.ts'
import type { Turn } from '../turn.ts'

export const applied = (turn: Turn): Verdict => ({ status: 'applied', seq: turn.state.version })

/** `code` is a problem code of the API. */
export const refused = (code: string, message: string): Verdict => ({ status: 'refused', code, message })

/** The refusal of an ended run, or null. */
export const refuseEnded = (turn: Turn): Verdict | null =>
  runHasEnded(turn.state)
    ? refused('run_ended', `the run is ${turn.state.status}; submit it again to run it anew`)
    : null
