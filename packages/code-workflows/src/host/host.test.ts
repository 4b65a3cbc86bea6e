// The host of code workflows with real threads: what it asks for, what it throws, and what it survives.
import { afterAll, expect, test } from 'vitest'
import { advanced, bundleOf, completed, firstCall, START_MS } from './code.fixture.ts'
import { HINTS } from './guard.ts'
import { ThreadedCodeHost } from './host.ts'

const written: string[] = []
const logger = { info: (fields: object) => void written.push(JSON.stringify(fields)), warn: () => undefined }
const host = new ThreadedCodeHost({ logger })
afterAll(() => host.close())

const names = (asked: readonly { name: string }[]) => asked.map(({ name }) => name)

test('asks for steps as the code comes to them, each as a definition, and returns', async () => {
  const bundle = await bundleOf(`
    const text = await run.llm('draft', { model: 'anthropic/claude-haiku-5-5', prompt: 'About ' + input.topic, retry: { attempts: 2 } })
    const [a] = await Promise.all([run.tool('a', { tool: 'echo', with: { text, at: new Date(0) } }), run.wait('b', '10m')])
    return { a, now: run.now(), id: run.id }`)
  const call = firstCall(bundle, { topic: 'tides' })
  const first = await advanced(host, call)
  expect(first).toEqual({
    seq: 1,
    state: { status: 'waiting' },
    asked: [
      {
        name: 'draft',
        step: { llm: { model: 'anthropic/claude-haiku-5-5', prompt: 'About tides' }, retry: { attempts: 2 } },
      },
    ],
  })
  const second = await advanced(host, { ...call, fromSeq: 1, ended: [completed('draft', 5, 'A text')] })
  expect(second.asked).toEqual([
    { name: 'a', step: { tool: 'echo', with: { text: 'A text', at: '1970-01-01T00:00:00.000Z' } } },
    { name: 'b', step: { wait: '10m' } },
  ])
  const ended = [completed('b', 9, { at: 'x' }), completed('a', 11, 'A')]
  const last = await advanced(host, { ...call, fromSeq: 5, ended })
  expect(last).toEqual({
    seq: 11,
    asked: [],
    state: { status: 'returned', output: { a: 'A', now: START_MS + 11, id: 'r1' } },
  })
})

test('a replay in another thread asks the same in the same order, draws the same numbers, and returns the same', async () => {
  const bundle = await bundleOf(`
    const drawn = [run.random(), run.uuid()]
    const slow = run.tool('slow', { tool: 'echo', with: { drawn } })
    const quick = await run.tool('quick', { tool: 'echo' })
    const more = await run.tool('more', { tool: 'echo', with: { quick, drawn: run.random() } })
    return [await slow, more, run.uuid(), run.now()]`)
  const ended = [completed('quick', 4, 1), completed('more', 7, 2), completed('slow', 8, 3)]
  const call = firstCall(bundle)
  const piecewise = [await advanced(host, call)]
  for (const one of ended)
    piecewise.push(await advanced(host, { ...call, fromSeq: piecewise.at(-1)?.seq ?? 0, ended: [one] }))
  const other = new ThreadedCodeHost({ logger })
  const whole = await advanced(other, { ...call, ended })
  await other.close()
  expect(whole.asked).toEqual(piecewise.flatMap(({ asked }) => asked))
  expect(whole.state).toEqual(piecewise.at(-1)?.state)
  expect(names(whole.asked)).toEqual(['slow', 'quick', 'more'])
  const drawn = await advanced(host, firstCall(bundle, null, 'r2'))
  expect(drawn.asked[0]?.step).not.toEqual(whole.asked[0]?.step)
})

test('a point that the host does not know is lost; another run of the bundle does not mind', async () => {
  const bundle = await bundleOf(`await run.tool('a', { tool: 'echo' }); return 'done'`)
  const call = firstCall(bundle, null, 'known')
  expect(await host.advance({ ...call, run: 'unknown', fromSeq: 1, ended: [completed('a', 3)] })).toBe('lost')
  await advanced(host, call)
  expect(await host.advance({ ...call, fromSeq: 2, ended: [completed('a', 3)] })).toBe('lost')
  host.drop({ ns: call.ns, run: call.run, hash: bundle.hash })
  expect(await host.advance({ ...call, fromSeq: 1, ended: [completed('a', 3)] })).toBe('lost')
  expect((await advanced(host, { ...call, ended: [completed('a', 3)] })).state).toEqual({
    status: 'returned',
    output: 'done',
  })
})

