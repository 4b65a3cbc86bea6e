// Callbacks, simulated: the outside answers as a mock says, in its own time.
import { expect, test } from 'vitest'
import { simulate } from './simulate.ts'
import { MODEL, workflow } from './workflow.fixture.ts'

const told = { tool: 'callback', with: { url: 'https://shop.example/jobs', body: { n: '${{ input }}' } } }

test('a callback answers with its mock, which is given its `with`; the time it takes is that of the outside', async () => {
  const seen: unknown[] = []
  const run = await simulate(workflow({ print: told, sign: { tool: 'callback', needs: ['print'] } }), {
    input: 3,
    mocks: {
      print: ({ input }) => {
        seen.push(input)
        return { pages: 3 }
      },
      sign: 'signed',
    },
    durations: { print: '2h', sign: '30m' },
  })
  expect(run).toMatchObject({ status: 'completed', output: { print: { pages: 3 }, sign: 'signed' }, unused: [] })
  expect(run.path).toEqual(['print', 'sign'])
  expect(seen).toEqual([{ url: 'https://shop.example/jobs', body: { n: 3 } }])
  // telling takes a worker its 200 ms
  expect(run.virtualMs).toBe(2.5 * 3_600_000 + 200)
})

test('without a mock it is answered with null, and that is said', async () => {
  const run = await simulate(workflow({ a: { tool: 'callback' } }))
  expect(run).toMatchObject({ status: 'completed', output: { a: null }, assumed: ['a'] })
})

test('a mock may fail, a worker may die, and an answer may come too late', async () => {
  const run = await simulate(workflow({ a: { ...told, timeout: '1h' } }), {
    mocks: { a: { sequence: [{ fail: 'tool_failed' }, 'in time'] } },
    faults: [{ loseWorker: { step: 'a' } }, { deliverTwice: 'a' }],
  })
  expect(run).toMatchObject({ status: 'completed', output: { a: 'in time' }, unused: [] })
  expect(run.steps[0]).toMatchObject({ attempts: 2 })

  const late = await simulate(workflow({ a: { ...told, timeout: '1h', retry: { attempts: 1 }, on_failure: 'fail' } }), {
    mocks: { a: 1 },
    durations: { a: '2h' },
  })
  expect(late).toMatchObject({ status: 'failed', failure: { code: 'timeout' } })
})

test('a fault fails the telling, or the answer where nobody is told; an engine may crash', async () => {
  for (const step of [told, { tool: 'callback' }]) {
    const run = await simulate(workflow({ a: step }), {
      mocks: { a: 1 },
      faults: [{ fail: { step: 'a', code: 'connection_failed' } }, { crashAfter: 'a' }],
    })
    expect(run).toMatchObject({ status: 'completed', output: { a: 1 }, unused: [] })
    expect(run.events.map(({ type }) => type)).toContain('step.attempt_failed')
  }
})

test("a callback of an agent's is mocked by the name that the model calls", async () => {
  const tool = { name: 'ask_shop', description: 'asks', input: { type: 'object' }, ...told, with: undefined }
  const run = await simulate(workflow({ work: { agent: { model: MODEL, prompt: 'p', tools: [tool] } } }), {
    mocks: {
      work: { turns: [{ toolUses: [{ name: 'ask_shop', input: { q: 1 } }] }, { text: 'done' }] },
      'tool:ask_shop': 'yes',
    },
  })
  expect(run).toMatchObject({ status: 'completed', output: { work: 'done' }, unused: [] })
})
