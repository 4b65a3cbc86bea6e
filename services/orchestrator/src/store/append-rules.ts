// What every append must be before it reaches a store. A breach is a bug of the caller, so it throws.
import { hasEnded } from '@stepfleet/contracts'
import type { Append } from './port.ts'

/**
 * Sequences continue the expected version. Without events nothing that a repeat could do twice may be asked for:
 * there is no new tip by which a repeat could be told, and a field of `out` set again would forget its claim.
 */
export const checkAppend = (append: Append): void => {
  const { ns, run, events, expect, out, status, endedAtMs } = append
  const bug = (what: string): never => {
    throw new Error(`append to ${ns}~${run}: ${what}`)
  }
  events.forEach((event, i) => {
    if (event.seq !== expect.version + 1 + i) bug(`event ${event.seq} where ${expect.version + 1 + i} comes next`)
  })
  if (hasEnded(status.to) !== (endedAtMs !== null)) bug(`status ${status.to} with endedAtMs ${endedAtMs}`)
  if (events.length > 0) {
    if (append.tip === expect.tip) bug('the new tip is the old one')
    return
  }
  if (status.from !== status.to) bug('a change of status without an event')
  if (out.set.length + out.remove.length > 0) bug('a change of out without an event')
}
