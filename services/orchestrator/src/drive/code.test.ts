// Code workflows through a whole engine: they give what the same graph gives, and outlive engines and mistakes.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AdvanceCall, type CodeHost, ThreadedCodeHost } from '@stepfleet/code-workflows'
import { type CommandOf, type Event, type Failure, failure, type Json, type Task } from '@stepfleet/contracts'
import { checkLaws } from '@stepfleet/engine'
import { eventually } from '@stepfleet/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { withFiles } from '../code/code.fixture.ts'
import { readStored } from '../code/definition.ts'
import { type LoadedWorkflow, loadWorkflows } from '../code/load.ts'
import { registerWorkflows } from '../code/register.ts'
import { createWorld, type World } from './world.fixture.ts'

const NS = 'default'
const EXAMPLES = fileURLToPath(new URL('../../../../examples/code', import.meta.url))
const logger = { info: () => undefined, warn: () => undefined }

/** A host that counts what it is told. */
class CountingHost implements CodeHost {
  readonly #host = new ThreadedCodeHost({ logger, cpuMs: 1_000 })
  readonly calls: Pick<AdvanceCall, 'run' | 'fromSeq' | 'ended'>[] = []
  describe = this.#host.describe.bind(this.#host)
  drop = this.#host.drop.bind(this.#host)
  close = this.#host.close.bind(this.#host)
  advance(call: AdvanceCall) {
    this.calls.push(call)
    return this.#host.advance(call)
  }
}

let host: CountingHost
let world: World
beforeEach(() => {
  host = new CountingHost()
  world = createWorld(host)
})
afterEach(() => world.stop())

const load = (folder: string): Promise<LoadedWorkflow[]> => loadWorkflows({ folder, host, schemaError: () => null })

const startCommand = (run: string, ref: CommandOf<'start'>['workflow'], input: Json): CommandOf<'start'> => ({
  type: 'start',
  id: `start.${run}`,
  ns: NS,
  run,
  by: { kind: 'caller', id: 'test' },
  workflow: ref,
  input: { value: input },
  labels: {},
  priority: 3,
  env: {},
})

const submitLoaded = async (loaded: LoadedWorkflow, run: string, input: Json = null): Promise<void> => {
  const [registered] = await registerWorkflows(world.store, NS, [loaded])
  const ref = { name: loaded.definition.name, version: registered?.version ?? null, hash: loaded.hash }
  const command = startCommand(run, ref, input)
  await world.store.submit({ command, fingerprint: run, tip: `tip.${run}`, onConflict: 'reject' })
}

/** Submits a run of code: the body of an async function of `(run, input)`. */
const submitCode = async (body: string, run = 'r1', input: Json = null, before = ''): Promise<void> => {
  const text = `import { defineWorkflow } from 'stepfleet'\n${before}\nexport const flow = defineWorkflow({ name: 'flow' }, async (run, input) => {\n${body}\n})`
  const [loaded] = await withFiles({ 'flow.ts': text }, load)
  if (loaded) await submitLoaded(loaded, run, input)
}

type Answers = (task: Task) => { output: Json } | { failure: Failure }
/** Answers with what was asked, models in text. */
const withInput: Answers = ({ kind, path, input }) => {
  const output = JSON.parse(JSON.stringify({ of: path, input }))
  return { output: kind === 'llm' ? JSON.stringify(output) : output }
}

/** Claims and answers what waits. */
const work = async (answers: Answers): Promise<void> => {
  for (let task = world.queue.shift(); task; task = world.queue.shift()) {
    const token = `${task.run}-${task.path}-${task.attempt}-${task.delivery}`
    const claim = await world.store.claims.claim(task, 'w_1', token)
    if (claim.status === 'refused') continue
    const { path, attempt, delivery } = task
    const answer = answers(task)
    const result =
      'output' in answer
        ? ({ status: 'done', output: { value: answer.output } } as const)
        : ({ status: 'failed', failure: answer.failure } as const)
    await world.store.claims.report(task, token, {
      type: 'outcome',
      id: `o-${token}`,
      ns: NS,
      run: task.run,
      by: { kind: 'worker', id: 'w_1' },
      outcome: { path, attempt, delivery, worker: 'w_1', claimedAtMs: claim.atMs, durationMs: 0, result },
    })
  }
}

const ended = (run: string, wanted: string, answers: Answers = withInput): Promise<unknown> =>
  eventually(
    async () => {
      await work(answers)
      return (await world.store.head(NS, run))?.status === wanted
    },
    { timeoutMs: 20_000, what: `run ${run} to be ${wanted}` },
  )

const journal = async (run: string): Promise<Event[]> => {
  const events = await world.store.journal(NS, run, 1, 10_000)
  expect(checkLaws(events)).toEqual([])
  return events
}

const ofType = async <T extends Event['type']>(run: string, type: T) =>
  (await journal(run)).filter((event): event is Extract<Event, { type: T }> => event.type === type)

/** What happened, whoever asked for it. */
const story = async (run: string): Promise<unknown[]> =>
  (await journal(run))
    .filter(({ type }) => type !== 'step.asked' && type !== 'run.started')
    .map((event) => [
      event.type,
      'path' in event ? event.path : null,
      'output' in event ? event.output : null,
      'failure' in event ? event.failure : null,
    ])

