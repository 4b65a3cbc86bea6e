// output: what a step or a run gives, as a payload. What is too large is a failure, and never a stopped engine.
import { type Failure, failure, type Json, LIMITS, type Payload } from '@stepfleet/contracts'
import type { Turn } from '../turn.ts'
import { settleFailure } from './failure-policy.ts'

const MIB = 1024 * 1024

/** The payload of a value, or what is wrong with it. */
export const packed = (turn: Turn, value: Json): { payload: Payload } | { failure: Failure } => {
  const payload = turn.values.pack(value)
  if (!('blob' in payload) || payload.bytes <= LIMITS.payloadBytes) return { payload }
  const message = `an output of ${Math.ceil(payload.bytes / MIB)} MiB: at most ${LIMITS.payloadBytes / MIB} MiB are allowed`
  return { failure: failure('payload_too_large', message) }
}

/** The payload of what a step gives; null: it is too large, and the step has failed for it. */
export const packOutput = (turn: Turn, path: string, value: Json): Payload | null => {
  const made = packed(turn, value)
  if ('payload' in made) return made.payload
  settleFailure(turn, path, made.failure)
  return null
}
