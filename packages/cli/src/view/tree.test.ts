// The tree says what a run does: states, times, cost, why; folded to the rows and cut to the width there are.
import type { AttemptView, RunView, StepView } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { widthOf } from './text.ts'
import { progressLines, renderTree } from './tree.ts'

const T0 = 1_700_000_000_000
const noCost = { microUsd: 0, inputTokens: 0, outputTokens: 0, calls: 0, unpricedCalls: 0, scripted: false }

const step = (path: string, more: Partial<StepView> = {}): StepView => ({
  path,
  parent: null,
  kind: 'tool',
  status: 'pending',
  why: null,
  attempt: 0,
  attempts: [],
  readyAtMs: null,
  startedAtMs: null,
  endedAtMs: null,
  worker: null,
  servedBy: null,
  cost: noCost,
  output: null,
  failure: null,
  case: null,
  ...more,
})
const done = (path: string, more: Partial<StepView> = {}): StepView =>
  step(path, { status: 'completed', attempt: 1, readyAtMs: T0, startedAtMs: T0, endedAtMs: T0 + 1_500, ...more })

const attempt = (deliveries: number): AttemptView => ({
  attempt: 1,
  deliveries,
  status: 'running',
  dispatchedAtMs: T0,
  startedAtMs: T0,
  endedAtMs: null,
  worker: 'w',
  failure: null,
  usage: null,
  retryAtMs: null,
})

const view = (steps: StepView[], more: Partial<RunView> = {}): RunView => ({
  id: 'run_1',
  namespace: 'default',
  workflow: { name: 'research', version: 3, hash: 'h' },
  status: 'running',
  labels: {},
  createdAtMs: T0,
  endedAtMs: null,
  version: 9,
  priority: 3,
  input: {},
  output: null,
  failure: null,
  failedStep: null,
  why: null,
  cost: noCost,
  waste: { calls: 0, tokens: 0, microUsd: 0, lostCalls: 0 },
  steps,
  ...more,
})

const plain = { width: 120, rows: 50, color: false, nowMs: T0 + 4_000 }
const lineOf = (lines: string[], text: string): string => lines.find((one) => one.includes(text)) ?? ''