describe('a code workflow', () => {
  it.each([
    ['greeting', 'completed', { name: 'Ada' }],
    ['trip', 'completed', { trip: 't1' }],
    ['trip', 'failed', { trip: 'no car' }],
  ])('%s (%s) is the same story as its graph', async (name, status, input) => {
    const answers: Answers = (task) =>
      task.path === 'car' && status === 'failed' ? { failure: failure('http_error', 'no cars left') } : withInput(task)
    await world.startEngine()
    const loaded = (await load(EXAMPLES)).find(({ file }) => file === `${name}.ts`)
    if (!loaded) throw new Error(`there is no example ${name}`)
    await submitLoaded(loaded, 'code', input)
    const graph = readStored(parse(readFileSync(join(EXAMPLES, `${name}.yaml`), 'utf8'))).definition
    await world.submit(graph, 'graph', input)
    await ended('code', status, answers)
    await ended('graph', status, answers)
    expect(await story('code')).toEqual(await story('graph'))
    const asked = (await ofType('code', 'step.asked')).map(({ path }) => path)
    expect(asked).toEqual(Object.keys(graph.steps))
    if (status === 'failed') {
      const undone = (await ofType('code', 'step.completed')).map(({ path }) => path)
      expect(undone.slice(-2)).toEqual(['hotel/compensate-1', 'flight/compensate-1'])
    }
  })

  it('waits for callbacks as a graph does', async () => {
    await world.startEngine()
    await submitCode(`
      const job = await run.tool('print', { tool: 'callback', with: { url: 'https://shop.example', body: { n: input } } })
      return run.tool('sign', { tool: 'callback', timeout: '1h' }).then((name) => [job, name])`)
    const answer = async (path: string, output: Json): Promise<void> => {
      await eventually(
        async () => {
          await work(withInput)
          return (await journal('r1')).some(
            (event) => 'path' in event && event.path === path && /^callback\.(told|opened)$/.test(event.type),
          )
        },
        { timeoutMs: 20_000, what: `${path} to wait` },
      )
      const [started] = await journal('r1')
      await world.store.send({
        ...{ type: 'callback', id: `answer-${path}`, ns: NS, run: 'r1', by: { kind: 'caller', id: 'callback' } },
        ...{
          path,
          attempt: 1,
          startedAtMs: started?.atMs ?? 0,
          answer: { status: 'completed', output: { value: output } },
        },
      })
    }
    await answer('print', { job: 7 })
    await answer('sign', 'Ada')
    await ended('r1', 'completed')
    expect((await ofType('r1', 'run.completed'))[0]?.output).toEqual({ value: [{ job: 7 }, 'Ada'] })
  })

  it('waits for signals, times, people and children as a graph does', async () => {
    await world.startEngine()
    const child = JSON.stringify({
      name: 'child',
      steps: { v: { value: '${{ input.n }}' } },
      output: '${{ steps.v.output }}',
    })
    await world.store.register(NS, 'child', 'h', child)
    await submitCode(`
      const [paid, waited, kid, yes] = await run.all([run.signal('paid'), run.wait('pause', '10ms'), run.child('kid', { workflow: 'child', input: { n: 7 } }), run.approval('yes', { show: { n: 1 } })])
      return { paid, waited: typeof waited.at, kid, yes: yes.approved }`)
    const by = { kind: 'operator', id: 'ann' } as const
    await eventually(async () => (await ofType('r1', 'approval.asked')).length === 1, {
      timeoutMs: 10_000,
      what: 'a question',
    })
    const base = { ns: NS, run: 'r1', by }
    await world.store.send({ ...base, type: 'signal', id: 's', name: 'paid', payload: { value: 5 } })
    await world.store.send({ ...base, type: 'approve', id: 'a', path: 'yes', approved: true })
    await ended('r1', 'completed')
    const [end] = await ofType('r1', 'run.completed')
    expect(end?.output).toEqual({ value: { paid: 5, waited: 'string', kid: 7, yes: true } })
  })

  it('is told of a failure that it says it wants; one that a person gives up too; a skipped step is null', async () => {
    await world.startEngine()
    await submitCode(`
      const told = []
      for (const name of ['wanted', 'given_up', 'skipped']) {
        try { told.push(await run.tool(name, { tool: 'x', effect: 'read', retry: { attempts: 1 }, on_failure: name === 'wanted' ? 'continue' : 'escalate' })) }
        catch (error) { told.push([error.step, error.code]) }
      }
      return told`)
    const answers: Answers = () => ({ failure: failure('http_error', 'status 404') })
    await ended('r1', 'escalated', answers)
    const base = { ns: NS, run: 'r1', by: { kind: 'operator', id: 'ann' } as const }
    await world.store.send({ ...base, type: 'fail', id: 'f', path: 'given_up' })
    const atSkipped = async () => (await ofType('r1', 'step.escalated')).some(({ path }) => path === 'skipped')
    await eventually(() => work(answers).then(atSkipped), { timeoutMs: 10_000, what: 'the third case' })
    await world.store.send({ ...base, type: 'skip', id: 's', path: 'skipped' })
    await ended('r1', 'completed', answers)
    const [end] = await ofType('r1', 'run.completed')
    expect(end?.output).toEqual({ value: [['wanted', 'http_error'], ['given_up', 'failed_by_operator'], null] })
  })

  it('goes on after its engine died, with what it asked for and drew before', async () => {
    const first = await world.startEngine()
    const long = 'x'.repeat(100_000)
    await submitCode(
      `
      const drawn = run.uuid()
      const a = await run.llm('a', { model: 'anthropic/claude-haiku-5-5', prompt: '\${{ no expression }} ' + input.text })
      const b = await run.llm('b', { model: 'anthropic/claude-haiku-5-5', prompt: drawn + String(a.length) })
      return { drawn, again: run.uuid(), b }`,
      'r1',
      { text: long },
    )
    await eventually(() => world.queue.length > 0, { timeoutMs: 10_000, what: 'the first task' })
    await first.stop()
    await world.startEngine('e_second')
    await ended('r1', 'completed', ({ path }) => ({ output: path === 'a' ? long : 'done' }))
    expect(host.calls.filter(({ fromSeq }) => fromSeq === 0).length).toBeGreaterThan(1)
    const asked = await ofType('r1', 'step.asked')
    expect(asked.map(({ path }) => path)).toEqual(['a', 'b'])
    expect(asked[0]?.step).toMatchObject({ blob: expect.any(String) })
  })

  it('that asks otherwise than before fails, naming the step', async () => {
    const first = await world.startEngine()
    await submitCode(
      `return run.tool('a', { tool: 'x', effect: 'read', with: { n: (n += 1) } })`,
      'r1',
      null,
      'let n = 0',
    )
    await eventually(() => world.queue.length > 0, { timeoutMs: 10_000, what: 'a task' })
    await first.stop()
    await world.startEngine('e_second')
    await ended('r1', 'failed')
    const [end] = await ofType('r1', 'run.failed')
    expect(end).toMatchObject({
      path: 'a',
      failure: { code: 'code_changed', message: expect.stringContaining('step a: with.n is 2, but was 1') },
    })
  })

  it('that does not ask for a step any more fails, naming the step', async () => {
    const first = await world.startEngine()
    await submitCode(
      `const name = (n += 1) === 1 ? 'old' : 'fresh'\nreturn run.tool(name, { tool: 'x', effect: 'read' })`,
      'r1',
      null,
      'let n = 0',
    )
    await eventually(() => world.queue.length > 0, { timeoutMs: 10_000, what: 'a task' })
    await first.stop()
    await world.startEngine('e_second')
    await ended('r1', 'failed')
    expect((await ofType('r1', 'run.failed'))[0]).toMatchObject({
      path: 'old',
      failure: { code: 'code_changed', message: expect.stringContaining('step old') },
    })
  })

  it.each([
    ['throws', `await run.tool('a', { tool: 'x', effect: 'read' })\nnull.x`, 'code_failed', '(flow.ts:5'],
    ['computes for ever', `for (;;) {}`, 'code_workflow_stalled', '1000 ms'],
    ['waits for nothing', `await new Promise(() => undefined)`, 'code_failed', 'for no step'],
    [
      'asks for what is no step',
      `await run.tool('a', { tool: 'x', timeout: 'soon' })`,
      'code_failed',
      'step a: timeout: ',
    ],
    ['asks in an unknown way', `await run.step('a', { tool: 'x', colour: 'red' })`, 'code_failed', 'step a: colour'],
  ])('that %s fails its run', async (_, body, code, message) => {
    await world.startEngine()
    await submitCode(body)
    await ended('r1', 'failed')
    expect((await ofType('r1', 'run.failed'))[0]?.failure).toMatchObject({
      code,
      message: expect.stringContaining(message),
    })
  })

  it('that returns ends its run; what is open is cancelled', async () => {
    await world.startEngine()
    await submitCode(`
      void run.tool('slow', { tool: 'x', effect: 'read' })
      await run.tool('quick', { tool: 'x', effect: 'read' })
      return 'done'`)
    await eventually(() => world.queue.length === 2, { timeoutMs: 10_000, what: 'both tasks' })
    world.queue.splice(0, 1)
    await ended('r1', 'completed')
    expect(await world.store.out(NS, 'r1')).toEqual(new Map())
  })

  it('is told each of 1,000 steps once, and asked once for each', async () => {
    await world.startEngine()
    await submitCode(`
      let sum = 0
      for (let i = 0; i < 1000; i += 1) sum += (await run.step('step_' + i, { value: i }))
      return sum`)
    await ended('r1', 'completed')
    expect((await ofType('r1', 'run.completed'))[0]?.output).toEqual({ value: 499_500 })
    expect(host.calls).toHaveLength(1_001)
    expect(host.calls.reduce((sum, { ended: told }) => sum + told.length, 0)).toBe(1_000)
    expect(await ofType('r1', 'step.asked')).toHaveLength(1_000)
  })
})
