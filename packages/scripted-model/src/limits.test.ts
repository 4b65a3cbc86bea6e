// Limits let in what fits, and count what does not.
import { describe, expect, it } from 'vitest'
import { type Admission, type Limit, Limits } from './limits.ts'

const start = (limit: Omit<Limit, 'model'>) => {
  let now = 1_000_000
  const limits = new Limits(() => now)
  limits.set({ model: 'm*', ...limit })
  return {
    limits,
    pass: (ms: number): void => {
      now += ms
    },
    ask: (tokens = 10): Admission => limits.admit('model', tokens),
    report: () => limits.list()[0],
  }
}
const done = (admission: Admission, output = 0): Admission => {
  admission.release(output)
  return admission
}

describe('a limit', () => {
  it('of calls lets them in again when the window has moved on', () => {
    const { ask, pass, report } = start({ requests: 2 })
    expect(done(ask()).refused).toBeNull()
    pass(20_000)
    expect(done(ask()).refused).toBeNull()
    expect(ask().refused).toEqual({ measure: 'requests', retryAfterSeconds: 40 })
    pass(39_999)
    expect(ask().refused).toEqual({ measure: 'requests', retryAfterSeconds: 1 })
    pass(1)
    expect(done(ask()).refused).toBeNull()
    expect(report()).toMatchObject({ calls: 5, violations: { requests: 2, tokens: 0 }, peak: { requests: 4 } })
  })

  it('of tokens counts the output when the call has ended', () => {
    const { ask, pass } = start({ tokens: 100, windowMs: 10_000 })
    const first = ask(50)
    expect(first.state.tokens).toEqual({ limit: 100, remaining: 50, resetMs: 10_000 })
    first.release(45)
    expect(ask(10).refused).toEqual({ measure: 'tokens', retryAfterSeconds: 10 })
    expect(done(ask(5)).refused).toBeNull()
    pass(10_000)
    expect(done(ask(100)).refused).toBeNull()
  })

  it('of calls at the same time counts those that have not ended', () => {
    const { ask, report } = start({ concurrency: 1 })
    const first = ask()
    expect(ask().refused).toMatchObject({ measure: 'concurrency' })
    first.release(0)
    expect(done(ask()).refused).toBeNull()
    expect(report()).toMatchObject({ violations: { concurrency: 1 }, peak: { concurrency: 2 } })
  })

  it('that is not enforced only counts', () => {
    const { ask, report } = start({ requests: 1, enforce: false })
    expect([ask(), ask(), ask()].map(({ refused }) => refused)).toEqual([null, null, null])
    expect(report()).toMatchObject({ violations: { requests: 2 }, peak: { requests: 3, concurrency: 3 } })
  })

  it('is for the models that fit', () => {
    const { limits } = start({ requests: 1 })
    expect([limits.admit('other', 1), limits.admit('other', 1)].map(({ refused }) => refused)).toEqual([null, null])
  })

  it('refuses a call that another limit lets in, and charges neither', () => {
    const { limits, ask } = start({ requests: 3 })
    limits.set({ model: 'model', concurrency: 1 })
    const first = ask()
    expect(ask().refused).toMatchObject({ measure: 'concurrency' })
    first.release(0)
    done(ask())
    expect(done(ask()).refused).toBeNull()
    expect(ask().refused).toMatchObject({ measure: 'requests' })
  })
})
