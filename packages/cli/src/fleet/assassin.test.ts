// The demo's kill: the right process, once, in a fresh call, and what it sees afterwards.
import type { RunView, StepView } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { createAssassin, type Kill } from './assassin.ts'

const turn = (n: number, status: string, more: object = {}) =>
  ({
    path: `work/turn-${n}/llm`,
    status,
    worker: null,
    startedAtMs: Date.now(),
    attempts: [],
    ...more,
  }) as unknown as StepView
const view = (...steps: StepView[]) => ({ id: 'r', steps }) as unknown as RunView
const lost = [{ deliveries: 2 }]

const setUp = () => {
  const struck: number[] = []
  const kills: Kill[] = []
  const resumed: string[] = []
  let asked = 0
  const assassin = createAssassin({
    client: {
      fleet: async () => {
        asked += 1
        const worker = (id: string, pid: number, service: string) => ({ id, pid, service })
        const workers = [worker('w1', 11, 'llm-worker'), worker('w2', 12, 'llm-worker'), worker('t', 13, 'tool-worker')]
        return { workers, engines: [], queues: [], circuits: [] } as never
      },
    },
    agent: 'work',
    afterTurns: 2,
    freshMs: 1_000,
    strike: (pid) => struck.push(pid),
    onKill: (kill) => kills.push(kill),
    onResumed: (_, step) => resumed.push(String(step.worker)),
  })
  return { assassin, struck, kills, resumed, asked: () => asked }
}
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('createAssassin', () => {
  it('kills the holder of the running turn when enough turns are done, once', async () => {
    const { assassin, struck, kills, resumed } = setUp()
    assassin.look(view(turn(1, 'running', { worker: 'w1' })))
    await settled()
    assassin.look(view(turn(1, 'completed'), turn(2, 'running', { worker: 'w1' })))
    expect(struck).toEqual([])
    assassin.look(view(turn(1, 'completed'), turn(2, 'completed'), turn(3, 'running', { worker: 'w2' })))
    assassin.look(view(turn(1, 'completed'), turn(2, 'completed'), turn(3, 'running', { worker: 'w2' })))
    expect(struck).toEqual([12])
    expect(kills[0]).toMatchObject({ path: 'work/turn-3/llm', worker: 'w2', pid: 12, finished: 2 })
    // the same worker, nothing lost yet; then another one has it
    expect(resumed).toEqual([])
    assassin.look(view(turn(3, 'running', { worker: 'w1', attempts: lost })))
    assassin.look(view(turn(3, 'completed', { worker: 'w1', attempts: lost })))
    expect(resumed).toEqual(['w1'])
  })

  it('waits for the next call when this one may be over, and asks the fleet for workers it does not know', async () => {
    const { assassin, struck, asked } = setUp()
    const done = [turn(1, 'completed'), turn(2, 'completed')]
    const stale = turn(3, 'running', { worker: 'w1', startedAtMs: Date.now() - 5_000 })
    assassin.look(view(...done, stale))
    expect(struck).toEqual([])
    await settled()
    expect(asked()).toBe(1)
    assassin.look(view(...done, stale))
    assassin.look(view(...done, turn(4, 'scheduled')))
    assassin.look(view(...done, turn(4, 'running', { worker: 'unknown' })))
    expect(struck).toEqual([])
    expect(asked()).toBe(2)
  })
})
