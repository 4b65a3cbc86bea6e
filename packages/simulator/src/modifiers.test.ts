// Every modifier, simulated: what holds steps, what repeats them, what undoes them, and what they wait for.
import { expect, test } from 'vitest'
import { simulate } from './simulate.ts'
import { MODEL, workflow } from './workflow.fixture.ts'

const statuses = (run: { steps: { path: string; status: string }[] }): Record<string, string> =>
  Object.fromEntries(run.steps.map(({ path, status }) => [path, status]))

test('a block is known by its output; mocks name the steps in it by id', async () => {
  const definition = workflow({
    research: {
      steps: { find: { tool: 'find' }, sum: { llm: { model: MODEL, prompt: '${{ steps.find.output }}' } } },
      output: { text: '${{ steps.sum.output }}' },
    },
    tell: { value: '${{ steps.research.output.text }}' },
  })
  const run = await simulate(definition, {
    mocks: { 'research/find': 'facts', 'research/sum': ({ input }) => JSON.stringify(input) },
  })
  expect(run.output).toMatchObject({ tell: expect.stringContaining('facts') })
  expect(run.path).toEqual(['research', 'research/find', 'research/sum', 'tell'])
  expect(run.steps.map(({ path, kind }) => [path, kind])).toEqual([
    ['research', 'steps'],
    ['research/find', 'tool'],
    ['research/sum', 'llm'],
    ['tell', 'value'],
  ])
})

test('an if that is false skips, and what needs it too, unless it says needs_any', async () => {
  const definition = workflow({
    a: { tool: 'x', if: '${{ input.go }}' },
    b: { value: '${{ steps.a.output }}' },
    c: { value: 1 },
    d: { value: 'd', needs_any: ['a', 'c'] },
  })
  const run = await simulate(definition, { input: { go: false }, mocks: { a: 1 } })
  expect(statuses(run)).toEqual({ a: 'skipped', b: 'skipped', c: 'completed', d: 'completed' })
  expect(run.path).toEqual(['c', 'd'])
  expect(run.unused).toEqual(['mocks.a'])
})

test('items run as many at a time as they may; one of them can be mocked by its path', async () => {
  const definition = workflow({
    get: { tool: 'get', each: { in: '${{ input }}', concurrency: 2 }, with: { n: '${{ item }}' } },
  })
  const mocks = { get: ({ index }: { index?: number }) => index ?? null, 'get[2]': 'the third' }
  const run = await simulate(definition, { input: ['a', 'b', 'c', 'd'], mocks, durations: { get: '1s' } })
  expect(run).toMatchObject({ output: { get: [0, 1, 'the third', 3] }, virtualMs: 2_000 })
})

test.each([
  ['any', { index: 1, output: 'b' }],
  [
    { atLeast: 2 },
    [
      { status: 'failed', output: null, error: expect.objectContaining({ code: 'bad_request' }) },
      { status: 'completed', output: 'b', error: null },
      { status: 'completed', output: 'c', error: null },
    ],
  ],
] as const)('items are joined by %j', async (join, output) => {
  const definition = workflow({ get: { tool: 'get', each: { in: [0, 1, 2], join }, effect: 'read' } })
  const mocks = { 'get[0]': { fail: 'bad_request' as const }, 'get[1]': 'b', 'get[2]': 'c' }
  const run = await simulate(definition, { mocks, durations: { 'get[2]': '1s' } })
  expect(run.output).toEqual({ get: output })
})

test('a repeat goes on until it is good, and each iteration knows the one before', async () => {
  const definition = workflow({
    draft: {
      llm: { model: MODEL, prompt: 'better than ${{ previous }}' },
      repeat: { until: '${{ output == "good" }}', max: 5 },
    },
  })
  const run = await simulate(definition, { mocks: { draft: { sequence: ['bad', 'so so', 'good'] } } })
  expect(run.output).toEqual({ draft: 'good' })
  expect(run.steps.map(({ path, output }) => [path, output])).toEqual([
    ['draft', 'good'],
    ['draft/iter-1', 'bad'],
    ['draft/iter-2', 'so so'],
    ['draft/iter-3', 'good'],
  ])
})

