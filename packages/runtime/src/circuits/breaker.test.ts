import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Breakers, type BreakerTuning, createBreakers } from './breaker.ts'
import type { Blame } from './call.ts'
import { CircuitOpen } from './circuit-open.ts'

class Fault extends Error {
  readonly blame: Blame
  constructor(blame: Blame) {
    super(blame)
    this.blame = blame
  }
}

const blame = (error: unknown): Blame => (error instanceof Fault ? error.blame : 'nobody')
const made: Breakers[] = []
const breakers = (tuning: Partial<BreakerTuning> = {}, changes: string[] = []): Breakers => {
  const all = createBreakers({
    blame,
    label: () => '529',
    tuning,
    onChange: (name, state) => changes.push(`${name} ${state}`),
  })
  made.push(all)
  return all
}

afterEach(() => {
  for (const all of made.splice(0)) all.stop()
})

const fail = (all: Breakers, whom: Blame, dependency = 'x') =>
  all
    .run(dependency, async () => {
      throw new Fault(whom)
    })
    .catch((error: unknown) => error)

const failTimes = async (all: Breakers, whom: Blame, times: number): Promise<void> => {
  for (let i = 0; i < times; i += 1) await fail(all, whom)
}

/** A call that ends when told to. */
const held = (all: Breakers) => {
  let resolve = (_value: string): void => {}
  const gate = new Promise<string>((end) => {
    resolve = end
  })
  return { resolve, result: all.run('x', () => gate) }
}

describe('breakers', () => {
  it('opens after failures of the dependency and says how long to wait', async () => {
    const changes: string[] = []
    const all = breakers({}, changes)
    await failTimes(all, 'dependency', 4)
    expect(all.check('x')).toEqual({ open: false, retryAfterMs: 0 })
    await failTimes(all, 'dependency', 1)
    const { open, retryAfterMs } = all.check('x')
    expect(open).toBe(true)
    expect(retryAfterMs).toBeGreaterThan(14_000)
    expect(retryAfterMs).toBeLessThanOrEqual(15_000)
    expect(all.states()).toEqual({ x: 'open' })
    expect(changes).toEqual(['x open'])
    expect(all.check('y').open).toBe(false)
  })

  it('refuses without calling the action while open', async () => {
    const all = breakers()
    await failTimes(all, 'dependency', 5)
    const action = vi.fn(async () => 1)
    const error = await all.run('x', action).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(CircuitOpen)
    expect(error instanceof CircuitOpen && error.retryAfterMs).toBeGreaterThan(14_000)
    expect(action).not.toHaveBeenCalled()
  })

  it('is never opened by mistakes of the caller', async () => {
    const all = breakers()
    await failTimes(all, 'caller', 50)
    await failTimes(all, 'nobody', 50)
    expect(all.states()).toEqual({ x: 'closed' })
  })

  it('survives a judgement that throws', async () => {
    const all = createBreakers({
      blame: () => {
        throw new Error('a bug')
      },
    })
    made.push(all)
    expect(await fail(all, 'dependency')).toBeInstanceOf(Fault)
  })

  it('lets exactly one call through when half-open, and closes on its success', async () => {
    const all = breakers({ resetMs: 30 })
    await failTimes(all, 'dependency', 5)
    await vi.waitFor(() => expect(all.states()).toEqual({ x: 'halfOpen' }))
    expect(all.check('x').open).toBe(false)
    const probe = held(all)
    expect(all.check('x')).toEqual({ open: true, retryAfterMs: 1_000 })
    const second = await all.run('x', async () => 2).catch((error: unknown) => error)
    expect(second).toBeInstanceOf(CircuitOpen)
    expect(second instanceof CircuitOpen && second.retryAfterMs).toBe(1_000)
    probe.resolve('up again')
    expect(await probe.result).toBe('up again')
    expect(all.states()).toEqual({ x: 'closed' })
  })

  it('opens again when the probe fails, and when the probe was broken off by us', async () => {
    for (const whom of ['dependency', 'nobody'] as const) {
      const all = breakers({ resetMs: 30 })
      await failTimes(all, 'dependency', 5)
      await vi.waitFor(() => expect(all.states()).toEqual({ x: 'halfOpen' }))
      await fail(all, whom)
      expect(all.states()).toEqual({ x: 'open' })
      // and it comes back: a probe that said nothing must not leave the circuit half-open without a probe
      await vi.waitFor(() => expect(all.check('x').open).toBe(false))
    }
  })

  it('says in one line since when it is open, what has failed, and when it is tried again', async () => {
    const all = breakers()
    await failTimes(all, 'caller', 1)
    await failTimes(all, 'dependency', 5)
    expect(all.failures('x')).toBe('529 ×4')
    const error = await all.run('x', async () => 1).catch((thrown: unknown) => thrown)
    expect(error instanceof CircuitOpen && error.message).toMatch(
      /^circuit x is open since \d\d:\d\d:\d\dZ \(529 ×4\); next probe at \d\d:\d\d:\d\dZ$/,
    )
    expect(error instanceof CircuitOpen && error.dependency).toBe('x')
  })

  it('is opened by answers that are good but slow, and by refusals that are', async () => {
    const slowly = async (all: Breakers, action: () => Promise<number>): Promise<unknown> =>
      all.run('x', async () => {
        await new Promise((resolve) => setTimeout(resolve, 5))
        return action()
      })
    const all = breakers({ slowCallMs: 1 })
    for (let i = 0; i < 5; i += 1) expect(await slowly(all, async () => i)).toBe(i)
    expect(all.states()).toEqual({ x: 'open' })
    expect(all.failures('x')).toBe('slow ×5')
    const other = breakers({ slowCallMs: 1 })
    const refused = async (): Promise<number> => {
      throw new Fault('caller')
    }
    for (let i = 0; i < 5; i += 1) await expect(slowly(other, refused)).rejects.toThrow('caller')
    expect(other.states()).toEqual({ x: 'open' })
  })

  it('is opened and closed by others, without a memory of what failed before', async () => {
    const changes: string[] = []
    const all = breakers({}, changes)
    all.open('unknown')
    await failTimes(all, 'dependency', 4)
    all.open('x')
    expect(all.check('x').open).toBe(true)
    all.reset('x')
    expect(await all.run('x', async () => 1)).toBe(1)
    await failTimes(all, 'dependency', 3)
    expect(all.states()).toEqual({ x: 'closed' })
    expect(changes).toEqual(['x open', 'x closed'])
  })

  it('forgets the least recently used closed circuit, never an open one', async () => {
    const all = breakers({ maxCircuits: 2 })
    await failTimes(all, 'dependency', 5)
    await all.run('y', async () => 1)
    await all.run('z', async () => 1)
    expect(all.states()).toEqual({ x: 'open', z: 'closed' })
  })
})
