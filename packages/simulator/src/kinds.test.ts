// Every kind of step, simulated.
import { expect, test } from 'vitest'
import { simulate } from './simulate.ts'
import { MODEL, workflow } from './workflow.fixture.ts'

const SCORE = { type: 'object', required: ['score'], properties: { score: { type: 'integer', minimum: 1 } } }
const HOUR_MS = 3_600_000

test('a model call answers with its mock, and what it would cost is estimated by characters', async () => {
  const definition = workflow(
    { draft: { llm: { model: MODEL, prompt: 'Write about ${{ input.topic }}' } } },
    { output: '${{ steps.draft.output }}' },
  )
  const run = await simulate(definition, { input: { topic: 'tea' }, mocks: { draft: 'Tea is a leaf.' } })
  expect(run).toMatchObject({ status: 'completed', output: 'Tea is a leaf.', path: ['draft'], assumed: [], unused: [] })
  // 'Write about tea' is 15 characters, the answer 14; a dollar a million in, five a million out
  expect(run.cost).toMatchObject({ inputTokens: 4, outputTokens: 4, microUsd: 24, calls: 1, estimated: true })
  expect(run.virtualMs).toBe(2_000)
})

test('without a mock a model answers with something that fits, and that is said', async () => {
  const definition = workflow({
    judge: { llm: { model: MODEL, prompt: 'Judge', output: SCORE } },
    tell: { llm: { model: MODEL, prompt: 'Tell ${{ steps.judge.output.score }}' } },
  })
  const run = await simulate(definition)
  expect(run.output).toEqual({ judge: { score: 1 }, tell: 'mocked answer of tell' })
  expect(run.assumed).toEqual(['judge', 'tell'])
})

test('a mock that breaks the output schema fails as a model that answers so would', async () => {
  const definition = workflow({
    judge: { llm: { model: MODEL, prompt: 'Judge', output: SCORE }, retry: { attempts: 2 }, on_failure: 'fail' },
  })
  const run = await simulate(definition, { mocks: { judge: { score: 0 } } })
  expect(run.failure).toMatchObject({
    code: 'malformed_output',
    message: expect.stringContaining('score: must be >= 1'),
  })
  expect(run.steps[0]).toMatchObject({ path: 'judge', status: 'failed', attempts: 2 })
})

test('text is what a model without an output schema answers: an object, and nothing at all, are found', async () => {
  const definition = workflow({
    a: { llm: { model: MODEL, prompt: 'a' }, retry: { attempts: 1 }, on_failure: 'continue' },
    b: { llm: { model: MODEL, prompt: 'b' }, retry: { attempts: 1 }, on_failure: 'continue' },
  })
  const run = await simulate(definition, { mocks: { a: { not: 'text' }, b: ' ' } })
  expect(run.steps.map((step) => step.failure?.code)).toEqual(['malformed_output', 'malformed_output'])
})

test('a tool gets its `with`, secrets by name; http without a mock answers as http does', async () => {
  const seen: unknown[] = []
  const definition = workflow({
    look: { tool: 'http', with: { url: 'https://example.com/', expect: [204] } },
    send: {
      tool: 'send',
      needs: ['look'],
      with: { key: 'Bearer ${{ secrets.KEY }}', to: '${{ steps.look.output.status }}' },
    },
  })
  const run = await simulate(definition, {
    mocks: {
      'tool:send': ({ input, path, attempt }) => {
        seen.push({ input, path, attempt })
        return { sent: true }
      },
    },
  })
  expect(run.output).toEqual({ look: { status: 204, headers: {}, body: null }, send: { sent: true } })
  expect(seen).toEqual([{ input: { key: 'Bearer secret KEY', to: 204 }, path: 'send', attempt: 1 }])
  expect(run.assumed).toEqual(['tool:send', 'look'])
})

test('what a tool is given is checked against its manifest', async () => {
  const spec = { name: 'find', description: 'finds', input: { type: 'object', required: ['id'] } }
  const definition = workflow({ find: { tool: 'find', with: { idd: 1 }, on_failure: 'fail' } })
  const run = await simulate(definition, { tools: [{ spec, effect: 'read', secrets: [] }], mocks: { find: 'found' } })
  expect(run).toMatchObject({ status: 'failed', failure: { code: 'tool_input_invalid' } })
  expect(run.unused).toEqual(['mocks.find'])
})

