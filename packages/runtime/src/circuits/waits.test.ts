import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Circuit, circuitView, whyOf } from './circuit.ts'
import { refusalWaitMs, WAIT_TUNING } from './waits.ts'

const NOON = Date.UTC(2026, 10, 20, 12, 0, 0)
const circuit = (more: Partial<Circuit> = {}): Circuit => ({
  ...{ dependency: 'anthropic/m', state: 'open', epoch: '7', atMs: NOON, openedAtMs: NOON, probeAtMs: NOON + 15_000 },
  ...{ probes: 0, probeUntilMs: 0, wave: 0, waveAtMs: 0, turned: 0, why: '529 ×7', forced: null, by: '', reason: '' },
  ...more,
})
const waitOf = (given: Circuit, nth = 0, chance = 0): number =>
  refusalWaitMs(given, { nowMs: NOON + 5_000, nth, chance }, WAIT_TUNING)

describe('a refused task', () => {
  it('comes back when the probe is due, one behind the other', () => {
    expect([0, 1, 2, 100].map((nth) => waitOf(circuit(), nth))).toEqual([10_000, 10_050, 10_100, 15_000])
    expect(waitOf(circuit({ probeAtMs: NOON }))).toBe(1)
  })

  it('never comes with more than 20 others of its worker in a second, until there are more than fit into the spread', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_200 }),
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        (count, chances) => {
          const waits = Array.from({ length: count }, (_, nth) => waitOf(circuit(), nth, chances.next().value))
          const perSecond = new Map<number, number>()
          for (const ms of waits)
            perSecond.set(Math.floor(ms / 1_000), (perSecond.get(Math.floor(ms / 1_000)) ?? 0) + 1)
          expect(Math.max(...perSecond.values())).toBeLessThanOrEqual(22)
          expect(Math.max(...waits)).toBeLessThanOrEqual(10_000 + WAIT_TUNING.maxSpreadMs + WAIT_TUNING.spreadMs)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('waits a moment while the probe is under way, and longer while an operator holds it', () => {
    expect(waitOf(circuit({ state: 'halfOpen' }))).toBe(1_000)
    expect(waitOf(circuit({ forced: 'open', probeAtMs: 0 }), 2)).toBe(10_100)
  })

  it('waits for the wave that has room for it', () => {
    const waits = [1, 4, 5, 12, 13].map((turned) => waitOf(circuit({ state: 'recovering', wave: 2, turned })))
    // four in the next wave, eight in the one after
    expect(waits).toEqual([2_000, 2_000, 4_000, 4_000, 6_000])
    const last = { state: 'recovering', wave: WAIT_TUNING.lastWave } as const
    // the circuit is closed by then; still one behind the other
    expect([1, 2].map((turned) => waitOf(circuit({ ...last, turned })))).toEqual([2_050, 2_100])
  })
})

describe('what a person is told', () => {
  it('says since when, what failed, and what comes next', () => {
    expect(whyOf(circuit())).toBe('circuit anthropic/m is open since 12:00:00Z (529 ×7); next probe at 12:00:15Z')
    expect(whyOf(circuit({ state: 'halfOpen' }))).toBe(
      'circuit anthropic/m is open since 12:00:00Z (529 ×7); a probe is under way',
    )
    expect(whyOf(circuit({ state: 'recovering', wave: 4, atMs: NOON + 60_000 }))).toBe(
      'circuit anthropic/m recovers since 12:01:00Z, open from 12:00:00Z (529 ×7); it lets 4 calls through at a time',
    )
    expect(whyOf(circuit({ forced: 'open', by: 'ada', reason: 'bill' }))).toBe(
      'circuit anthropic/m was forced open at 12:00:00Z by ada: bill',
    )
    expect(whyOf(circuit({ state: 'closed' }))).toBeNull()
  })

  it('has a probe to wait for only while one is due', () => {
    const probeOf = (more: Partial<Circuit>) => circuitView(circuit(more), 0).nextProbeAtMs
    const others: Partial<Circuit>[] = [{ state: 'halfOpen' }, { state: 'recovering' }, { forced: 'open' }]
    expect([probeOf({}), ...others.map(probeOf)]).toEqual([NOON + 15_000, null, null, null])
    expect(circuitView(circuit({ state: 'closed', epoch: '9' }), 2)).toMatchObject({
      sinceMs: null,
      by: null,
      workers: 2,
    })
  })
})
