// For tests of attempts: claims in memory, and one attempt's ports.
import type { EventEmitter } from 'node:events'
import { type CommandOf, failure, type Json, type Task, type TaskRef, type Usage } from '@stepfleet/contracts'
import { type Breakers, createBreakers } from './circuits/breaker.ts'
import type { ClaimAnswer, Claims, RunRecord } from './claims-port.ts'
import { createLogger } from './logger.ts'
import type { Sent } from './spool.ts'
import { type AttemptEnd, type AttemptPorts, runAttempt } from './task-attempt.ts'
import { blameOf, labelOf } from './task-attempt-circuit.ts'
import type { TaskContext, TaskHandler } from './task-worker-handler.ts'
import { createRunningTasks } from './task-worker-running.ts'

interface Held {
  attempt: number
  delivery: number
  token: string | null
  begun: boolean
  reported: boolean
}

/** The rules of the real scripts, in memory; `failing` makes that many next calls fail. */
export class MemoryClaims implements Claims, RunRecord {
  readonly out = new Map<string, Held>()
  readonly blobs = new Map<string, Json>()
  readonly sent: { answer: Sent; command: CommandOf<'outcome'>; token: string }[] = []
  failing = 0

  #trouble(): void {
    if (this.failing <= 0) return
    this.failing -= 1
    throw new Error('LOADING')
  }

  dispatch(task: TaskRef): void {
    const { attempt, delivery } = task
    this.out.set(task.path, { attempt, delivery, token: null, begun: false, reported: false })
  }

  async claim(task: TaskRef, _worker: string, token: string): Promise<ClaimAnswer> {
    this.#trouble()
    const held = this.out.get(task.path)
    if (!held) return { status: 'refused', why: 'not_out' }
    if (held.attempt !== task.attempt || held.delivery !== task.delivery) {
      return { status: 'refused', why: 'superseded' }
    }
    if (held.reported) return { status: 'refused', why: 'reported' }
    if (held.token !== null && held.token !== token) return { status: 'refused', why: 'held' }
    held.token = token
    return { status: 'granted', atMs: 1_000 }
  }

  async begin(task: TaskRef, token: string): Promise<boolean> {
    this.#trouble()
    const held = this.out.get(task.path)
    if (held?.token !== token) return false
    held.begun = true
    return true
  }

  async report(task: TaskRef, token: string, command: CommandOf<'outcome'>): Promise<Sent> {
    const held = this.out.get(task.path)
    const ours = held?.token === token
    const answer = ours ? (held.reported ? 'repeat' : 'reported') : 'late'
    if (ours) held.reported = true
    this.sent.push({ answer, command, token })
    return answer
  }

  async stillOut(tasks: readonly TaskRef[]): Promise<boolean[]> {
    return tasks.map(({ path, attempt }) => this.out.get(path)?.attempt === attempt)
  }

  async events(): Promise<never> {
    throw new Error('not used here')
  }

  async blob(_ns: string, _run: string, sha: string): Promise<Json> {
    const value = this.blobs.get(sha)
    if (value === undefined) throw new Error(`no blob ${sha}`)
    return value
  }

  async payload(_ns: string, _run: string, value: Json) {
    return { value }
  }
}

export const usage: Usage = {
  model: 'a/b',
  inputTokens: 1,
  outputTokens: 2,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  microUsd: 3,
}
export const task = (more: Partial<Extract<Task, { kind: 'tool' }>> = {}): Task => ({
  ns: 'default',
  run: 'r1',
  path: 'a',
  attempt: 1,
  delivery: 1,
  effect: 'read',
  effectKey: 'default/r1/a',
  timeoutMs: 60_000,
  workflow: 'w',
  kind: 'tool',
  input: { value: 1 },
  ...more,
})

export interface Bench {
  claims: MemoryClaims
  ports: AttemptPorts
  breakers: Breakers
  draining: boolean
  run(task: Task): Promise<AttemptEnd>
  /** What was reported, in order. */
  results(): CommandOf<'outcome'>['outcome']['result'][]
}

/** Everything an attempt needs, around a handler. */
export const makeBench = (given: Partial<TaskHandler> & Pick<TaskHandler, 'run'>, claims: MemoryClaims): Bench => {
  const handler: TaskHandler = {
    dependency: () => null,
    classify: (error) => failure('tool_failed', error instanceof Error ? error.message : String(error)),
    countsAgainstDependency: ({ code }) => code !== 'bad_request',
    ...given,
  }
  const breakers = createBreakers({ blame: blameOf(handler), label: labelOf })
  const ports: AttemptPorts = {
    worker: 'w1',
    claims,
    record: claims,
    breakers,
    limits: null,
    handler,
    running: createRunningTasks(() => {}),
    deliver: ({ token, command }) => claims.report({ ...command, ...command.outcome }, token, command),
    draining: () => bench.draining,
    logger: createLogger('test', 'silent'),
    graceMs: 50,
  }
  const bench: Bench = {
    claims,
    ports,
    breakers,
    draining: false,
    run: (task) => runAttempt(ports, task, 'tool.module'),
    results: () => claims.sent.map(({ command }) => command.outcome.result),
  }
  return bench
}

/** A handler that waits for its abort and then fails. */
export const heedful = (started?: EventEmitter): Pick<TaskHandler, 'run'> => ({
  run: ({ signal }: TaskContext) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(new Error('aborted')))
      started?.emit('started')
    }),
})
