// Child workflows in a simulation: real ones, mocked ones, and those that cannot begin.
import { expect, test } from 'vitest'
import { simulate } from './simulate.ts'
import { MODEL, workflow } from './workflow.fixture.ts'

const CHILD = workflow(
  {
    find: { tool: 'find', with: { q: '${{ input.topic }}' } },
    ask: { approval: { show: '${{ steps.find.output }}' } },
  },
  {
    name: 'research',
    input: { type: 'object', required: ['topic'], properties: { topic: { type: 'string' } } },
    output: { found: '${{ steps.find.output }}', by: '${{ steps.ask.output.by }}' },
  },
)
const PARENT = workflow(
  {
    get: { run: { workflow: 'research', input: { topic: '${{ input }}' } } },
    tell: { value: '${{ steps.get.output }}' },
  },
  { output: '${{ steps.tell.output }}' },
)

test('a child runs in the same world; its steps are named below the step that runs it', async () => {
  const run = await simulate(PARENT, {
    input: 'tea',
    workflows: { research: CHILD },
    mocks: { 'get/find': ({ input, path }) => [input, path] },
    people: { 'get/ask': { approved: true, by: 'ann', after: '1h' } },
  })
  expect(run).toMatchObject({
    status: 'completed',
    output: { found: [{ q: 'tea' }, 'get/find'], by: 'ann' },
    unused: [],
  })
  expect(run.steps.map(({ path }) => path)).toEqual(['get', 'get/find', 'get/ask', 'tell'])
  expect(run.path).toEqual(['get', 'get/find', 'get/ask', 'tell'])
  expect(run.timeline.find(({ what, path }) => what === 'approved' && path === 'get/ask')).toMatchObject({
    sinceStartMs: 3_600_200,
  })
})

test('a child that nobody lets go on keeps its parent waiting', async () => {
  const run = await simulate(PARENT, { input: 'tea', workflows: { research: CHILD } })
  expect(run.status).toBe('waiting')
  expect(run.waiting.map(({ path }) => path)).toEqual(['get', 'get/ask'])
})

test('a mocked child has only a result', async () => {
  const run = await simulate(PARENT, { input: 'tea', mocks: { get: ({ input }) => ({ got: input }) } })
  expect(run).toMatchObject({ output: { got: { topic: 'tea' } }, assumed: [], unused: [] })
  const failed = await simulate(PARENT, { input: 'tea', mocks: { get: { fail: 'timeout' } } })
  expect(failed.waiting[0]?.why).toContain('child_failed')
})

test('a child that is not there, and one that does not take its input, is refused', async () => {
  const run = await simulate(PARENT, { input: 'tea' })
  expect(run.waiting[0]?.why).toContain("give workflows['research'] or mocks['get']")
  const wrong = await simulate(PARENT, { input: { no: 'text' }, workflows: { research: CHILD } })
  expect(wrong.waiting[0]?.why).toContain(
    'child_refused: the input of research does not fit: input.topic: must be string',
  )
})

test('a child that fails fails its step, with all it had done undone', async () => {
  const child = workflow(
    {
      book: { tool: 'book', compensate: { tool: 'unbook' } },
      fail: { tool: 'x', needs: ['book'], on_failure: 'fail' },
    },
    { name: 'research' },
  )
  const run = await simulate(PARENT, {
    input: 'tea',
    workflows: { research: child },
    faults: [{ fail: { step: 'get/fail', code: 'bad_request' } }],
    people: { get: { action: 'override', output: 'by hand' } },
    mocks: { 'get/book': 1, 'tool:unbook': 2 },
  })
  expect(run).toMatchObject({ status: 'completed', output: 'by hand' })
  expect(run.path).toEqual(['get', 'get/book', 'get/fail', 'get/book/compensate-1', 'tell'])
})

test('a child is cancelled with what waits for it', async () => {
  const parent = workflow({ get: { run: 'research', deadline: '1h', on_failure: 'continue' } })
  const child = workflow({ nap: { wait: '1d' } }, { name: 'research' })
  const run = await simulate(parent, {
    workflows: { 'research@1': workflow({ no: { value: 1 } }), 'research@2': child },
  })
  expect(run).toMatchObject({ status: 'completed', output: { get: null }, virtualMs: 3_600_000 })
  expect(run.timeline.map(({ path, what }) => [path, what])).toContainEqual(['get', 'run cancelled'])
})

test('a detached child goes on by itself', async () => {
  const parent = workflow({ go: { run: { workflow: 'research', input: { topic: 'tea' }, detach: true } } })
  const run = await simulate(parent, {
    workflows: { research: CHILD },
    mocks: { 'go/find': 'leaves' },
    people: { 'go/ask': { approved: true, after: '1d' } },
  })
  expect(run).toMatchObject({
    status: 'completed',
    output: { go: { run: expect.stringMatching(/^run_/) } },
    virtualMs: 0,
  })
  expect(run.timeline.at(-1)).toMatchObject({ path: 'go', what: 'run completed' })
})

test('an agent may run a workflow, and ask a person', async () => {
  const input = { type: 'object' }
  const parent = workflow({
    work: {
      agent: {
        model: MODEL,
        prompt: 'Do',
        tools: [
          { name: 'research', description: 'finds out', input, run: 'research' },
          { name: 'may_i', description: 'asks', input, approval: { assignee: 'ann' } },
        ],
      },
    },
  })
  const run = await simulate(parent, {
    workflows: { research: CHILD },
    mocks: {
      work: { turns: [{ toolUses: [{ name: 'research', input: { topic: 'tea' } }, { name: 'may_i' }] }, 'done'] },
      'tool:research/find': 'leaves',
    },
    people: { 'tool:research/ask': { approved: true }, 'tool:may_i': { approved: false, reason: 'no' } },
  })
  expect(run).toMatchObject({ status: 'completed', output: { work: 'done' }, unused: [] })
  expect(run.steps.find(({ path }) => path === 'work/turn-1/tool-0/find')).toMatchObject({ output: 'leaves' })
  expect(run.steps.find(({ path }) => path === 'work/turn-1/tool-1')?.output).toMatchObject({ approved: false })
})

test('runs that share a limit wait for each other, and signals find the child', async () => {
  const child = workflow({ paid: { signal: 'paid' } }, { name: 'child', concurrency: { key: 'one', limit: 1 } })
  const parent = workflow({ a: { run: 'child' }, b: { run: 'child' } })
  const run = await simulate(parent, {
    workflows: { child },
    signals: [
      { name: 'paid', payload: 1, to: 'a', after: '1h' },
      { name: 'paid', payload: 2, to: 'b', after: '2h' },
    ],
  })
  expect(run).toMatchObject({ status: 'completed', output: { a: { paid: 1 }, b: { paid: 2 } }, virtualMs: 7_200_000 })
  expect(run.timeline.find(({ what }) => what === 'held')).toMatchObject({ path: 'b' })
})

test('an engine that dies anywhere around a child changes nothing', async () => {
  const options = {
    input: 'tea',
    workflows: { research: CHILD },
    mocks: { 'get/find': 'leaves' },
    people: { 'get/ask': { approved: true } },
  }
  const calm = await simulate(PARENT, options)
  const faults = ['get', 'get/find', 'get/ask'].map((crashAfter) => ({ crashAfter }))
  const run = await simulate(PARENT, { ...options, faults })
  expect(run.events).toEqual(calm.events)
  expect(run.unused).toEqual([])
})
