// What goes wrong in a simulation, and what the engine makes of it.
import { expect, test } from 'vitest'
import { simulate } from './simulate.ts'
import { MODEL, workflow } from './workflow.fixture.ts'

const CHAIN = workflow(
  {
    first: { tool: 'count', with: { n: 1 } },
    items: { tool: 'count', each: { in: [1, 2, 3], concurrency: 2 }, with: { n: '${{ item + steps.first.output }}' } },
    last: { value: '${{ steps.items.output }}' },
  },
  { output: '${{ steps.last.output }}' },
)
const MOCKS = { 'tool:count': ({ input }: { input: unknown }) => (input as { n: number }).n * 10 }
const whats = (run: { timeline: { path: string; what: string }[] }, path: string): string[] =>
  run.timeline.filter((entry) => entry.path === path).map(({ what }) => what)

test('an attempt that fails is tried again when its time has come', async () => {
  const definition = workflow({ draft: { llm: { model: MODEL, prompt: 'x' }, retry: { attempts: 3, initial: '1m' } } })
  const faults = [{ fail: { step: 'draft', code: 'overloaded' as const, times: 2 } }]
  const run = await simulate(definition, { mocks: { draft: 'at last' }, faults })
  expect(run.output).toEqual({ draft: 'at last' })
  expect(whats(run, 'draft')).toEqual(['sent', 'attempt failed', 'sent', 'attempt failed', 'sent', 'completed'])
  // two waits of about a minute and two minutes, less their jitter
  expect(run.virtualMs).toBeGreaterThan(60_000)
})

test('a sequence answers call by call, and a function by the attempt', async () => {
  const definition = workflow({ a: { tool: 'x', retry: { attempts: 3 } }, b: { tool: 'y', retry: { attempts: 3 } } })
  const run = await simulate(definition, {
    mocks: {
      a: { sequence: [{ fail: 'rate_limited' }, { fail: { code: 'timeout', retryAfterMs: 5 } }, 'a'] },
      b: ({ attempt }) => (attempt < 2 ? { fail: 'provider_error' } : 'b'),
    },
  })
  expect(run.output).toEqual({ a: 'a', b: 'b' })
  expect(run.steps.map(({ attempts }) => attempts)).toEqual([3, 2])
})

test('a permanent failure escalates, and a person decides', async () => {
  const definition = workflow({ pay: { tool: 'pay', effect: 'once' }, note: { value: '${{ steps.pay.output }}' } })
  const faults = [{ fail: { step: 'pay', code: 'timeout' as const } }]
  const open = await simulate(definition, { faults, mocks: { pay: 'paid' } })
  expect(open.status).toBe('escalated')
  expect(open.waiting[0]?.why).toContain('outcome_unknown')
  const people = { pay: { action: 'override' as const, output: 'paid by hand', by: 'ann', after: '1h' } }
  const run = await simulate(definition, { faults, people, mocks: { pay: 'paid' } })
  expect(run).toMatchObject({ status: 'completed', output: { note: 'paid by hand' }, virtualMs: 3_600_200 })
  expect(whats(run, 'pay')).toEqual(['sent', 'attempt failed', 'escalated', 'resolved', 'overridden'])
})

test('each answer of a person counts once at each path', async () => {
  const items = workflow({ go: { tool: 'go', each: { in: [1, 2] }, effect: 'once' } })
  const faults = [{ fail: { step: 'go', code: 'bad_request' as const, times: 2 } }]
  const run = await simulate(items, {
    faults,
    mocks: { go: 'ok' },
    people: { go: [{ action: 'retry' }, { action: 'skip' }] },
  })
  expect(run.output).toEqual({ go: [null, null] })
  const stuck = await simulate(items, { faults, mocks: { go: 'ok' }, people: { go: { action: 'retry' } } })
  expect(stuck.waiting.map(({ path }) => path)).toEqual(['go[0]', 'go[1]'])
})

test('a lost worker costs a delivery, three are poison', async () => {
  const lost = await simulate(CHAIN, { mocks: MOCKS, faults: [{ loseWorker: { step: 'items[1]' } }] })
  expect(lost.output).toEqual([110, 120, 130])
  expect(whats(lost, 'items[1]')).toEqual(['sent', 'lost', 'sent', 'completed'])
  const poison = await simulate(CHAIN, { mocks: MOCKS, faults: [{ loseWorker: { step: 'first', times: 3 } }] })
  expect(poison.status).toBe('escalated')
  expect(poison.waiting[0]?.why).toContain('poison_step')
})

test.each(['first', 'items', 'items[0]', 'last'])(
  'an engine that dies behind %s changes nothing of what comes out',
  async (crashAfter) => {
    const calm = await simulate(CHAIN, { mocks: MOCKS })
    const run = await simulate(CHAIN, { mocks: MOCKS, faults: [{ crashAfter }] })
    expect(run.events).toEqual(calm.events)
    expect(run.timeline.some(({ what }) => what === 'crashed')).toBe(true)
    expect(run.unused).toEqual([])
  },
)

test('an answer that comes twice counts once', async () => {
  const run = await simulate(CHAIN, { mocks: MOCKS, faults: [{ deliverTwice: 'items' }] })
  expect(run.output).toEqual([110, 120, 130])
  expect(whats(run, 'items[2]')).toEqual(['sent', 'completed'])
})

test('a step that takes longer than its time-out fails with it', async () => {
  const definition = workflow({ slow: { tool: 'slow', timeout: '1s', retry: { attempts: 1 }, on_failure: 'fail' } })
  const run = await simulate(definition, { mocks: { slow: 'late' }, durations: { 'tool:slow': '2s' } })
  expect(run).toMatchObject({ status: 'failed', failure: { code: 'timeout' }, virtualMs: 1_000 })
})

test('a fault that never came about is said', async () => {
  const run = await simulate(CHAIN, {
    mocks: MOCKS,
    faults: [{ fail: { step: 'first', code: 'timeout', attempt: 2 } }],
  })
  expect(run.unused).toEqual(['faults[0]'])
})

test('the same simulation gives the same journal; another seed other delays', async () => {
  const faults = [{ fail: { step: 'first', code: 'overloaded' as const } }]
  const one = await simulate(CHAIN, { mocks: MOCKS, faults })
  expect(await simulate(CHAIN, { mocks: MOCKS, faults })).toEqual(one)
  const other = await simulate(CHAIN, { mocks: MOCKS, faults, seed: 7 })
  expect(other.output).toEqual(one.output)
  expect(other.virtualMs).not.toBe(one.virtualMs)
})
