// The budgets in memory keep every promise.
import { expect, it } from 'vitest'
import { budgetsConformance } from './conformance.fixture.ts'
import { createMemoryBudgets } from './memory-budgets.ts'

budgetsConformance('budgets in memory', async () => ({
  budgets: createMemoryBudgets(() => 0),
  stop: async () => {},
}))

it('begins anew each day, and settles a call in the day it was made', async () => {
  let nowMs = Date.parse('2026-11-21T23:59:59Z')
  const budgets = createMemoryBudgets(() => nowMs)
  const caps = [{ scope: 'workflow', tokens: 10, microUsd: null }] as const
  const call = { run: 'r1', workflow: 'report', tokens: 10, microUsd: 0, caps }
  expect(await budgets.reserve('default', { ...call, holder: 'a.1.1' })).toEqual({ granted: true })
  nowMs += 1_000
  expect(await budgets.reserve('default', { ...call, holder: 'b.1.1' })).toEqual({ granted: true })
  await budgets.settle('default', 'r1', 'a.1.1', { tokens: 3, microUsd: 0 })
  expect(await budgets.ofWorkflow('default', 'report')).toMatchObject({
    spent: { tokens: 0 },
    reserved: { tokens: 10 },
  })
})
