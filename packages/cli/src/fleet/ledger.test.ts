// The ledger check fails when a call was made twice, never answered, or has no place in the journal.
import type { Event } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { checkLedger, type LedgerLine } from './ledger.ts'

const usage = { model: 'a/b', inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, cacheWriteTokens: 0, microUsd: 0 }
const completed = (seq: number, path: string): Event => ({
  seq,
  atMs: seq,
  v: 1,
  actor: { kind: 'engine', id: 'e' },
  command: 'c',
  type: 'step.completed',
  path,
  output: { value: null },
  usage,
})
const call = (n: number, path: string, outcome = 'answered'): LedgerLine[] => [
  { n, key: `default/run_1/${path}`, outcome: 'begun' },
  { n, key: `default/run_1/${path}`, outcome },
]
const run = { ns: 'default', id: 'run_1', killed: ['b'] }
const events = [completed(1, 'a'), completed(2, 'b')]

describe('checkLedger', () => {
  it('agrees when each finished call was made once, and leaves other runs out', () => {
    const other = { n: 9, key: 'default/run_10/a', outcome: 'answered' }
    const verdict = checkLedger([...call(1, 'a'), ...call(2, 'b'), other], events, run)
    expect(verdict).toMatchObject({ ok: true, completed: 2, calls: 2, answered: 2, extra: [], problems: [] })
  })
  it('allows one more call where a worker was killed', () => {
    const lines = [...call(1, 'a'), ...call(2, 'b', 'aborted'), ...call(3, 'b')]
    expect(checkLedger(lines, events, run)).toMatchObject({
      ok: true,
      calls: 3,
      answered: 2,
      extra: [{ key: 'default/run_1/b', calls: 2, answered: 1 }],
    })
    expect(checkLedger([...lines, ...call(4, 'b')], events, run).problems).toEqual(['b was called 3 times'])
  })
  it('finds a call made twice', () => {
    expect(checkLedger([...call(1, 'a'), ...call(2, 'a'), ...call(3, 'b')], events, run).problems).toEqual([
      'a was called 2 times',
    ])
  })
  it('finds a completion without an answer, a call without a completion, and an empty journal', () => {
    expect(checkLedger(call(1, 'a'), events, run).problems[0]).toMatch(/^b is completed .* never answered/)
    expect(checkLedger([...call(1, 'a'), ...call(2, 'b'), ...call(3, 'c')], events, run).problems[0]).toMatch(
      /no completion/,
    )
    expect(checkLedger([], [], run)).toMatchObject({ ok: false, problems: ['the journal has no completed model call'] })
  })
  it('finds a step that completed twice', () => {
    expect(checkLedger([...call(1, 'a'), ...call(2, 'b')], [...events, completed(3, 'a')], run).ok).toBe(false)
  })
})