test('an agent plays its turns: tools, their results, and the answer', async () => {
  const definition = workflow({
    work: {
      agent: {
        model: MODEL,
        prompt: 'Do it',
        output: SCORE,
        tools: [
          'search',
          {
            name: 'fetch_page',
            description: 'fetches',
            input: { type: 'object' },
            tool: 'http',
            with: { url: '${{ args.url }}' },
          },
        ],
      },
    },
  })
  const run = await simulate(definition, {
    mocks: {
      work: {
        turns: [
          {
            toolUses: [
              { name: 'search', input: { q: 'tea' } },
              { name: 'fetch_page', input: { url: 'https://example.com/' } },
            ],
          },
          { score: 7 },
        ],
      },
      'tool:search': ({ input }) => [input],
      'work/turn-1/tool-1': { status: 200, headers: {}, body: 'a page' },
    },
  })
  expect(run.output).toEqual({ work: { score: 7 } })
  expect(run.steps.map(({ path, output }) => [path, output])).toEqual([
    ['work', { score: 7 }],
    ['work/turn-1/llm', expect.objectContaining({ toolUses: expect.any(Array) })],
    ['work/turn-1/tool-0', [{ q: 'tea' }]],
    ['work/turn-1/tool-1', { status: 200, headers: {}, body: 'a page' }],
    ['work/turn-2/llm', expect.objectContaining({ text: '{"score":7}' })],
  ])
  expect(run.path).toEqual(['work'])
  expect(run.cost.calls).toBe(2)
})

test('a plain mock of an agent is its answer; turns that are not there are asked for in vain', async () => {
  const definition = workflow({ work: { agent: { model: MODEL, prompt: 'Do it', tools: ['search'] } } })
  expect(await simulate(definition, { mocks: { work: 'done' } })).toMatchObject({ output: { work: 'done' } })
  const endless = { work: { turns: [{ toolUses: [{ name: 'search' }] }] }, 'tool:search': null }
  await expect(simulate(definition, { mocks: endless })).rejects.toThrow(
    'has 1 turns, but work/turn-2/llm asks for another',
  )
  // a function may decide by the turn
  const run = await simulate(definition, {
    mocks: { work: ({ turn }) => (turn === 1 ? { toolUses: [{ name: 'search' }] } : 'found'), 'tool:search': [] },
  })
  expect(run.output).toEqual({ work: 'found' })
})

test('people answer approvals in their time; without an answer the run waits, and says for what', async () => {
  const definition = workflow({ ask: { approval: { show: 'this?' } } }, { output: '${{ steps.ask.output.by }}' })
  const run = await simulate(definition, { people: { ask: { approved: true, by: 'ann', after: '2h' } } })
  expect(run).toMatchObject({ status: 'completed', output: 'ann', virtualMs: 2 * HOUR_MS, waiting: [] })
  const waits = await simulate(definition)
  expect(waits.status).toBe('waiting')
  expect(waits.waiting).toEqual([
    { path: 'ask', why: "it waits for a person, and people['ask'] says nothing about it" },
  ])
})

test('an approval that nobody answers expires', async () => {
  const definition = workflow({ ask: { approval: { show: 1, expires: '1h', on_expiry: 'reject' } } })
  const run = await simulate(definition)
  expect(run.output).toMatchObject({ ask: { approved: false, by: 'expiry' } })
  expect(run.virtualMs).toBe(HOUR_MS)
})

test('waits pass in virtual time', async () => {
  const definition = workflow({
    nap: { wait: '24h' },
    until: { wait: { until: '${{ input.at }}' }, needs: ['nap'] },
  })
  const run = await simulate(definition, { input: { at: '2026-02-01T00:00:00Z' } })
  expect(run.status).toBe('completed')
  expect(run.output).toEqual({ nap: { at: '2026-01-02T00:00:00.000Z' }, until: { at: '2026-02-01T00:00:00.000Z' } })
  expect(run.timeline.at(-1)).toMatchObject({ what: 'run completed', sinceStartMs: 31 * 24 * HOUR_MS })
})

test('signals come when they are said to; one that does not come runs into its time-out', async () => {
  const definition = workflow({ paid: { signal: { name: 'paid', timeout: '1h' }, on_failure: 'continue' } })
  const signals = [{ name: 'paid', payload: { amount: 3 }, after: '10m' }]
  expect(await simulate(definition, { signals })).toMatchObject({ output: { paid: { amount: 3 } }, virtualMs: 600_000 })
  const late = await simulate(definition, { signals: [{ name: 'paid', payload: 1, after: '2h' }] })
  expect(late.steps[0]).toMatchObject({ status: 'failed', failure: { code: 'signal_timeout' } })
  expect(late.unused).toEqual(['signals[0]'])
})

test('values are computed as they are', async () => {
  const definition = workflow({ sum: { value: '${{ input.a + env.MORE.size() }}' } })
  expect(await simulate(definition, { input: { a: 2 }, env: { MORE: 'abc' } })).toMatchObject({
    output: { sum: 5 },
    virtualMs: 0,
  })
})
