// The outside of a simulation: whoever has the token of a callback answers it as its mock says, in its own time.
import type { CallbackAnswer, EventOf, Failure } from '@stepfleet/contracts'
import { parsePath } from '@stepfleet/engine'
import type { Said } from './mocks.ts'
import { taskNames } from './names.ts'
import type { MockCall } from './options.ts'
import { calledName, type SimulatedRun } from './simulated-run.ts'
import { mockCall } from './worker.ts'
import type { World } from './world.ts'

const DURATION_MS = 1_000
const OUTSIDE = { kind: 'caller', id: 'outside' } as const

/** An attempt whose token is known outside. */
interface Told {
  names: readonly string[]
  call: MockCall
  task: { path: string; attempt: number }
  /** What a fault makes of the answer. */
  fault?: Failure | null
}

const answerOf = (said: Said | null): CallbackAnswer => {
  if (said?.kind === 'failure') {
    const { code, class: of, message } = said.failure
    return { status: 'failed', code, class: of, message }
  }
  return { status: 'completed', output: { value: said?.kind === 'value' ? said.value : null } }
}

const answer = async (world: World, run: SimulatedRun, { names, call, task, fault }: Told): Promise<void> => {
  const { path, attempt } = task
  const last = run.state.steps.get(path)?.attempts.at(-1)
  // nobody is asked any more, so no mock is either
  if (last?.attempt !== attempt || last.outcome !== 'out') return
  const said = fault ? { kind: 'failure' as const, failure: fault } : await world.parts.mocks.ask(names, call)
  if (!said) world.assumed.add(call.path)
  const { ns, state } = run
  const about = { id: `callback/${path}.${attempt}`, ns, run: run.run, by: OUTSIDE, startedAtMs: state.startedAtMs }
  await world.give(run, { ...about, type: 'callback', path, attempt, answer: answerOf(said) })
}

/** Answers a callback after a while. */
export const answerCallback = (world: World, run: SimulatedRun, told: Told): void =>
  world.later(world.durationMs(told.names, DURATION_MS), () => answer(world, run, told))

/** The token of an attempt that no worker tells of is handed over by whoever is shown the run. */
export const answerOpened = (world: World, run: SimulatedRun, task: EventOf<'callback.opened'>): void => {
  const { path, attempt } = task
  const called = parsePath(path).role === 'tool' ? [calledName(run, path)] : []
  const names = taskNames(run.prefix, path, { tools: [...called, 'callback'] })
  const fault = world.parts.faults.failureFor(names, run.fullPath(path), attempt)
  answerCallback(world, run, { names, call: mockCall(run, path, attempt, {}), task, fault })
}
