// Workflows in code: the same engine and the same replay as in the fleet, with the code in the test's own process.
import { defineWorkflow, StepError } from '@stepfleet/code-workflows'
import { describe, expect, test, vi } from 'vitest'
import { InvalidDefinition, InvalidInput, InvalidOptions } from './errors.ts'
import { simulate } from './simulate.ts'
import { MODEL, workflow } from './workflow.fixture.ts'

const text = (name: string) => ({ type: 'object', required: [name], properties: { [name]: { type: 'string' } } })

/** Everything that steps can be: a model, tools side by side, a person, a wait, a signal, a child, a loop, a saga. */
const order = defineWorkflow({ name: 'order', input: text('item') }, async (run, input) => {
  const ids = [run.uuid(), run.random(), run.now()]
  const plan = await run.llm('plan', { model: MODEL, prompt: `Plan ${JSON.stringify(input)}` })
  const [stock, price] = await run.all([
    run.tool('stock', { tool: 'stock', with: { plan }, retry: { attempts: 3 } }),
    run.tool('price', { tool: 'price', with: { plan, id: ids[0] ?? null } }),
  ])
  for (let round = 1; round <= 2; round += 1) await run.tool(`offer_${round}`, { tool: 'offer', with: { round } })
  const { approved } = await run.approval('agree', { show: { price } })
  if (!approved) return 'refused'
  await run.wait('cool_off', '24h')
  const address = await run.signal('address')
  const sent = await run.child('send', { workflow: 'send', input: { address } })
  try {
    await run.tool('praise', { tool: 'praise', on_failure: 'continue', retry: { attempts: 1 } })
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    return { stock, sent, ids: [...ids, run.uuid(), run.random(), run.now()], why: error.code }
  }
  return 'praised'
})
const send = defineWorkflow({ name: 'send' }, async (run, input) => run.tool('post', { tool: 'post', with: { input } }))

const OPTIONS = {
  input: { item: 'hat' },
  mocks: {
    plan: 'sell it',
    stock: 3,
    'tool:price': { sequence: [{ fail: 'overloaded' as const }, 20] },
    'tool:offer': 'offered',
    'send/post': 'posted',
    praise: { fail: 'http_error' as const },
  },
  people: { agree: { approved: true, by: 'ann', after: '2h' } },
  signals: [{ name: 'address', payload: { street: 'Elm' }, after: '3d' }],
  workflows: { send },
}

test('a workflow in code goes its way in virtual time', async () => {
  const run = await simulate(order, OPTIONS)
  expect(run).toMatchObject({
    status: 'completed',
    output: { stock: 3, sent: 'posted', why: 'http_error' },
    unused: [],
    waiting: [],
  })
  expect(run.path).toEqual([
    ...['plan', 'stock', 'price', 'offer_1', 'offer_2', 'agree', 'cool_off', 'address', 'send', 'send/post', 'praise'],
  ])
  expect(run.virtualMs).toBeGreaterThan(3 * 86_400_000)
  expect(run.assumed).toEqual(['tool:stock', 'tool:price', 'tool:offer', 'tool:post', 'tool:praise'])
  expect(run.steps.find(({ path }) => path === 'price')).toMatchObject({ attempts: 2, output: 20 })
})

describe('an engine that dies', () => {
  const STEPS = [
    ...['plan', 'stock', 'price', 'offer_1', 'offer_2', 'agree', 'cool_off', 'address', 'send', 'send/post', 'praise'],
  ]

  test.each(STEPS)('after %s changes nothing', async (crashAfter) => {
    const calm = await simulate(order, OPTIONS)
    const run = await simulate(order, { ...OPTIONS, faults: [{ crashAfter }] })
    expect(run.timeline.map(({ what }) => what)).toContain('crashed')
    expect(run.events).toEqual(calm.events)
  })

  test('after every step, with answers that come twice and lost workers, gives the same output', async () => {
    const calm = await simulate(order, OPTIONS)
    const faults = [
      ...STEPS.map((crashAfter) => ({ crashAfter })),
      { deliverTwice: 'offer_1' },
      { loseWorker: { step: 'stock' } },
    ]
    const run = await simulate(order, { ...OPTIONS, faults })
    expect(run.unused).toEqual([])
    expect({ ...(run.output as object), ids: null }).toEqual({ ...(calm.output as object), ids: null })
  })

  test('has the code of a child replayed too', async () => {
    let begun = 0
    const counted = defineWorkflow({ name: 'send' }, async (run) => {
      begun += 1
      await run.tool('pack', { tool: 'pack' })
      return run.tool('post', { tool: 'post' })
    })
    const parent = defineWorkflow({ name: 'parent' }, (run) => run.child('send', { workflow: 'send' }))
    const workflows = { send: counted }
    await simulate(parent, { workflows })
    expect(begun).toBe(1)
    await simulate(parent, { workflows, faults: [{ crashAfter: 'send/pack' }] })
    expect(begun).toBe(3)
  })
})

