// run: a child workflow. Its id is fixed in the journal before it starts, so that starting it twice makes one run.
import { failure, type Json } from '@stepfleet/contracts'
import type { RunBody } from '../definition/plan.ts'
import { emit, type Looked, type Turn } from '../turn.ts'
import { settleFailure } from './failure-policy.ts'
import { evaluate } from './open.ts'

/** A workflow that starts itself would never end. */
export const CHILD_DEPTH = 16
const ID_CHARS = 24

/** Opens a step on a new child run; a message starts it. `args`: an agent's tool use gives its arguments. */
export const openRun = (turn: Turn, path: string, body: RunBody, args?: Json): Looked => {
  const { ns, run, version, parent } = turn.state
  if ((parent?.depth ?? 0) >= CHILD_DEPTH) {
    const message = `child workflows are nested at most ${CHILD_DEPTH} deep; this run is that deep already`
    settleFailure(turn, path, failure('limit_exceeded', message))
    return 'done'
  }
  const input = body.input ? evaluate(turn, path, body.input, 'run.input', args) : { value: args ?? null }
  if (input === 'wait') return 'wait'
  if (input === 'failed') return 'done'
  const child = `run_${turn.values.digest(`${ns}/${run}/${path}/${version + 1}`).slice(0, ID_CHARS)}`
  const { workflow, detach } = body
  const packed = turn.values.pack(input.value)
  emit(turn, { type: 'step.opened', path, opening: { kind: 'run', run: child, workflow, input: packed, detach } })
  if (detach) emit(turn, { type: 'step.completed', path, output: { value: { run: child } } })
  return 'done'
}