test('a thread keeps so many runs, those that moved last', async () => {
  const small = new ThreadedCodeHost({ logger, maxRuns: 2 })
  const bundle = await bundleOf(`await run.tool('a', { tool: 'echo' }); return input`)
  for (const run of ['one', 'two', 'three']) await advanced(small, firstCall(bundle, run, run))
  const goOn = (run: string) =>
    small.advance({ ...firstCall(bundle, run, run), fromSeq: 1, ended: [completed('a', 3)] })
  expect(await goOn('one')).toBe('lost')
  expect(await goOn('three')).toMatchObject({ state: { output: 'three' } })
  await small.close()
})

test('a failed step rejects with a StepError; a skipped one gives null', async () => {
  const bundle = await bundleOf(`
    const skipped = await run.tool('skipped', { tool: 'echo' })
    try { await run.tool('a', { tool: 'echo', on_failure: 'continue' }) }
    catch (error) { return { skipped, known: error instanceof StepError, step: error.step, code: error.code, class: error.class, message: error.message } }`)
  const call = firstCall(bundle)
  const cause = { code: 'http_error', class: 'permanent', message: 'status 404' } as const
  const ended = [
    { name: 'skipped', seq: 3, atMs: START_MS, result: { status: 'skipped' } as const },
    { name: 'a', seq: 5, atMs: START_MS, result: { status: 'failed', failure: cause } as const },
  ]
  expect((await advanced(host, { ...call, ended })).state).toEqual({
    status: 'returned',
    output: { skipped: null, known: true, step: 'a', code: 'http_error', class: 'permanent', message: 'status 404' },
  })
  const uncaught = await bundleOf(`await run.tool('a', { tool: 'echo' })`)
  expect((await advanced(host, { ...firstCall(uncaught), ended: ended.slice(1) })).state).toEqual({
    status: 'threw',
    failure: cause,
    step: 'a',
  })
})

test('what the code throws has the line of its file', async () => {
  const bundle = await bundleOf(
    `await run.tool('a', { tool: 'echo' })\n\n  return broken(input)`,
    'const broken = (input: { deep: { text: string } }) => input.deep.text',
  )
  const state = (await advanced(host, { ...firstCall(bundle, {}), ended: [completed('a', 3)] })).state
  expect(state).toMatchObject({
    status: 'threw',
    step: null,
    failure: {
      code: 'code_failed',
      class: 'permanent',
      message: expect.stringMatching(/^TypeError: Cannot read .* \(flow\.ts:2:\d+ \(broken\)\)$/),
      details: { stack: [expect.stringMatching(/^flow\.ts:2:/), expect.stringMatching(/^flow\.ts:6:/)] },
    },
  })
})

test.each([
  [`await run.tool('a', {tool: 'x'}); await run.tool('a', {tool: 'x'})`, 'step a is asked for twice'],
  [`try { run.tool('Not a name', {tool: 'x'}) } catch {}`, '"Not a name" is no step name'],
  [`return { big: 10n }`, 'output.big: JSON cannot carry a bigint'],
  [`await run.tool('b', {tool: 'x', with: { f: () => 1 }})`, 'step b: with.f: JSON cannot carry a function'],
  [`await run.tool('b', {tool: 'x', with: { list: [{ $secret: 'X' }] }})`, 'data may not hold the key `$secret`'],
  [`await run.llm('b', {model: 'a/b', prompt: run.secret('X')})`, 'a secret can only be used in the `with` of a tool'],
  [
    `await run.agent('b', {model: 'a/b', prompt: 'x', tools: [{name: 't', description: 'd', input: {}, tool: 'http', with: {url: '\${{ args.q }}'}}]})`,
    'there are no expressions in code',
  ],
  [`await run.step('b', {tool: 'x', needs: ['a']})`, 'needs: the code of a workflow says that itself'],
  [`throw 'a text'`, 'a text'],
  [`queueMicrotask(() => { throw new Error('past every promise') }); await run.wait('w', '1m')`, 'past every promise'],
])('a mistake in the code ends its run: %s', async (body, message) => {
  const { state } = await advanced(host, { ...firstCall(await bundleOf(body)), ended: [completed('a', 3)] })
  expect(state).toMatchObject({
    status: 'threw',
    failure: { code: 'code_failed', message: expect.stringContaining(message) },
  })
})

