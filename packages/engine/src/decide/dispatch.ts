// dispatch: sends the next delivery of a step's task out, under the limit of tasks a run may have out.
import { type Effect, suspectQueue } from '@stepfleet/contracts'
import { inputOf } from '../messages/inputs.ts'
import { blankStep, lastAttempt, lossesOf, POISON_LOSSES } from '../state/state.ts'
import { emit, isCrowded, type Looked, type Turn } from '../turn.ts'
import { admitCall } from './budget.ts'
import { settleFailure } from './failure-policy.ts'

export const dispatch = (
  turn: Turn,
  path: string,
  task: { queue: string; effect: Effect; timeoutMs: number; tool?: string },
): Looked => {
  const { state } = turn
  // it holds a place under its limits already, and is the first to go when there is room
  if (isCrowded(turn)) {
    state.backlog.add(path)
    return 'done'
  }
  const step = state.steps.get(path)
  // rendered before the fact: an input that cannot be rendered is a failed step, never a lost message
  const input = inputOf(turn, step ?? blankStep(path, turn.nowMs))
  if (input === null) return 'wait'
  if (!input.ok) {
    settleFailure(turn, path, input.failure)
    return 'done'
  }
  const last = step && lastAttempt(step)
  // an answer to the input before an edit must not be taken for one to the input after it
  const again = last?.outcome === 'out' && last.attempt > (step?.editedAfter ?? 0) ? last : undefined
  const attempt = again?.attempt ?? (last?.attempt ?? 0) + 1
  const delivery = again ? again.delivery + 1 : 1
  if ('model' in input.value) {
    const admitted = admitCall(turn, path, { attempt, delivery, input: input.value })
    if (admitted !== 'granted') return admitted
  }
  const suspect = step !== undefined && lossesOf(step) >= POISON_LOSSES - 1
  const event = emit(turn, {
    type: 'step.dispatched',
    path,
    attempt,
    delivery,
    ...task,
    queue: suspect ? suspectQueue(task.queue) : task.queue,
    ...(step && step.edition > 1 ? { edition: step.edition } : {}),
  })
  turn.inputs.set(event.seq, input.value)
  return 'done'
}
