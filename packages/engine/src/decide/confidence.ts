// confidence: an answer that is not sure enough does not count before a person has decided.
import { type EventOf, failure, type Payload } from '@stepfleet/contracts'
import { render } from '../scope.ts'
import type { StepState } from '../state/state.ts'
import { emit, type Looked, load, planOf, type Turn } from '../turn.ts'
import { rememberFresh } from './cache.ts'
import { expressionFailure, settleFailure } from './failure-policy.ts'
import { isBody } from './layers.ts'

type Answered = Omit<EventOf<'step.answered'>, 'type' | 'path' | 'output' | 'seq' | 'atMs' | 'v' | 'actor' | 'command'>

/** A step has given what it gives: it has completed, or its answer is judged first. */
export const finishStep = (turn: Turn, step: StepState, output: Payload, more: Answered = {}): void => {
  const isJudged = planOf(turn.plan, step.node).confidence !== null && isBody(turn.plan, step) && !turn.state.closing
  if (!isJudged) rememberFresh(turn, step, output)
  emit(turn, { type: isJudged ? 'step.answered' : 'step.completed', path: step.path, output, ...more })
}

/** Completes a step whose answer is sure enough. */
export const judge = (turn: Turn, step: StepState): Looked => {
  const { path, answer } = step
  const { confidence } = planOf(turn.plan, step.node)
  if (answer === null || confidence === null) return 'done'
  const output = load(turn, answer)
  if (output === undefined) return 'wait'
  const rendered = render(turn, confidence.from, path, { output })
  if (rendered === null) return 'wait'
  const place = `steps.${step.node}.confidence.from`
  if (!rendered.ok) settleFailure(turn, path, expressionFailure(place, rendered.message))
  else if (typeof rendered.value !== 'number') {
    const message = `gives ${JSON.stringify(rendered.value).slice(0, 100)}, not a number`
    settleFailure(turn, path, expressionFailure(place, message))
  } else if (rendered.value >= confidence.min) {
    rememberFresh(turn, step, answer)
    emit(turn, { type: 'step.completed', path, output: answer })
  } else {
    const message = `the answer is sure to ${rendered.value}, at least ${confidence.min} is asked for`
    const details = { confidence: rendered.value, min: confidence.min }
    settleFailure(turn, path, failure('low_confidence', message, { details }))
  }
  return 'done'
}
