// Kills the worker that holds an agent's running turn, once, in the middle of a run; and sees the turn go on elsewhere.
import type { Client } from '@stepfleet/client'
import type { RunView, StepView } from '@stepfleet/contracts'
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
  /** Looks at a view of the run; kills when the time has come. */
  look(run: RunView): void
  readonly kill: Kill | null
}

export interface AssassinOptions {
  client: Pick<Client, 'fleet'>
  /** Path of the agent step. */
  agent: string
  /** Kills when so many turns are finished. */
  afterTurns: number
  /** A call that has run longer than this may be over by the time of the kill: the next one is waited for. */
  freshMs: number
  onKill: (kill: Kill) => void
  /** Called once, when another worker has the turn. */
  onResumed: (kill: Kill, step: StepView, afterMs: number) => void
  /** Default: SIGKILL to the process. */
  strike?: (pid: number) => void
}

const isTurn = (agent: string, step: StepView): boolean =>
  step.path.startsWith(`${agent}/turn-`) && step.path.endsWith('/llm')

export const createAssassin = (options: AssassinOptions): Assassin => {
  const { client, agent } = options
  const strike = options.strike ?? ((pid) => process.kill(pid, 'SIGKILL'))
  let kill: Kill | null = null
  let asking = false
  let resumed = false
  /** llm-worker → pid, of the fleet's last answer. It takes a while, so it is asked before it is needed. */
  const pids = new Map<string, number>()

  const askFleet = (): void => {
    if (asking) return
    asking = true
    client
      .fleet()
      .then(({ workers }) => {
        for (const worker of workers) if (worker.service === 'llm-worker') pids.set(worker.id, worker.pid)
      })
      // the next view asks again
      .catch(() => {})
      .finally(() => {
        asking = false
      })
  }

  const lookForTarget = (run: RunView): void => {
    const turns = run.steps.filter((step) => isTurn(agent, step))
    const held = turns.find((step) => step.status === 'running' && step.worker !== null)
    if (!held?.worker) return
    const pid = pids.get(held.worker)
    if (pid === undefined) {
      askFleet()
      return
    }
    const finished = turns.filter((step) => step.status === 'completed').length
    const ranMs = Date.now() - (held.startedAtMs ?? 0)
    if (finished < options.afterTurns || ranMs > options.freshMs) return
    strike(pid)
    kill = { path: held.path, worker: held.worker, pid, atMs: Date.now(), finished }
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
      if (kill === null) lookForTarget(run)
      else if (!resumed) lookForResume(run, kill)
    },
  }
}
