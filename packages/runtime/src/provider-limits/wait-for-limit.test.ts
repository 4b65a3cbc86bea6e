// Waiting on the spot: near turns are waited for, far ones are told, a little early.
import { describe, expect, it } from 'vitest'
import type { LimitAnswer, LimitAsk, ProviderLimits } from './port.ts'
import { acquireSoon, EARLY_MS } from './wait-for-limit.ts'

const ASK: LimitAsk = { dependency: 'anthropic/x', task: 'a', token: 't', tokens: { input: 1, output: 1 } }
const grant: LimitAnswer = { granted: true, permit: { ...ASK, atMs: 1 } }
const refuse = (retryAfterMs: number): LimitAnswer => ({
  granted: false,
  dependency: ASK.dependency,
  retryAfterMs,
  reason: 'requests',
  why: 'full',
})

/** Limits that answer so, one after the other. */
const scripted = (answers: LimitAnswer[]) => {
  const asked: LimitAsk[] = []
  const limits: Pick<ProviderLimits, 'acquire'> = {
    acquire: async (ask) => {
      asked.push(ask)
      return answers[asked.length - 1] ?? refuse(1)
    },
  }
  return { limits, asked }
}
const never = new AbortController().signal

describe('acquireSoon', () => {
  it('waits for a near turn, and asks again under the same name', async () => {
    const { limits, asked } = scripted([refuse(5), refuse(5), grant])
    expect(await acquireSoon(limits, ASK, { signal: never })).toBe(grant)
    expect(asked).toEqual([ASK, ASK, ASK])
  })

  it('tells who has to wait for longer to come a little early', async () => {
    const { limits, asked } = scripted([refuse(60_000)])
    expect(await acquireSoon(limits, ASK, { signal: never })).toEqual(refuse(60_000 - EARLY_MS))
    expect(asked).toHaveLength(1)
  })

  it('does not wait for longer than it may in all', async () => {
    const { limits, asked } = scripted([refuse(30), refuse(30), grant])
    expect(await acquireSoon(limits, ASK, { signal: never, waitMs: 40 })).toMatchObject({ granted: false })
    expect(asked).toHaveLength(2)
  })

  it('gives up after some asks', async () => {
    const { limits, asked } = scripted([])
    expect(await acquireSoon(limits, ASK, { signal: never })).toMatchObject({ granted: false, retryAfterMs: 1 })
    expect(asked).toHaveLength(5)
  })

  it('ends at an abort', async () => {
    const abort = new AbortController()
    const { limits, asked } = scripted([refuse(600_000)])
    const answer = acquireSoon(limits, ASK, { signal: abort.signal, waitMs: 1_000_000 })
    abort.abort()
    expect(await answer).toMatchObject({ granted: false })
    expect(asked.length).toBeLessThanOrEqual(2)
  })
})
