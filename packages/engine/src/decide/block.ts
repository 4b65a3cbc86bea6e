// block: nested steps. Its scope is worked like that of the run; when all of it has ended, its output is made.

import type { Json } from '@stepfleet/contracts'
import { render } from '../scope.ts'
import type { StepState } from '../state/state.ts'
import { emit, type Looked, planOf, scopeOf, type Turn } from '../turn.ts'
import { expressionFailure, settleFailure } from './failure-policy.ts'
import { outputsOf } from './graph.ts'
import { packOutput } from './output.ts'

const complete = (turn: Turn, path: string, value: Json): void => {
  const output = packOutput(turn, path, value)
  if (output) emit(turn, { type: 'step.completed', path, output })
}

export const advanceBlock = (turn: Turn, block: StepState): Looked => {
  const { path, node } = block
  const { names } = scopeOf(turn.plan, node)
  if (block.ended < names.size) return 'done'
  const { body } = planOf(turn.plan, node)
  if (body.kind !== 'block' || body.output === null) {
    const outputs = outputsOf(turn, path, names)
    if (outputs === null) return 'wait'
    complete(turn, path, outputs)
    return 'done'
  }
  const output = render(turn, body.output, path, { inside: true })
  if (output === null) return 'wait'
  if (output.ok) complete(turn, path, output.value)
  else settleFailure(turn, path, expressionFailure(`steps.${node}.output`, output.message))
  return 'done'
}