describe('renderTree', () => {
  it('heads with workflow, id, status, time and cost', () => {
    const cost = { ...noCost, calls: 2, inputTokens: 1_200, outputTokens: 34, microUsd: 12_345 }
    expect(renderTree(view([], { cost }), plain)[0]).toBe('research@3 run_1  running  4.0s  1,234 tokens  $0.0123')
  })

  it('never shows a price for scripted answers or for a model without one', () => {
    const cost = { ...noCost, calls: 2, inputTokens: 10, microUsd: 99 }
    const head = (more: object): string => renderTree(view([], { cost: { ...cost, ...more } }), plain)[0] ?? ''
    expect(head({ scripted: true })).toMatch(/10 tokens {2}scripted$/)
    expect(head({ unpricedCalls: 2 })).toMatch(/price unknown$/)
  })

  it('nests steps under their parent and labels them by what they add to its path', () => {
    const lines = renderTree(
      view([
        step('work', { status: 'running', startedAtMs: T0 }),
        done('work/turn-1/llm', { parent: 'work' }),
        done('search[2]', { parent: 'search' }),
        step('search', { status: 'running', startedAtMs: T0 }),
      ]),
      plain,
    )
    expect(lineOf(lines, 'turn-1/llm')).toMatch(/^ {4}✓ turn-1\/llm +1\.5s$/)
    expect(lineOf(lines, '[2]')).toMatch(/^ {4}✓ \[2\]/)
    expect(lineOf(lines, '● work')).toMatch(/running +4\.0s {2}turn 1$/)
  })

  it('shows steps in the order in which they became ready, and what is not ready last', () => {
    const steps = [step('z'), step('a'), done('late', { readyAtMs: T0 + 9 }), done('early', { readyAtMs: T0 + 1 })]
    const names = renderTree(view(steps), plain)
      .slice(1)
      .map((text) => text.trim().split(/ +/)[1])
    expect(names).toEqual(['early', 'late', 'z', 'a'])
  })

  it('says the attempt, what failed and why it waits', () => {
    const lines = renderTree(
      view([
        step('call', {
          status: 'retrying',
          attempt: 3,
          startedAtMs: T0,
          why: 'attempt 4 of 5 in 8 s',
          failure: { code: 'rate_limited', class: 'transient', message: 'slow down' },
        }),
      ]),
      plain,
    )
    expect(lineOf(lines, 'call')).toContain('attempt 3 · rate_limited: slow down · attempt 4 of 5 in 8 s')
  })

  it('says when a delivery was lost with its worker', () => {
    const lines = renderTree(view([step('llm', { status: 'running', startedAtMs: T0, attempts: [attempt(2)] })]), plain)
    expect(lineOf(lines, 'llm')).toContain('1 lost with its worker, sent again')
  })

  it('ends with the failure of the run and where it was', () => {
    const failure = { code: 'http_error' as const, class: 'permanent' as const, message: '404' }
    const lines = renderTree(view([], { status: 'failed', failure, failedStep: 'fetch' }), plain)
    expect(lines.at(-1)).toBe('  http_error in fetch: 404')
  })

  it('lets nothing from outside reach the terminal as a control sequence', () => {
    const lines = renderTree(
      view([step('a', { status: 'waiting', why: 'x\u001b[2J\u001b]0;title\u0007y\r\nz' })]),
      plain,
    )
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the point of the test
    expect(lines.join('')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
    expect(lines).toHaveLength(2)
  })

  it('cuts every line to the width, also wide characters', () => {
    const steps = [step('a', { status: 'waiting', why: '待機中'.repeat(40) }), step('b'.repeat(48))]
    for (const width of [20, 33, 80])
      for (const text of renderTree(view(steps), { ...plain, width })) expect(widthOf(text)).toBeLessThanOrEqual(width)
  })

  it('colours only when asked, and the same text', () => {
    const run = view([done('a'), step('b', { status: 'failed' })])
    const coloured = renderTree(run, { ...plain, color: true })
    expect(coloured.join('\n')).toContain('\u001b[32m')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
    const stripped = coloured.map((text) => text.replace(/\u001b\[\d+m/g, '').trimEnd())
    expect(stripped).toEqual(renderTree(run, plain))
  })

  it('folds finished children when rows are few, keeps what is not finished, and never draws more rows', () => {
    const turns = Array.from({ length: 40 }, (_, i) => done(`work/turn-${i + 1}/llm`, { parent: 'work' }))
    const run = view([
      step('work', { status: 'running', startedAtMs: T0 }),
      ...turns,
      step('work/turn-41/llm', { parent: 'work', status: 'running', startedAtMs: T0 }),
      step('report'),
    ])
    const lines = renderTree(run, { ...plain, rows: 14 })
    expect(lines.length).toBeLessThanOrEqual(14)
    expect(lineOf(lines, 'finished')).toMatch(/✓ 32 finished/)
    expect(lineOf(lines, 'turn-41/llm')).not.toBe('')
    expect(lineOf(lines, 'report')).not.toBe('')
    expect(renderTree(run, { ...plain, rows: 100 })).toHaveLength(44)
  })

  it('cuts the end with a count when nothing more can be folded', () => {
    const run = view(Array.from({ length: 30 }, (_, i) => step(`s${i}`, { status: 'running', startedAtMs: T0 })))
    const lines = renderTree(run, { ...plain, rows: 10 })
    expect(lines).toHaveLength(10)
    expect(lines.at(-1)).toBe('  … 22 more lines')
  })
})

describe('progressLines', () => {
  it('tells each change once', () => {
    const first = view([step('a', { status: 'running', attempt: 1, startedAtMs: T0 + 500 }), step('b')])
    const second = view([done('a', { endedAtMs: T0 + 2_000 }), step('b')])
    expect(progressLines(null, first)).toEqual(['    0.5s ● a  running', '    0.0s run run_1 running'])
    expect(progressLines(first, second)).toEqual(['    2.0s ✓ a  completed  2.0s'])
    expect(progressLines(second, second)).toEqual([])
  })

  it('tells of a lost delivery and of the end', () => {
    const before = view([step('a', { status: 'running', attempt: 1, attempts: [attempt(1)] })])
    const after = view([step('a', { status: 'running', attempt: 1, attempts: [attempt(2)] })], {
      status: 'cancelled',
      endedAtMs: T0 + 9_000,
    })
    const lines = progressLines(before, after)
    expect(lines[0]).toContain('1 lost with its worker')
    expect(lines[1]).toBe('    9.0s run run_1 cancelled')
  })
})