describe('code that is not the same in a replay', () => {
  const crash = [{ crashAfter: 'b' }]

  test('asks for a step otherwise', async () => {
    let price = 0
    const flow = defineWorkflow({ name: 'flow' }, async (run) => {
      price += 1
      await run.tool('a', { tool: 'pay', with: { price } })
      await run.tool('b', { tool: 'pay' })
      await run.tool('c', { tool: 'pay' })
    })
    expect(await simulate(flow)).toMatchObject({ status: 'completed' })
    expect(await simulate(flow, { faults: crash })).toMatchObject({
      status: 'failed',
      failure: {
        code: 'code_changed',
        message: 'the code does not do what it did before: step a: with.price is 3, but was 2 when the run came to it',
      },
    })
  })

  test('does not ask for a step any more', async () => {
    let first = true
    const flow = defineWorkflow({ name: 'flow' }, async (run) => {
      const asks = first
      first = false
      const open = asks ? run.tool('a', { tool: 'slow' }) : null
      await run.tool('b', { tool: 'fast' })
      await open
    })
    const run = await simulate(flow, { faults: crash, durations: { a: '5s' } })
    expect(run.failure?.message).toContain('step a: the code does not ask for it any more')
  })
})

describe('failures', () => {
  test('a step that nobody catches fails the run, and what was done is undone', async () => {
    const flow = defineWorkflow({ name: 'trip' }, async (run) => {
      await run.tool('book', { tool: 'book', compensate: { tool: 'unbook' } })
      await run.tool('pay', { tool: 'pay', on_failure: 'continue', retry: { attempts: 1 } })
    })
    const run = await simulate(flow, { mocks: { pay: { fail: 'http_error' }, 'tool:unbook': null } })
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'http_error' }, unused: [] })
    expect(run.path).toEqual(['book', 'pay', 'book/compensate-1'])
  })

  test('a step waits for a person, who skips it', async () => {
    const flow = defineWorkflow({ name: 'flow' }, (run) => run.tool('a', { tool: 'x', retry: { attempts: 1 } }))
    const mocks = { a: { fail: 'http_error' as const } }
    const open = await simulate(flow, { mocks })
    expect(open.waiting).toEqual([{ path: 'a', why: expect.stringContaining("people['a'] says nothing about it") }])
    const closed = await simulate(flow, { mocks, people: { a: { action: 'skip' } } })
    expect(closed).toMatchObject({ status: 'completed', output: null })
  })

  test('an error of the code names the line', async () => {
    const flow = defineWorkflow({ name: 'flow' }, async (run) => {
      await run.tool('a', { tool: 'x' })
      throw new RangeError('too far')
    })
    const { failure } = await simulate(flow)
    expect(failure).toMatchObject({ code: 'code_failed' })
    expect(failure?.message).toMatch(/^RangeError: too far \(.*code\.test\.ts:\d+:\d+\)$/)
  })

  test.each([
    ['a name that is none', { name: 'A', step: { tool: 'x' } }, '"A" is no step name'],
    ['a field that is none', { name: 'a', step: { tool: 'x', whith: 1 } }, 'step a: whith'],
    ['an unknown model', { name: 'a', step: { llm: { model: 'm', prompt: 'x' } } }, 'step a: llm.model'],
  ])('%s fails the run as in the fleet', async (_, { name, step }, message) => {
    const flow = defineWorkflow({ name: 'flow' }, (run) => run.step(name, JSON.parse(JSON.stringify(step))))
    const { failure } = await simulate(flow)
    expect(failure).toMatchObject({ code: 'code_failed', message: expect.stringContaining(message) })
  })

  test('a promise that fails before anybody looks at it is no mistake', async () => {
    const rejections: unknown[] = []
    const listen = (reason: unknown): number => rejections.push(reason)
    process.on('unhandledRejection', listen)
    const flow = defineWorkflow({ name: 'flow' }, async (run) => {
      const quick = (async () => run.tool('quick', { tool: 'x', on_failure: 'continue', retry: { attempts: 1 } }))()
      await run.wait('nap', '1h')
      return quick.catch((error: unknown) => (error instanceof StepError ? error.code : null))
    })
    const run = await simulate(flow, { mocks: { quick: { fail: 'http_error' } } })
    process.off('unhandledRejection', listen)
    expect(run.output).toBe('http_error')
    expect(rejections).toEqual([])
  })
})