test('secrets leave as markers, in the `with` of tools and of what undoes them', async () => {
  const bundle = await bundleOf(`
    const token = run.secret('TOKEN', { before: 'Bearer ' })
    await run.tool('a', { tool: 'http', with: { token: run.secret('TOKEN'), headers: { authorization: token } }, compensate: { tool: 'http', with: { token } } })`)
  const concat = { $concat: ['Bearer ', { $secret: 'TOKEN' }] }
  expect((await advanced(host, firstCall(bundle))).asked[0]?.step).toEqual({
    tool: 'http',
    with: { token: { $secret: 'TOKEN' }, headers: { authorization: concat } },
    compensate: { tool: 'http', with: { token: concat } },
  })
})

test('code that has not asked for a step that ended is other code', async () => {
  const bundle = await bundleOf(`await run.tool('a', { tool: 'echo' })`)
  const { state } = await advanced(host, { ...firstCall(bundle), ended: [completed('b', 3)] })
  expect(state).toMatchObject({ failure: { code: 'code_changed', message: expect.stringContaining('step b') } })
})

const forbidden: [string, string][] = [
  ['Date.now()', 'run.now()'],
  ['new Date()', 'run.now()'],
  ['Date()', 'run.now()'],
  ['new (new Date(0).constructor)()', 'run.now()'],
  ["new Intl.DateTimeFormat('en').format()", 'run.now()'],
  ["new Intl.DateTimeFormat('en').formatToParts()", 'run.now()'],
  ['performance.now()', 'run.now()'],
  ['Math.random()', 'run.random()'],
  ['crypto.randomUUID()', 'run.uuid()'],
  ["await fetch('http://127.0.0.1')", 'run.tool('],
  ["new WebSocket('ws://127.0.0.1')", 'run.tool('],
  ["new EventSource('http://127.0.0.1')", 'run.tool('],
  ['new XMLHttpRequest()', 'run.tool('],
  ['setTimeout(() => undefined, 1)', 'run.wait('],
  ['setInterval(() => undefined, 1)', 'run.wait('],
  ['setImmediate(() => undefined)', 'run.wait('],
  ['process.env.HOME', 'the input'],
  ["require(['node:fs'][0])", 'import'],
  ['new WeakRef({})', 'replay'],
  ['new FinalizationRegistry(() => undefined)', 'replay'],
]

test.each(forbidden)('%s throws and says what to do', async (code, hint) => {
  const { state } = await advanced(host, firstCall(await bundleOf(`return ${code}`)))
  expect(state).toMatchObject({
    status: 'threw',
    failure: { code: 'code_failed', message: expect.stringContaining(hint) },
  })
})

test('every name with a hint is tried, and the rest of the host is not there', async () => {
  for (const name of Object.keys(HINTS)) expect(forbidden.some(([code]) => code.includes(name))).toBe(true)
  const bundle = await bundleOf(`
    return [typeof Atomics, typeof WebAssembly, typeof BroadcastChannel, typeof navigator, typeof global, typeof fetch, new Date(5).getTime(),
      new Date(0) instanceof Date, new Intl.DateTimeFormat('en', { timeZone: 'UTC' }).format(0), structuredClone([1]), typeof console.log]`)
  expect((await advanced(host, firstCall(bundle))).state).toEqual({
    status: 'returned',
    output: [
      'undefined',
      'undefined',
      'undefined',
      'undefined',
      'undefined',
      'function',
      5,
      true,
      '1/1/1970',
      [1],
      'function',
    ],
  })
})

test('what the code writes to its console is logged', async () => {
  const bundle = await bundleOf(`console.log('hello from', run.id)`)
  await advanced(host, firstCall(bundle, null, 'chatty'))
  await expect.poll(() => written.join()).toContain('hello from chatty')
})