test('a year of days', async () => {
  const definition = workflow({
    daily: {
      repeat: { max: 365 },
      steps: { nap: { wait: '24h' }, work: { tool: 'work', needs: ['nap'] } },
      output: '${{ (previous == null ? 0 : previous) + steps.work.output }}',
    },
  })
  const run = await simulate(definition, { mocks: { 'daily/work': 1 } })
  expect(run.output).toEqual({ daily: 365 })
  expect(Math.floor(run.virtualMs / 86_400_000)).toBe(365)
})

test('a gate asks before, and its edits go to the tool', async () => {
  const definition = workflow({ pay: { tool: 'pay', with: { amount: 100 }, gate: true, on_failure: 'continue' } })
  const mocks = { pay: ({ input }: { input: unknown }) => JSON.stringify(input) }
  const run = await simulate(definition, {
    mocks,
    people: { pay: { approved: true, edits: { amount: 5 }, after: '1d' } },
  })
  expect(run).toMatchObject({ output: { pay: '{"amount":5}' }, virtualMs: 86_400_200 })
  const no = await simulate(definition, { mocks, people: { pay: { approved: false, reason: 'too much' } } })
  expect(no.steps[0]?.failure).toMatchObject({ code: 'gate_rejected', message: 'too much' })
  expect(no.path).toEqual([])
})

test('an answer that the engine refuses is told, and the run waits on', async () => {
  const definition = workflow({ draft: { llm: { model: MODEL, prompt: 'x' }, gate: true } })
  const run = await simulate(definition, { people: { draft: { approved: true, edits: { prompt: 'y' } } } })
  expect(run.timeline.find(({ what }) => what === 'refused')).toMatchObject({
    path: 'draft',
    detail: expect.stringContaining('edits of a gate'),
  })
  expect(run.waiting).toMatchObject([{ path: 'draft' }])
})

test('what was done is undone when the run fails, the newest first', async () => {
  const definition = workflow({
    book: { tool: 'book', compensate: { tool: 'cancel', with: { id: '${{ output }}' } } },
    pay: { tool: 'pay', needs: ['book'], compensate: { tool: 'refund' } },
    ship: { tool: 'ship', needs: ['pay'], on_failure: 'fail' },
  })
  const run = await simulate(definition, {
    mocks: {
      book: 'b1',
      pay: 'p1',
      ship: { fail: 'bad_request' },
      'tool:cancel': ({ input }) => input,
      'pay/compensate-1': 'back',
    },
  })
  expect(run).toMatchObject({ status: 'failed', failure: { code: 'bad_request' }, unused: [] })
  expect(run.path).toEqual(['book', 'pay', 'ship', 'pay/compensate-1', 'book/compensate-1'])
  expect(run.steps.map(({ path, status, output }) => [path, status, output])).toEqual([
    ['book', 'compensated', 'b1'],
    ['book/compensate-1', 'completed', { id: 'b1' }],
    ['pay', 'compensated', 'p1'],
    ['pay/compensate-1', 'completed', 'back'],
    ['ship', 'failed', null],
  ])
})

test('on_failure gives something in the place of the output', async () => {
  const definition = workflow({ a: { tool: 'x', on_failure: { use: { none: 'late' } } } })
  const run = await simulate(definition, { mocks: { a: { fail: 'not_found' } } })
  expect(run).toMatchObject({ status: 'completed', output: { a: { none: 'late' } } })
})

