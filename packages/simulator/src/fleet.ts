// The fleet of a simulation: workers that take every task at once, and answer when its time has passed.
import { type Command, type Json, type Observation, type Outcome, taskId } from '@stepfleet/contracts'
import { dueChecks, lastAttempt, type Message, parsePath } from '@stepfleet/engine'
import { taskNames } from './names.ts'
import { answerCallback } from './outside.ts'
import { calledName, jsonOf, type SimulatedRun } from './simulated-run.ts'
import { callOf, toolOf, work } from './worker.ts'
import type { World } from './world.ts'

const WORKER = 'simulated'
const DURATION_MS = { llm: 2_000, tool: 200 } as const

type TaskMessage = Extract<Message, { kind: 'task' }>
/** A task that is out, what it is called, and since when a worker has it. */
interface Held {
  id: string
  task: TaskMessage['payload']
  names: readonly string[]
  claimedAtMs: number
}

const fieldOf = (input: Json, field: string): string => {
  const value = input !== null && typeof input === 'object' && !Array.isArray(input) ? input[field] : undefined
  return typeof value === 'string' ? value : ''
}

/** The model, or the tool with the name that an agent's model called it by. */
const namesOf = (run: SimulatedRun, { path, kind, input }: TaskMessage['payload']): string[] => {
  const given = jsonOf(input)
  if (kind === 'llm') return taskNames(run.prefix, path, { model: fieldOf(given, 'model') })
  const called = parsePath(path).role === 'tool' ? [calledName(run, path)] : []
  return taskNames(run.prefix, path, { tools: [...called, fieldOf(given, 'tool')] })
}

const isCallback = (task: TaskMessage['payload']): boolean => task.kind === 'tool' && toolOf(task) === 'callback'

export class Fleet {
  readonly #world: World
  /** When a worker took each task, by id: a second job of the same finds nothing to claim. */
  readonly #claims = new Map<string, number>()

  constructor(world: World) {
    this.#world = world
  }

  /** A task is in its queue. */
  take(run: SimulatedRun, { id, payload: task }: TaskMessage): void {
    if (this.#claims.has(id)) return
    const world = this.#world
    const claimedAtMs = world.time.nowMs
    this.#claims.set(id, claimedAtMs)
    const held: Held = { id, task, names: namesOf(run, task), claimedAtMs }
    // of a callback it is the outside that takes its time
    const durationMs = isCallback(task) ? DURATION_MS.tool : world.durationMs(held.names, DURATION_MS[task.kind])
    const untilMs = Math.min(durationMs, task.timeoutMs)
    if (world.parts.faults.losesWorker(held.names, run.fullPath(task.path))) {
      world.later(Math.floor(untilMs / 2), () => this.#lose(run, held))
    } else {
      world.later(untilMs, () => this.#answer(run, held, durationMs))
    }
  }

  /** What an orchestrator would see of the tasks that a wake looks at. */
  observe(run: SimulatedRun): Map<string, Observation> {
    const seen = new Map<string, Observation>()
    for (const path of dueChecks(run.state, this.#world.time.nowMs)) {
      const step = run.state.steps.get(path)
      const last = step && lastAttempt(step)
      if (!step || !last) continue
      const task = taskId({ ns: run.ns, run: run.run, path, attempt: last.attempt, delivery: last.delivery })
      const claimedAtMs = this.#claims.get(task) ?? null
      seen.set(path, { task, claimedAtMs, begun: step.effect === 'once', reported: false, jobMissing: false })
    }
    return seen
  }

  async #lose(run: SimulatedRun, { task }: Held): Promise<void> {
    const { path, attempt, delivery, effect } = task
    const lost = { path, attempt, delivery, worker: WORKER, begun: effect === 'once' }
    await this.#world.give(run, { ...this.#world.base(run, 'lost'), type: 'lost', ...lost })
  }

  async #answer(run: SimulatedRun, { id, task, names, claimedAtMs }: Held, durationMs: number): Promise<void> {
    // a worker whose task is no longer wanted is told to stop
    if (!run.isOut(task)) return
    const { parts, assumed } = this.#world
    const job = { task, names, call: callOf(run, task) }
    const worker = { ...parts, tools: parts.tools.manifests, assume: (path: string) => void assumed.add(path) }
    const answered = await work(worker, run, job, durationMs > task.timeoutMs)
    const { path, attempt, delivery } = task
    const outcome: Outcome = {
      path,
      attempt,
      delivery,
      worker: WORKER,
      claimedAtMs,
      durationMs: Math.min(durationMs, task.timeoutMs),
      ...answered,
    }
    const by = { kind: 'worker' as const, id: WORKER }
    const command: Command = { id, ns: run.ns, run: run.run, by, type: 'outcome', outcome }
    await this.#world.give(run, command)
    if (isCallback(task) && answered.result.status === 'done') answerCallback(this.#world, run, job)
    if (parts.faults.deliversTwice(names, run.fullPath(path))) await this.#world.give(run, command)
  }
}
