// A nested run as a tree: blocks, items, iterations, turns and compensations under what they belong to, in their order.
import type { RunView, StepStatus, StepView } from '@stepfleet/contracts'
import { describe, expect, it } from 'vitest'
import { buildTree, type Node, progress } from './nodes.ts'
import { renderTree } from './tree.ts'

const T0 = 1_700_000_000_000
const noCost = { microUsd: 0, inputTokens: 0, outputTokens: 0, calls: 0, unpricedCalls: 0, scripted: false }

/** `✓ a 0 100`: status, path, ready and ended at; `…`: is not ready yet. The parent is said as the API says it. */
const step = (status: StepStatus, path: string, parent: string | null, at: number | null = 0): StepView => {
  const ended = !['running', 'pending', 'waiting', 'escalated'].includes(status)
  const readyAtMs = at === null ? null : T0 + at
  return {
    ...{ path, parent, status, kind: 'tool', why: null, attempt: 1, attempts: [], worker: null, servedBy: null },
    ...{ cost: noCost, output: null, failure: null, case: null, readyAtMs, startedAtMs: readyAtMs },
    endedAtMs: ended && at !== null ? T0 + at + 1_000 : null,
  }
}

const view = (steps: StepView[]): RunView => ({
  ...{ id: 'run_1', namespace: 'default', workflow: { name: 'book', version: 1, hash: 'h' }, status: 'running' },
  ...{ labels: {}, createdAtMs: T0, endedAtMs: null, version: 9, priority: 3, input: {}, output: null, failure: null },
  ...{ failedStep: null, why: null, cost: noCost, steps },
  waste: { calls: 0, tokens: 0, microUsd: 0, lostCalls: 0 },
})

const outline = (nodes: readonly Node[], depth = 0): string[] =>
  nodes.flatMap(({ label, children }) => [`${'  '.repeat(depth)}${label}`, ...outline(children, depth + 1)])

// two chapters of a book: each written again and again by an agent in a block, then sent, and undone
const BOOK = [
  step('running', 'chapters', null),
  step('completed', 'chapters[0]', 'chapters'),
  step('completed', 'chapters[0]/iter-1', 'chapters[0]'),
  step('completed', 'chapters[0]/iter-1/write', 'chapters[0]/iter-1'),
  step('completed', 'chapters[0]/iter-1/write/turn-1/llm', 'chapters[0]/iter-1/write'),
  step('running', 'chapters[1]', 'chapters'),
  step('completed', 'chapters[1]/iter-1', 'chapters[1]', 10),
  step('running', 'chapters[1]/iter-2', 'chapters[1]', 20),
  step('running', 'chapters[1]/iter-2/write', 'chapters[1]/iter-2', 20),
  step('completed', 'chapters[1]/iter-2/write/turn-1/llm', 'chapters[1]/iter-2/write', 20),
  step('completed', 'chapters[1]/iter-2/write/turn-1/tool-0', 'chapters[1]/iter-2/write', 30),
  step('completed', 'chapters[1]/iter-2/write/turn-1/tool-1', 'chapters[1]/iter-2/write', 30),
  step('running', 'chapters[1]/iter-2/write/turn-2/llm', 'chapters[1]/iter-2/write', 40),
  step('pending', 'chapters[1]/iter-2/check', 'chapters[1]/iter-2', null),
  step('compensated', 'mail', null, 50),
  step('completed', 'mail/compensate-1', 'mail', 60),
]

describe('the tree of a nested run', () => {
  it('has each step under what it belongs to, with what it adds to the path', () => {
    expect(outline(buildTree(BOOK))).toEqual([
      'chapters',
      '  [0]',
      '    iter-1',
      '      write',
      '        turn-1/llm',
      '  [1]',
      '    iter-1',
      '    iter-2',
      '      write',
      '        turn-1/llm',
      '        turn-1/tool-0',
      '        turn-1/tool-1',
      '        turn-2/llm',
      '      check',
      'mail',
      '  compensate-1',
    ])
  })

  it('is drawn with status, how far a step is, and what was undone', () => {
    const lines = renderTree(view(BOOK), { width: 100, rows: 50, color: false, nowMs: T0 + 2_000 })
    expect(lines.slice(1)).toEqual([
      '  ● chapters               running     2.0s  1 item ended, 1 open',
      '    ✓ [0]                     1.0s',
      '      ✓ iter-1                1.0s',
      '        ✓ write               1.0s',
      '          ✓ turn-1/llm        1.0s',
      '    ● [1]                  running     2.0s  iteration 2',
      '      ✓ iter-1                1.0s',
      '      ● iter-2             running     2.0s',
      '        ● write            running     2.0s  turn 2',
      '          ✓ turn-1/llm        1.0s',
      '          ✓ turn-1/tool-0     1.0s',
      '          ✓ turn-1/tool-1     1.0s',
      '          ● turn-2/llm     running     2.0s',
      '        · check',
      '  ↶ mail                   compensated     1.0s',
      '    ✓ compensate-1            1.0s',
    ])
  })

  it('puts items, iterations and turns in the order of their numbers, whenever they began', () => {
    const late = [
      step('running', 'a', null),
      ...['a[10]', 'a[2]', 'a[1]'].map((path, at) => step('running', path, 'a', at)),
      step('running', 'w', null, 1),
      ...['w/turn-10/llm', 'w/turn-9/tool-1', 'w/turn-9/tool-0', 'w/turn-9/llm'].map((path) =>
        step('running', path, 'w'),
      ),
    ]
    expect(outline(buildTree(late)).map((label) => label.trim())).toEqual(
      'a [1] [2] [10] w turn-9/llm turn-9/tool-0 turn-9/tool-1 turn-10/llm'.split(' '),
    )
  })

  it('bridges what a view leaves out, also where it names no parent', () => {
    const gaps = [step('running', 'block', null), step('pending', 'block/a[3]/iter-1', 'block/a[3]', null)]
    expect(outline(buildTree(gaps))).toEqual(['block', '  a[3]/iter-1'])
    expect(outline(buildTree([...gaps, step('pending', 'block/b', null, null)]))).toContain('  b')
  })

  it('closes what has finished before it folds, and never what went wrong in it', () => {
    const parts = ['a', 'b', 'c'].flatMap((name) => [
      step('completed', name, null),
      ...[0, 1, 2].map((at) => step(name === 'b' && at === 1 ? 'failed' : 'completed', `${name}[${at}]`, name)),
    ])
    const lines = renderTree(view(parts), { width: 100, rows: 8, color: false, nowMs: T0 })
    expect(lines.slice(1).map((line) => line.trim().replace(/ +/g, ' '))).toEqual([
      '✓ a 1.0s 3 steps in it',
      '✓ b 1.0s',
      '✓ [0] 1.0s',
      '✗ [1] failed 1.0s',
      '✓ [2] 1.0s',
      '✓ c 1.0s 3 steps in it',
    ])
  })

  it('says nothing of how far a step is that has ended', () => {
    const [node] = buildTree([step('completed', 'a', null), step('completed', 'a[0]', 'a')])
    expect(node && progress(node)).toBe('')
  })
})
