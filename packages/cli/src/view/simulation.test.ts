// A simulation as it is printed: times, paths, the tree with what was skipped, the estimate, what is still open.
import type { Simulation, StepRecord } from '@stepfleet/simulator'
import { describe, expect, it } from 'vitest'
import { estimateText, renderSimulation } from './simulation.ts'
import { widthOf } from './text.ts'

const T0 = 1_700_000_000_000
const HOUR = 3_600_000

const record = (path: string, more: Partial<StepRecord> = {}): StepRecord => ({
  ...{ path, step: path, kind: 'tool', status: 'completed', attempts: 1, output: null, failure: null, cached: false },
  ...{ startedAtMs: T0, endedAtMs: T0 + 2_000 },
  ...more,
})

const happened = (sinceStartMs: number, path: string, what: string, detail = ''): Simulation['timeline'][number] => ({
  ...{ atMs: T0 + sinceStartMs, sinceStartMs, path, what, detail },
})

const SIMULATION: Simulation = {
  status: 'waiting',
  output: null,
  failure: null,
  steps: [
    record('draft', { kind: 'llm', attempts: 2, cached: true }),
    record('ask', { kind: 'steps', status: 'waiting', endedAtMs: null }),
    record('ask/ok', { kind: 'approval', status: 'waiting', endedAtMs: null, startedAtMs: T0 + HOUR }),
    record('never', { status: 'skipped', attempts: 0, startedAtMs: null, endedAtMs: null }),
  ],
  timeline: [
    happened(0, '', 'run started'),
    happened(0, 'draft', 'failed', 'rate_limited'),
    happened(26 * HOUR, 'ask/ok', 'waits'),
  ],
  path: ['draft', 'ask', 'ask/ok'],
  events: [],
  cost: {
    microUsd: 2_100,
    inputTokens: 1_200,
    outputTokens: 300,
    calls: 2,
    unpricedCalls: 0,
    scripted: false,
    estimated: true,
  },
  virtualMs: 26 * HOUR,
  waiting: [{ path: 'ask/ok', why: 'for a person' }],
  assumed: ['tool:mail', 'draft'],
  unused: ['mocks.nobody'],
}
const plain = { width: 100, color: false, name: 'letter' }

describe('renderSimulation', () => {
  it('tells the whole story', () => {
    expect(renderSimulation(SIMULATION, plain)).toEqual([
      'timeline',
      '    0.0s  run     started',
      '    0.0s  draft   failed  rate_limited',
      '  26h00m  ask/ok  waits',
      '',
      'letter simulated  waiting  26h00m',
      '  ✓ draft     2.0s  attempt 2 · taken from the cache',
      '  ◷ ask    waiting   26h00m',
      '    ◷ ok   waiting   25h00m  for a person',
      '  − never  skipped',
      '  2 model calls, about 1,200 tokens in and 300 out, $0.0021 (an estimate by characters)',
      'still waiting',
      '  ask/ok: for a person',
      'made-up answers: give mocks for',
      '  draft',
      'taken to be idempotent, no manifest being at hand',
      '  mail',
      'options that nothing came of',
      '  mocks.nobody',
    ])
  })

  it('dims what was skipped, keeps to the width, and lets no control sequence through', () => {
    const detail = `\u001b[2J${'x'.repeat(300)}`
    const long = { ...SIMULATION, timeline: [happened(0, 'a'.repeat(90), 'failed', detail)] }
    const lines = renderSimulation(long, { ...plain, color: true })
    expect(lines.find((text) => text.includes('never'))).toContain('\u001b[2mnever')
    const shown = renderSimulation(long, plain)
    for (const text of shown) expect(widthOf(text)).toBeLessThanOrEqual(100)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the point of the test
    expect(shown.join('')).not.toMatch(/[\u0000-\u001f]/)
  })

  it('says when a price is not known, and when no model was called', () => {
    const cost = { ...SIMULATION.cost, unpricedCalls: 1 }
    expect(estimateText({ ...SIMULATION, cost })).toContain('1 of them without a known price')
    expect(estimateText({ ...SIMULATION, cost: { ...cost, calls: 0 } })).toBe('no model calls')
    expect(estimateText({ ...SIMULATION, cost: { ...cost, microUsd: 24 } })).toContain('under $0.0001')
  })
})
