// What every store of budgets promises; memory and Redis run it.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FleetBudgets, Reservation } from './port.ts'

export interface BudgetsHarness {
  budgets: FleetBudgets
  /** Milliseconds, of the store's own clock. */
  stop(): Promise<void>
}

const NS = 'default'
const zero = { tokens: 0, microUsd: 0 }

const call = (holder: string, more: Partial<Reservation> = {}): Reservation => ({
  run: 'r1',
  workflow: 'report',
  holder,
  tokens: 10,
  microUsd: 100,
  caps: [{ scope: 'run', tokens: 25, microUsd: null }],
  ...more,
})

export const budgetsConformance = (name: string, make: () => Promise<BudgetsHarness>): void => {
  describe(name, () => {
    let harness: BudgetsHarness
    let budgets: FleetBudgets
    beforeEach(async () => {
      harness = await make()
      budgets = harness.budgets
    })
    afterEach(() => harness.stop())

    it('reserves until a cap would be passed, and says what stands in the way', async () => {
      expect(await budgets.reserve(NS, call('a.1.1'))).toEqual({ granted: true })
      expect(await budgets.reserve(NS, call('b.1.1'))).toEqual({ granted: true })
      expect(await budgets.reserve(NS, call('c.1.1'))).toEqual({
        granted: false,
        over: { scope: 'run', unit: 'tokens', cap: 25, spent: 0, reserved: 20, needed: 10 },
        pending: true,
      })
      expect(await budgets.ofRun(NS, 'r1')).toEqual({ spent: zero, reserved: { tokens: 20, microUsd: 200 } })
    })

    it('lets others in when calls have used less, and none when they have used all', async () => {
      await budgets.reserve(NS, call('a.1.1'))
      await budgets.reserve(NS, call('b.1.1'))
      await budgets.settle(NS, 'r1', 'a.1.1', { tokens: 3, microUsd: 30 })
      await budgets.settle(NS, 'r1', 'b.1.1', { tokens: 7, microUsd: 70 })
      expect(await budgets.reserve(NS, call('c.1.1'))).toEqual({ granted: true })
      await budgets.settle(NS, 'r1', 'c.1.1', { tokens: 10, microUsd: 100 })
      expect(await budgets.reserve(NS, call('d.1.1'))).toMatchObject({ granted: false, pending: false })
      expect(await budgets.ofRun(NS, 'r1')).toEqual({ spent: { tokens: 20, microUsd: 200 }, reserved: zero })
    })

    it('does nothing more when it is told again', async () => {
      await budgets.reserve(NS, call('a.1.1'))
      await budgets.reserve(NS, call('a.1.1'))
      expect((await budgets.ofRun(NS, 'r1')).reserved.tokens).toBe(10)
      await budgets.settle(NS, 'r1', 'a.1.1', { tokens: 4, microUsd: 0 })
      await budgets.settle(NS, 'r1', 'a.1.1', { tokens: 4, microUsd: 0 })
      await budgets.settle(NS, 'r1', 'never', { tokens: 4, microUsd: 0 })
      expect(await budgets.ofRun(NS, 'r1')).toEqual({ spent: { tokens: 4, microUsd: 0 }, reserved: zero })
    })

    it('counts what nobody knows of as spent, until it is known', async () => {
      await budgets.reserve(NS, call('a.1.1'))
      await budgets.settle(NS, 'r1', 'a.1.1', null)
      await budgets.settle(NS, 'r1', 'a.1.1', null)
      expect(await budgets.ofRun(NS, 'r1')).toEqual({ spent: { tokens: 10, microUsd: 100 }, reserved: zero })
      await budgets.settle(NS, 'r1', 'a.1.1', { tokens: 2, microUsd: 20 })
      expect(await budgets.ofRun(NS, 'r1')).toEqual({ spent: { tokens: 2, microUsd: 20 }, reserved: zero })
    })

    it('counts for all budgets or for none', async () => {
      const caps: Reservation['caps'] = [
        { scope: 'run', tokens: 100, microUsd: null },
        { scope: 'workflow', tokens: null, microUsd: 150 },
      ]
      expect(await budgets.reserve(NS, call('a.1.1', { caps }))).toEqual({ granted: true })
      expect(await budgets.reserve(NS, call('a.1.1', { run: 'r2', caps }))).toMatchObject({
        granted: false,
        over: { scope: 'workflow', unit: 'usd', cap: 150, spent: 0, reserved: 100, needed: 100 },
      })
      expect((await budgets.ofRun(NS, 'r2')).reserved).toEqual(zero)
      expect((await budgets.ofWorkflow(NS, 'report')).reserved).toEqual({ tokens: 10, microUsd: 100 })
      expect((await budgets.ofWorkflow(NS, 'other')).reserved).toEqual(zero)
      await budgets.settle(NS, 'r1', 'a.1.1', { tokens: 1, microUsd: 50 })
      expect(await budgets.ofWorkflow(NS, 'report')).toEqual({ spent: { tokens: 1, microUsd: 50 }, reserved: zero })
      expect(await budgets.reserve(NS, call('a.1.1', { run: 'r2', caps }))).toEqual({ granted: true })
    })

    it('holds for one agent of one run', async () => {
      const caps: Reservation['caps'] = [
        { scope: 'agent', tokens: 25, microUsd: null },
        { scope: 'run', tokens: 1_000, microUsd: null },
      ]
      const of = (agent: string, holder: string, run = 'r1') => budgets.reserve(NS, call(holder, { run, agent, caps }))
      for (const holder of ['a.1.1', 'a.2.1']) expect(await of('a', holder)).toEqual({ granted: true })
      const over = { scope: 'agent', unit: 'tokens', cap: 25, spent: 0, reserved: 20, needed: 10 }
      expect(await of('a', 'a.3.1')).toEqual({ granted: false, over, pending: true })
      expect(await of('b/iter-1', 'b.1.1')).toEqual({ granted: true })
      expect(await of('a', 'a.3.1', 'r2')).toEqual({ granted: true })
      await budgets.settle(NS, 'r1', 'a.1.1', { tokens: 20, microUsd: 0 })
      await budgets.settle(NS, 'r1', 'a.2.1', null)
      expect(await of('a', 'a.3.1')).toMatchObject({ over: { spent: 30, reserved: 0 }, pending: false })
      await budgets.settle(NS, 'r1', 'a.2.1', { tokens: 1, microUsd: 0 })
      expect(await of('a', 'a.3.1')).toMatchObject({ over: { spent: 21 } })
      expect(await budgets.ofRun(NS, 'r1')).toMatchObject({ spent: { tokens: 21 }, reserved: { tokens: 10 } })
    })

    it('holds for the whole namespace, and for no other', async () => {
      const caps: Reservation['caps'] = [{ scope: 'namespace', tokens: 15, microUsd: null }]
      expect(await budgets.reserve(NS, call('a.1.1', { caps }))).toEqual({ granted: true })
      expect(await budgets.reserve(NS, call('a.1.1', { run: 'r2', workflow: 'x', caps }))).toMatchObject({
        granted: false,
        over: { scope: 'namespace' },
      })
      expect(await budgets.reserve('other', call('a.1.1', { caps }))).toEqual({ granted: true })
    })

    it('never lets more through than the cap, however many ask at once', async () => {
      const caps: Reservation['caps'] = [{ scope: 'workflow', tokens: 200, microUsd: null }]
      const asked = Array.from({ length: 100 }, (_, at) => call(`s.1.${at}`, { run: `r${at % 7}`, caps }))
      const answers = await Promise.all(asked.map((one) => budgets.reserve(NS, one)))
      expect(answers.filter(({ granted }) => granted)).toHaveLength(20)
      await Promise.all(asked.map(({ run, holder }) => budgets.settle(NS, run, holder, { tokens: 9, microUsd: 1 })))
      expect(await budgets.ofWorkflow(NS, 'report')).toEqual({ spent: { tokens: 180, microUsd: 20 }, reserved: zero })
    })
  })
}
