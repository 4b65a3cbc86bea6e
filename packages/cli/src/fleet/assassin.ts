// Kills the worker that holds an agent's running turn, once, in the middle of a run; and sees the turn go on elsewhere.
import type { Client } from '@stepfleet/client'
import { DEFAULT_NAMESPACE, parseTaskId, type RunView, type StepView } from '@stepfleet/contracts'
import { lostDeliveries } from '../view/tree.ts'

export interface Kill {
  /** Of the model call that was in flight. */
  path: string
  worker: string
  pid: number
  atMs: number
  /** Turns of the agent that were finished then. */
  finished: number
}

export interface Assassin {
  /** Looks at a view; true right after it killed. */
  look(run: RunView): void
  readonly kill: Kill | null
}

export interface AssassinOptions {
  client: Client
  /** Path of the agent step. */
  agent: string
  /** Kills when so many turns are finished. */
  afterTurns: number
  onKill: (kill: Kill) => void
  /** Called once, when another worker has the turn. */
  onResumed: (kill: Kill, step: StepView, afterMs: number) => void
}

const isTurn = (agent: string, step: StepView): boolean =>
  step.path.startsWith(`${agent}/turn-`) && step.path.endsWith('/llm')

export const createAssassin = (options: AssassinOptions): Assassin => {
  const { client, agent } = options
  let kill: Kill | null = null
  let busy = false
  let resumed = false

  /** The worker whose current tasks hold this step, as the fleet says. */
  const holderOf = async (run: RunView, path: string): Promise<{ id: string; pid: number } | null> => {
    const fleet = await client.fleet()
    const holds = (tasks: readonly string[]): boolean =>
      tasks.some((task) => {
        const ref = parseTaskId(task)
        return ref?.ns === (run.namespace || DEFAULT_NAMESPACE) && ref.run === run.id && ref.path === path
      })
    return fleet.workers.find((one) => one.service === 'llm-worker' && holds(one.tasks)) ?? null
  }

  const strike = async (run: RunView, path: string, finished: number): Promise<void> => {
    const holder = await holderOf(run, path)
    if (!holder) return
    process.kill(holder.pid, 'SIGKILL')
    kill = { path, worker: holder.id, pid: holder.pid, atMs: Date.now(), finished }
    options.onKill(kill)
  }

  const lookForResume = (run: RunView, done: Kill): void => {
    const step = run.steps.find((one) => one.path === done.path)
    if (!step || lostDeliveries(step.attempts) === 0) return
    const elsewhere = step.worker !== null && step.worker !== done.worker
    if (!elsewhere && step.status !== 'completed') return
    resumed = true
    options.onResumed(done, step, Date.now() - done.atMs)
  }

  return {
    get kill() {
      return kill
    },
    look: (run) => {
      if (kill) {
        if (!resumed) lookForResume(run, kill)
        return
      }
      if (busy) return
      const turns = run.steps.filter((step) => isTurn(agent, step))
      const finished = turns.filter((step) => step.status === 'completed').length
      const running = turns.find((step) => step.status === 'running' || step.status === 'scheduled')
      if (!running || finished < options.afterTurns) return
      busy = true
      // the fleet's word may be a moment old: the next view tries again when nobody holds the turn
      strike(run, running.path, finished)
        .catch(() => {})
        .finally(() => {
          busy = false
        })
    },
  }
}
