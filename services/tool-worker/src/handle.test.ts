// The handler: which tool is called with what, and what becomes of its result.
import { effectKey, type Failure, type Json, type Task } from '@stepfleet/contracts'
import { createLogger, type TaskContext, TaskFailure } from '@stepfleet/runtime'
import { defineTool, type Tool, type ToolContext, ToolError } from 'stepfleet'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { createHandler } from './handle.ts'
import { createSecrets } from './secrets.ts'
import { createEgress } from './tools/egress.ts'
import { checkOf, type LoadedTool } from './tools/registry.ts'

const egress = createEgress({ allow: [] })
afterAll(() => egress.close())
const secrets = createSecrets({ values: new Map([['TOKEN', 'canary-token']]), dir: null })

const callbacks = { secret: async () => 'a-secret', publicUrl: 'https://flows.example' }

const lines: string[] = []
const logger = createLogger('test', 'debug', { write: (line: string) => void lines.push(line) })

const loaded = (tool: Tool): LoadedTool => ({
  tool,
  file: 'test',
  checkInput: checkOf(tool.input),
  checkOutput: tool.output ? checkOf(tool.output) : null,
})

const handlerOf = (...tools: Tool[]) =>
  createHandler({
    registry: new Map(tools.map((tool) => [tool.manifest.spec.name, loaded(tool)])),
    egress,
    secrets,
    callbacks,
  })

const task: Task = {
  kind: 'tool',
  ns: 'default',
  run: 'run',
  path: 'step',
  attempt: 2,
  delivery: 1,
  effect: 'once',
  effectKey: effectKey('default', 'run', 'step'),
  timeoutMs: 1_000,
  workflow: 'w',
  input: { value: null },
}

const contextOf = (input: Json, signal = new AbortController().signal): TaskContext => ({
  task,
  input,
  signal,
  attempt: 2,
  effectKey: task.effectKey,
  log: logger,
  record: {
    events: async () => [],
    blob: async () => null,
    payload: async (_, __, value) => ({ value }),
  },
})

const run = async (tool: Tool, input: Json): Promise<Json> =>
  (await handlerOf(tool).run(contextOf({ tool: tool.manifest.spec.name, with: input }))).output

const failed = async (tool: Tool, input: Json, context = contextOf({ tool: 't', with: input })): Promise<Failure> => {
  const thrown = await handlerOf(tool)
    .run(context)
    .then(
      () => null,
      (error: unknown) => error,
    )
  if (!(thrown instanceof TaskFailure)) throw new Error('not a TaskFailure', { cause: thrown })
  return thrown.failure
}

const base = { name: 't', description: 'd', effect: 'read' } as const
const echo = defineTool({ ...base, input: { type: 'object' }, run: (input) => input })

test('a tool gets its parsed input, its secrets, the effect key and the attempt', async () => {
  const got: unknown[] = []
  const tool = defineTool({
    ...base,
    input: z.strictObject({ n: z.number().default(3), token: z.string() }),
    secrets: ['TOKEN'],
    run: (input, { signal, log, ...rest }: ToolContext) => {
      log.info('called', { with: input.token })
      got.push(input, rest, signal.aborted)
      return null
    },
  })
  await run(tool, { token: { $concat: ['Bearer ', { $secret: 'TOKEN' }] } })
  expect(got).toEqual([
    { n: 3, token: 'Bearer canary-token' },
    { effectKey: 'default/run/step', attempt: 2, secrets: { TOKEN: 'canary-token' } },
    false,
  ])
  expect(lines.join()).toContain('Bearer [redacted]')
  expect(lines.join()).not.toContain('canary')
})

test('what a result carries of a secret is blotted out', async () => {
  expect(await run(echo, { a: { $secret: 'TOKEN' }, b: ['x', { $concat: ['<', { $secret: 'TOKEN' }, '>'] }] })).toEqual(
    {
      a: '[redacted]',
      b: ['x', '<[redacted]>'],
    },
  )
})

test('text that names a secret reaches the tool as it is', async () => {
  const text = '${{ secrets.TOKEN }}'
  expect(await run(echo, { text })).toEqual({ text })
})