test('a deadline of a step and of the run ends it', async () => {
  const step = workflow({ nap: { wait: '2h', deadline: '1h', on_failure: 'fail' } })
  expect(await simulate(step)).toMatchObject({
    status: 'failed',
    failure: { code: 'deadline_exceeded' },
    virtualMs: 3_600_000,
  })
  const whole = workflow({ nap: { wait: '2h' } }, { deadline: '30m' })
  expect(await simulate(whole)).toMatchObject({
    status: 'failed',
    failure: { code: 'deadline_exceeded' },
    virtualMs: 1_800_000,
  })
})

test('a concurrency limit holds in virtual time, over steps and items', async () => {
  const limit = { key: 'crm-${{ input }}', limit: 2 }
  const definition = workflow({
    items: { tool: 'call', each: { in: [1, 2, 3, 4, 5] }, concurrency: limit },
    other: { tool: 'call', concurrency: limit },
  })
  const run = await simulate(definition, {
    input: 'eu',
    mocks: { 'tool:call': 'ok' },
    durations: { 'tool:call': '10s' },
  })
  expect(run).toMatchObject({ status: 'completed', virtualMs: 30_000 })
  expect(run.timeline.filter(({ what }) => what === 'held')).toHaveLength(4)
})

test('a rate spreads the starts', async () => {
  const definition = workflow({
    items: { tool: 'call', each: { in: [1, 2, 3, 4, 5] }, rate: { key: 'crm', limit: 2, per: '1m' } },
  })
  const run = await simulate(definition, { mocks: { items: 'ok' } })
  expect(run.steps.slice(1).map(({ startedAtMs }) => (startedAtMs ?? 0) - (run.steps[0]?.startedAtMs ?? 0))).toEqual([
    0, 0, 60_000, 60_000, 120_000,
  ])
})

test('a limit that is never free again leaves the run waiting', async () => {
  const limit = { key: 'one', limit: 1 }
  const definition = workflow({
    ask: { steps: { person: { approval: { show: 1 } } }, concurrency: limit },
    next: { value: 1 },
    call: { tool: 'x', needs: ['next'], concurrency: limit },
  })
  const run = await simulate(definition)
  expect(run.status).toBe('waiting')
  expect(run.waiting.map(({ path }) => path).sort()).toEqual(['ask/person', 'call'])
})

test('a finished output is taken from the cache', async () => {
  const definition = workflow({
    one: {
      tool: 'look',
      each: { in: ['a', 'b', 'a'], concurrency: 1 },
      with: { q: '${{ item }}' },
      cache: { ttl: '1h' },
    },
  })
  let calls = 0
  const run = await simulate(definition, { mocks: { one: () => ++calls } })
  expect(run.output).toEqual({ one: [1, 2, 1] })
  expect(run.steps.map(({ cached }) => cached)).toEqual([false, false, false, true])
})

test('it all nests', async () => {
  const definition = workflow({
    chapters: {
      each: { in: ['a', 'b'], as: 'chapter' },
      repeat: { until: '${{ output.good }}', max: 3 },
      steps: {
        write: { agent: { model: MODEL, prompt: 'Write ${{ chapter }}', tools: ['search'] } },
        judge: { tool: 'judge', with: { text: '${{ steps.write.output }}' } },
      },
      output: { good: '${{ steps.judge.output }}', text: '${{ steps.write.output }}' },
    },
  })
  const run = await simulate(definition, {
    mocks: {
      'chapters/write': ({ path, turn }) => (turn === 1 ? { toolUses: [{ name: 'search' }] } : path),
      'tool:search': 'found',
      'chapters/judge': ({ path }) => path === 'chapters[1]/iter-1/judge' || path === 'chapters[0]/iter-2/judge',
    },
    faults: [{ crashAfter: 'chapters/write' }, { loseWorker: { step: 'tool:search' } }],
  })
  expect(run.output).toEqual({
    chapters: [
      { good: true, text: 'chapters[0]/iter-2/write/turn-2/llm' },
      { good: true, text: 'chapters[1]/iter-1/write/turn-2/llm' },
    ],
  })
  expect(run.unused).toEqual([])
})
