// What a waiting sender is told of a command that never reached its run.
import type { ProblemCode, Verdict } from '@stepfleet/contracts'

const refused = (code: ProblemCode, message: string): Verdict => ({ status: 'refused', code, message })

/** The command's run does not exist. */
export const discardedVerdict = refused('unknown_run', 'there is no such run')

/** The command could not be served; it is kept in the shard's dead stream. */
export const buriedVerdict = (why: string): Verdict => refused('internal_error', `the command was put aside: ${why}`)
