// dispatch: sends the next delivery of a step's task out, under the limit of tasks a run may have out.
import { type Effect, suspectQueue, toolQueue } from '@stepfleet/contracts'
import { TELL_TIMEOUT_MS } from '../definition/compile/defaults.ts'
import { inputOf } from '../messages/inputs.ts'
import { blankStep, lastAttempt, lossesOf, POISON_LOSSES } from '../state/state.ts'
import { emit, isCrowded, type Looked, type Turn } from '../turn.ts'
import { admitCall } from './budget.ts'
import { isTold, openCallback } from './callback.ts'
import { settleFailure } from './failure-policy.ts'

interface Sent {
  queue: string
  effect: Effect
  /** What a worker has for it. */
  timeoutMs: number
  tool?: string
  /** Of a callback: what there is for its answer, the worker's part included. */
  waitMs?: number
}

/** The task of a tool; a callback's is to tell somebody, which is one call, however long the answer may take. */
export const toolTask = (of: { tool: string; name: string; effect: Effect; timeoutMs: number }): Sent => {
  const { tool, name, effect, timeoutMs } = of
  const sent = { queue: toolQueue(tool), tool: name, effect }
  if (tool !== 'callback') return { ...sent, timeoutMs }
  return { ...sent, timeoutMs: Math.min(timeoutMs, TELL_TIMEOUT_MS), waitMs: timeoutMs }
}

export const dispatch = (turn: Turn, path: string, { waitMs, ...task }: Sent): Looked => {
  const { state } = turn
  // it holds a place under its limits already, and is the first to go when there is room
  const waitForRoom = (): Looked => {
    state.backlog.add(path)
    return 'done'
  }
  if (waitMs === undefined && isCrowded(turn)) return waitForRoom()
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
  if (waitMs !== undefined && 'tool' in input.value) {
    if (!isTold(input.value)) {
      openCallback(turn, path, { attempt, delivery, tool: task.tool ?? '', effect: task.effect, waitMs })
      return 'done'
    }
    if (isCrowded(turn)) return waitForRoom()
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