test('the result is what JSON makes of it', async () => {
  const of = (value: unknown) => run(defineTool({ ...base, input: { type: 'object' }, run: () => value }), {})
  expect(await of(undefined)).toBeNull()
  expect(await of({ at: new Date(0), no: undefined, nan: Number.NaN })).toEqual({
    at: '1970-01-01T00:00:00.000Z',
    nan: null,
  })
  const circle: Record<string, unknown> = {}
  circle.self = circle
  for (const value of [circle, { n: 1n }]) {
    const tool = defineTool({ ...base, input: { type: 'object' }, run: () => value })
    expect(await failed(tool, {})).toMatchObject({ code: 'tool_output_invalid', class: 'permanent' })
  }
  const big = defineTool({ ...base, input: { type: 'object' }, run: () => 'x'.repeat(16 * 1024 * 1024) })
  expect(await failed(big, {})).toMatchObject({ code: 'payload_too_large' })
})

test('input that breaks the schema is tool_input_invalid, and the tool is not called', async () => {
  let calls = 0
  for (const input of [z.strictObject({ n: z.number() }), { type: 'object' as const, required: ['n'] }]) {
    const tool = defineTool({
      ...base,
      input,
      run: () => {
        calls += 1
      },
    })
    expect(await failed(tool, { m: 1 })).toMatchObject({ code: 'tool_input_invalid', class: 'permanent' })
  }
  expect(calls).toBe(0)
})

test('a result that breaks the schema is tool_output_invalid', async () => {
  const tool = defineTool({
    ...base,
    input: { type: 'object' },
    output: { type: 'object', required: ['a'] },
    run: () => ({}),
  })
  expect(await failed(tool, {})).toMatchObject({ code: 'tool_output_invalid', class: 'permanent' })
})

test('a thrown error is tool_failed without its secrets, a ToolError says its class', async () => {
  const plain = defineTool({
    ...base,
    input: { type: 'object' },
    run: ({ token }) => {
      throw new Error(`no entry with ${String(token)}`)
    },
  })
  expect(await failed(plain, { token: { $secret: 'TOKEN' } })).toEqual({
    code: 'tool_failed',
    class: 'transient',
    message: 'no entry with [redacted]',
  })
  const told = defineTool({
    ...base,
    input: { type: 'object' },
    run: () => {
      throw new ToolError('never', { class: 'permanent', code: 'not_found' })
    },
  })
  expect(await failed(told, {})).toMatchObject({ code: 'not_found', class: 'permanent' })
})

test('what an aborted tool throws does not hide why it was aborted', async () => {
  const controller = new AbortController()
  const tool = defineTool({
    ...base,
    input: { type: 'object' },
    run: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('stopped')))
        controller.abort({ code: 'timeout', class: 'transient', message: 'no result within 1000 ms' })
      }),
  })
  expect(await failed(tool, {}, contextOf({ tool: 't', with: {} }, controller.signal))).toMatchObject({
    code: 'timeout',
  })
})

test('an unknown tool is transient, names the nearest, and nothing was sent', async () => {
  const found = await failed(echo, {}, contextOf({ tool: 'tt', with: {} }))
  expect(found).toMatchObject({ code: 'tool_unknown', class: 'transient', details: { notSent: true } })
  expect(found.message).toBe('this worker has no tool tt; it has t')
})

test('a missing secret and an odd task input are permanent', async () => {
  expect(await failed(echo, { a: { $secret: 'NOPE' } })).toMatchObject({ code: 'secret_missing', class: 'permanent' })
  expect(await failed(echo, {}, contextOf('odd'))).toMatchObject({ code: 'tool_input_invalid', class: 'permanent' })
})

test('http is denied what the guard denies', async () => {
  const context = contextOf({ tool: 'http', with: { url: 'http://127.0.0.1:1/' } })
  expect(await failed(echo, {}, context)).toMatchObject({ code: 'egress_denied' })
})

test.each<[Json, string | null]>([
  [{ tool: 'http', with: { url: 'https://example.com/x' } }, 'http:example.com'],
  [{ tool: 'noop', with: {} }, 'tool:noop'],
  [null, null],
])('the dependency of %j is %s', (input, expected) => {
  expect(handlerOf().dependency(task, input)).toBe(expected)
})