describe('the world is not there', () => {
  const refused: [what: string, use: () => unknown, hint: string][] = [
    ['Date.now', () => Date.now(), 'run.now()'],
    ['new Date', () => new Date(), 'run.now()'],
    ['a format', () => new Intl.DateTimeFormat('en').format(), 'run.now()'],
    ['performance', () => performance.now(), 'run.now()'],
    ['Math.random', () => Math.random(), 'run.random()'],
    ['crypto', () => crypto.randomUUID(), 'run.uuid()'],
    ['fetch', () => fetch('http://127.0.0.1'), 'is a step'],
    ['a timer', () => setTimeout(() => undefined, 1), 'run.wait('],
    ['process', () => process.env.HOME, 'take settings from the input'],
  ]

  test.each(refused)('%s', async (_, use, hint) => {
    const flow = defineWorkflow({ name: 'flow' }, async (run) => {
      await run.tool('a', { tool: 'x' })
      use()
    })
    const run = await simulate(flow, { faults: [{ crashAfter: 'a' }] })
    expect(run.failure).toMatchObject({ code: 'code_failed', message: expect.stringContaining(hint) })
    expect(run.failure?.message).toContain('is not there in the code of a workflow')
  })

  test('but to the code alone: mocks and tests have it, also meanwhile', async () => {
    const before = Object.getOwnPropertyDescriptors(globalThis)
    const flow = defineWorkflow({ name: 'flow' }, async (run, input) => {
      Reflect.get(globalThis, 'console').info(new Date(0).toISOString())
      return [await run.tool('a', { tool: 'x' }), input instanceof Date]
    })
    const logged = vi.spyOn(console, 'info').mockImplementation(() => void Date.now())
    const mocks = { a: () => new Date(0).getTime() + Math.floor(Math.random()) + (Date.now() > 0 ? 1 : 0) }
    const [one, other] = await Promise.all([simulate(flow, { mocks }), simulate(flow, { mocks }), tick(5)])
    expect([one.output, other.output]).toEqual([
      [1, false],
      [1, false],
    ])
    expect(logged).toHaveBeenCalledWith('1970-01-01T00:00:00.000Z')
    logged.mockRestore()
    expect(Object.getOwnPropertyDescriptors(globalThis)).toEqual(before)
  })

  test('nor does a test with fake timers of its own stop it', async () => {
    vi.useFakeTimers({ now: 5 })
    const flow = defineWorkflow({ name: 'flow' }, async (run) => [await run.tool('a', { tool: 'x' }), run.now()])
    const run = await simulate(flow, { mocks: { a: () => Date.now() }, startAtMs: 1_000 })
    expect([run.output, Date.now()]).toEqual([[5, 1_200], 5])
    vi.useRealTimers()
    expect(Date.now()).toBeGreaterThan(5)
  })

  test('nor to others that run in between', async () => {
    const flow = defineWorkflow({ name: 'flow' }, async (run) => {
      for (let i = 0; i < 20; i += 1) await run.tool(`a_${i}`, { tool: 'x' })
    })
    let over = false
    const looked: number[] = []
    const looking = (async () => {
      while (!over) {
        looked.push(Date.now(), Math.random())
        await new Promise((resolve) => setTimeout(resolve, 0))
      }
    })()
    await simulate(flow)
    over = true
    await looking
    expect(looked.length).toBeGreaterThan(2)
  })
})

/** Lets others have their turn, so many times. */
const tick = async (times: number): Promise<void> => {
  for (let i = 0; i < times; i += 1) await new Promise((resolve) => setTimeout(resolve, 0))
}

describe('what is asked of a simulation', () => {
  const flow = defineWorkflow({ name: 'flow' }, async (run) => {
    const said = await run.llm('draft', { model: MODEL, prompt: 'x' })
    await run.approval('ask')
    await run.wait('nap', '1m')
    return said
  })

  test('a step without a mock has a made-up answer, and is listed', async () => {
    const run = await simulate(flow, { people: { ask: { approved: true } } })
    expect(run).toMatchObject({ status: 'completed', output: 'mocked answer of draft', assumed: ['draft'] })
  })

  test('a name that is nearly that of a step is refused; one of a step that was not asked for is unused', async () => {
    await expect(simulate(flow, { mocks: { drat: 'x' } })).rejects.toThrow(
      'mocks: nothing is named drat; did you mean draft?',
    )
    await expect(simulate(flow, { people: { aks: { approved: true } } })).rejects.toThrow('did you mean ask?')
    const run = await simulate(flow, { mocks: { draft: 'x', elsewhere: 'y', 'tool:elsewhere': 'z' } })
    expect(run.unused).toEqual(['mocks.elsewhere', 'mocks.tool:elsewhere'])
  })

  test.each([
    [{ mocks: { ask: true } }, 'answer it in `people`'],
    [{ mocks: { nap: 1 } }, 'nap is a step of kind wait'],
    [{ faults: [{ loseWorker: { step: 'nap' } }] }, 'which no worker runs'],
  ])('%j is refused as for graphs', async (options, message) => {
    const refused = simulate(flow, { people: { ask: { approved: true } }, ...options })
    await expect(refused).rejects.toThrow(InvalidOptions)
    await expect(refused).rejects.toThrow(message)
  })

  test('the input must fit its schema, and the schema must be one', async () => {
    await expect(simulate(order, { input: { item: 3 } })).rejects.toThrow(InvalidInput)
    const wrong = defineWorkflow({ name: 'flow', input: { type: 'strnig' } }, () => null)
    await expect(simulate(wrong)).rejects.toThrow(InvalidDefinition)
  })

  test('a graph may have a child in code', async () => {
    const graph = workflow(
      { go: { run: { workflow: 'send', input: { to: 'ann' } } } },
      { output: '${{ steps.go.output }}' },
    )
    const run = await simulate(graph, { workflows: { send }, mocks: { 'go/post': ({ input }) => input } })
    expect(run).toMatchObject({ status: 'completed', output: { input: { to: 'ann' } }, path: ['go', 'go/post'] })
  })
})
