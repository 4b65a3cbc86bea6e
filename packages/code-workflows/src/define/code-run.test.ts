// The code of a run without a thread: names, numbers, literals, and the definitions that steps become.
import { STEP_NAME, stepSchema } from '@stepfleet/contracts'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { type CodeRun, NAME } from './code-run.ts'
import { defineWorkflow, isWorkflow } from './define-workflow.ts'
import { literalOf, Secret } from './literal.ts'
import { createRandom, uuidOf } from './random.ts'
import type { Run } from './run.ts'

const CALL = { ns: 'default', run: 'r', startedAtMs: 5, input: null }

/** All microtasks are done. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

const begun = async (main: (run: Run) => unknown): Promise<CodeRun> => {
  const code = defineWorkflow({ name: 'flow' }, main).begin(CALL)
  await settled()
  return code
}

test('names are those of the format', () => {
  expect(NAME.source).toBe(STEP_NAME.source)
})

test('every kind becomes a step that the format knows', async () => {
  const code = await begun((run) => {
    const model = 'anthropic/claude-haiku-5-5'
    void run.llm('a', { model, prompt: 'x', max_tokens: 5, on_failure: 'continue', cache: { ttl: '1h' } })
    void run.agent('b', { model, prompt: 'x', cache: false, tools: ['lookup'], output: z.object({ n: z.number() }) })
    void run.tool('c', { tool: 'http', with: { url: 'x', skipped: undefined }, effect: 'read', retry: { attempts: 2 } })
    void run.approval('d', { show: { at: new Date(0) }, assignee: 'editors', expires: '1h', deadline: '2h' })
    void run.approval('e')
    void run.wait('f', '10m')
    void run.wait('g', { for: '10m' })
    void run.wait('h', { until: 1_000 })
    void run.wait('i', { until: new Date(2_000) })
    void run.signal('paid')
    void run.signal('j', { name: 'paid', timeout: '1h', schema: z.object({ sum: z.number() }), on_failure: 'continue' })
    void run.child('k', { workflow: 'other@2', input: { a: 1 }, detach: true, priority: 1 })
    void run.step('l', { value: { text: '${{ plain }}' } })
    return run.wait('end', '1m')
  })
  const { asked } = code.take()
  for (const { name, step } of asked) expect(stepSchema.safeParse(step), name).toMatchObject({ success: true })
  expect(Object.fromEntries(asked.map(({ name, step }) => [name, step]))).toMatchObject({
    a: { llm: { max_tokens: 5 }, on_failure: 'continue', cache: { ttl: '1h' } },
    b: { agent: { output: { type: 'object', properties: { n: { type: 'number' } } } } },
    c: { tool: 'http', with: { url: 'x' }, effect: 'read', retry: { attempts: 2 } },
    d: { approval: { show: { at: '1970-01-01T00:00:00.000Z' }, expires: '1h' }, deadline: '2h' },
    e: { approval: {} },
    f: { wait: '10m' },
    g: { wait: { for: '10m' } },
    h: { wait: { until: '1970-01-01T00:00:01.000Z' } },
    i: { wait: { until: '1970-01-01T00:00:02.000Z' } },
    paid: { signal: { name: 'paid' } },
    j: { signal: { name: 'paid', timeout: '1h' }, on_failure: 'continue' },
    k: { run: { workflow: 'other@2', input: { a: 1 }, detach: true }, priority: 1 },
    l: { value: { text: '${{ plain }}' } },
  })
})

test('what the code changes afterwards does not change what it asked for', async () => {
  const code = await begun((run) => {
    const input = { list: [1] }
    const asked = run.tool('a', { tool: 'echo', with: input })
    input.list.push(2)
    return asked
  })
  expect(code.take().asked).toEqual([{ name: 'a', step: { tool: 'echo', with: { list: [1] } } }])
})

test('a mistake ends the run even when the code catches it; the first end counts', async () => {
  const code = await begun(async (run) => {
    try {
      await run.all([run.tool('a', { tool: 'x' }), run.tool('a', { tool: 'x' })])
    } catch {
      return 'fine'
    }
  })
  expect(code.take().state).toMatchObject({
    status: 'threw',
    message: expect.stringContaining('step a is asked for twice'),
  })
})

test('a schema of the code reads what a step gives; what does not fit rejects', async () => {
  const read = async (output: number | string) => {
    const code = await begun(async (run) => {
      const found = await run.signal('s', { schema: z.object({ n: z.number() }) })
      expectTypeOf(found).toEqualTypeOf<{ n: number }>()
      return found.n
    })
    code.take()
    code.deliver({ name: 's', seq: 3, atMs: 9, result: { status: 'overridden', output: { n: output } } })
    await settled()
    return code.take().state
  }
  expect(await read(4)).toEqual({ status: 'returned', output: 4 })
  expect(await read('four')).toMatchObject({ status: 'threw', message: expect.stringContaining('signal.schema.n: ') })
})

test('a failure that nobody waits for fails the run when the code returns; one that is waited for late does not', async () => {
  const failure = { code: 'tool_failed', class: 'permanent', message: 'it broke' } as const
  const ending = async (isCaught: boolean) => {
    const code = await begun(async (run) => {
      const pending = run.tool('a', { tool: 'x' })
      await run.wait('w', '1s')
      if (isCaught) await pending.catch(() => 'caught')
      return 'ok'
    })
    code.take()
    code.deliver({ name: 'a', seq: 3, atMs: 9, result: { status: 'failed', failure } })
    await settled()
    code.deliver({ name: 'w', seq: 4, atMs: 9, result: { status: 'completed', output: null } })
    await settled()
    return code.take().state
  }
  expect(await ending(true)).toEqual({ status: 'returned', output: 'ok' })
  expect(await ending(false)).toMatchObject({ status: 'threw', kind: 'step', step: 'a', failure })
})

test('random numbers: the same of the same text, others of another, spread over [0, 1)', () => {
  const draw = (text: string, count: number) => {
    const bits = createRandom(text)
    return Array.from({ length: count }, () => bits() / 2 ** 32)
  }
  expect(draw('default/r1', 5)).toEqual(draw('default/r1', 5))
  const starts = Array.from({ length: 1_000 }, (_, i) => draw(`default/run_${i}`, 1)[0] ?? 0)
  expect(new Set(starts).size).toBe(1_000)
  const tenths = Array.from({ length: 10 }, (_, i) => starts.filter((n) => Math.floor(n * 10) === i).length)
  for (const count of tenths) expect(count).toBeGreaterThan(60)
  const uuids = Array.from({ length: 100 }, () => uuidOf(createRandom(String(starts.pop()))))
  for (const uuid of uuids) expect(z.uuidv4().safeParse(uuid).success, uuid).toBe(true)
})

test('literals: what JSON carries is copied, what it does not is refused with its place', () => {
  const source = { a: [1, undefined, null], b: undefined, c: new Date(0), d: new URL('http://x/') }
  expect(literalOf(source, 'with')).toEqual({ a: [1, null, null], c: '1970-01-01T00:00:00.000Z', d: 'http://x/' })
  expect(literalOf({ $secret: 'X' }, 'output')).toEqual({ $secret: 'X' })
  expect(() => literalOf({ a: [{ $concat: [] }] }, 'with', true)).toThrow(
    'with.a.0: data may not hold the key `$concat`',
  )
  expect(() => literalOf(new Map(), 'with')).toThrow('with: JSON cannot carry a Map')
  expect(() => literalOf({ n: Number.NaN }, 'with')).toThrow('with.n: JSON cannot carry NaN')
  expect(() => literalOf(JSON.parse('{"__proto__": 1}'), 'with')).toThrow('`__proto__` cannot be a key')
  expect(() => new Secret('no name')).toThrow('is no name of a secret')
})

test('defineWorkflow refuses what it does not know, and its work is known by its mark', () => {
  expect(isWorkflow(defineWorkflow({ name: 'x', input: { type: 'object' } }, () => 1))).toBe(true)
  for (const [options, message] of [
    [{ name: 'X' }, 'name: '],
    [{ name: 'x', steps: {} }, 'there is no option steps'],
    [{ name: 'x', input: 7 }, 'input: a zod or JSON Schema is required'],
    [{ name: 'x', description: 7 }, 'description: '],
  ] as const) {
    expect(() => Reflect.apply(defineWorkflow, null, [options, () => 1])).toThrow(message)
  }
  expect(() => Reflect.apply(defineWorkflow, null, [{ name: 'x' }])).toThrow('its code is a function')
})
