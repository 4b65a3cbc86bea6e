// Which queues are served, and when a worker counts as deaf. Consumers and Redis in memory.
import { eventually } from '@stepfleet/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import type { Consumer } from './consume.ts'
import { createLogger } from './logger.ts'
import { type ServedQueues, type ServedQueuesOptions, serveQueues } from './task-worker-queues.ts'

interface Fake extends Consumer {
  active: number
  lastTakenAtMs: number | null
  rebuilt: number
  stopped: boolean
}

const fakeConsumer = (): Fake => ({
  active: 0,
  lastTakenAtMs: null,
  rebuilt: 0,
  stopped: false,
  async stop() {
    this.stopped = true
  },
  stats() {
    return { active: this.active, slots: 2, lastTakenAtMs: this.lastTakenAtMs }
  },
  async rebuild() {
    this.rebuilt += 1
  },
})

let served: ServedQueues | undefined
afterEach(() => served?.stop())

const setUp = (more: Partial<ServedQueuesOptions> = {}) => {
  const consumers = new Map<string, Fake>()
  const state = { known: [] as string[], waiting: 0, asked: 0, why: () => served?.why() ?? null }
  served = serveQueues({
    kind: 'llm',
    queues: ['llm.a.b'],
    known: async () => state.known,
    waiting: async () => {
      state.asked += 1
      return state.waiting
    },
    consume: (queue) => {
      const consumer = fakeConsumer()
      consumers.set(queue, consumer)
      return consumer
    },
    onChange: () => {},
    logger: createLogger('test', 'silent'),
    tuning: { discoverMs: 5, checkMs: 5, deafMs: 60 },
    ...more,
  })
  return { consumers, state, served }
}
const only = (consumers: Map<string, Fake>): Fake => [...consumers.values()][0] ?? fakeConsumer()

describe('queues', () => {
  it('serves the fixed list', async () => {
    const { consumers, served } = setUp()
    expect(served.names()).toEqual(['llm.a.b'])
    await served.stop()
    expect(only(consumers).stopped).toBe(true)
  })

  it('serves queues of its prefixes and kind as they appear, each once', async () => {
    const { consumers, state, served } = setUp({ queues: { prefixes: ['llm.anthropic.', 'tool.'] } })
    expect(served.names()).toEqual([])
    expect(served.why()).toBeNull()
    state.known = ['llm.anthropic.x', 'llm.openai.y', 'tool.http', 'escalations']
    await eventually(() => served.names().length > 0)
    const first = consumers.get('llm.anthropic.x')
    state.known.push('llm.anthropic.z')
    await eventually(() => served.names().length > 1)
    expect(served.names()).toEqual(['llm.anthropic.x', 'llm.anthropic.z'])
    expect(consumers.get('llm.anthropic.x')).toBe(first)
  })
})

describe('a deaf worker', () => {
  it('is not ready, says why, and rebuilds its consumer; and is well when tasks are taken again', async () => {
    const { consumers, state } = setUp()
    state.waiting = 3
    await eventually(() => state.why())
    expect(state.why()).toBe('tasks wait and none is taken: llm.a.b')
    expect(only(consumers).rebuilt).toBe(1)
    // as long as it lasts, again
    await eventually(() => only(consumers).rebuilt === 2)
    only(consumers).lastTakenAtMs = Date.now()
    await eventually(() => state.why() === null)
  })

  it.each([
    ['nothing waits', 0, 0],
    ['all slots are taken', 3, 2],
  ])('is not one for which %s', async (_, waiting, active) => {
    const { consumers, state } = setUp()
    state.waiting = waiting
    only(consumers).active = active
    const startedMs = performance.now()
    await eventually(() => performance.now() - startedMs > 150)
    expect(state.why()).toBeNull()
    expect(only(consumers).rebuilt).toBe(0)
  })

  it('is not one that keeps taking, or had nothing to take until now', async () => {
    const { consumers, state } = setUp()
    // idle for long
    only(consumers).lastTakenAtMs = Date.now() - 3_600_000
    await eventually(() => state.asked > 2)
    state.waiting = 3
    const startedMs = performance.now()
    await eventually(() => {
      only(consumers).lastTakenAtMs = Date.now()
      return performance.now() - startedMs > 150
    })
    expect(only(consumers).rebuilt).toBe(0)
    expect(state.why()).toBeNull()
  })
})
