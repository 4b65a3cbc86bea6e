// defineTool: what it makes, and what it refuses.
import { toolManifestSchema } from '@stepfleet/contracts'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { defineTool, isTool, type JsonObject, type ToolContext } from './tool.ts'
import { isToolError, ToolError } from './tool-error.ts'

const context: ToolContext = {
  signal: new AbortController().signal,
  effectKey: 'default/run/step',
  attempt: 1,
  log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  secrets: {},
}

const definition = {
  name: 'mail',
  description: 'Sends a mail',
  input: { type: 'object' },
  effect: 'once',
  run: (): unknown => null,
} as const

test('a manifest out of zod schemas, defaults not required of the caller', () => {
  const tool = defineTool({
    ...definition,
    input: z.object({ to: z.email(), copies: z.int().default(1) }),
    timeout: '2m',
    secrets: ['MAIL'],
    run: (input) => {
      expectTypeOf(input).toEqualTypeOf<{ to: string; copies: number }>()
      return input.to
    },
  })
  expect(isTool(tool)).toBe(true)
  expect(toolManifestSchema.parse(tool.manifest)).toMatchObject({
    spec: { name: 'mail', input: { type: 'object', required: ['to'], properties: { copies: { default: 1 } } } },
    effect: 'once',
    timeoutMs: 120_000,
    secrets: ['MAIL'],
  })
})

test('a JSON Schema is the manifest as it is, and its input a JSON object', async () => {
  const tool = defineTool({
    ...definition,
    run: (input) => {
      expectTypeOf(input).toEqualTypeOf<JsonObject>()
      return input
    },
  })
  expect([tool.manifest.spec.input, tool.input.parse]).toEqual([{ type: 'object' }, null])
  expect(await tool.run({ a: 1 }, context)).toEqual({ a: 1 })
})

test('zod checks and converts, and says where it is wrong', async () => {
  const tool = defineTool({ ...definition, input: z.strictObject({ n: z.coerce.number() }) })
  expect(await tool.input.parse?.({ n: '7' })).toEqual({ ok: true, value: { n: 7 } })
  expect(await tool.input.parse?.({ n: 'x' })).toMatchObject({ ok: false, problem: expect.stringContaining('n: ') })
})

test('a run that throws at once rejects', async () => {
  const tool = defineTool({
    ...definition,
    run: () => {
      throw new Error('at once')
    },
  })
  await expect(tool.run({}, context)).rejects.toThrow('at once')
})

// what TypeScript would refuse: many tools are written in plain JavaScript
const wrong: [Record<string, unknown>, string][] = [
  [{ name: 'Mail' }, 'name'],
  [{ description: '' }, 'description'],
  [{ effect: 'write' }, 'effect'],
  [{ timeout: '5 minutes' }, 'timeout'],
  [{ timeout: '0s' }, 'timeout'],
  [{ secrets: ['a b'] }, 'secrets'],
  [{ run: null }, 'run'],
  [{ input: undefined }, 'input'],
  [{ input: { type: 'array' } }, 'the root of the schema is an object'],
  [{ input: z.string() }, 'the root of the schema is an object'],
  [{ input: z.object({ at: z.date() }) }, 'input'],
  [{ retries: 3 }, 'retries'],
]
test.each(wrong)('%o is refused: %s', (part, text) => {
  expect(() => Reflect.apply(defineTool, null, [{ ...definition, ...part }])).toThrow(text)
  expect(() => Reflect.apply(defineTool, null, [{ ...definition, ...part }])).toThrow('defineTool(')
})

test('a ToolError is known by its mark, and refuses a class or code that there is not', () => {
  const error = new ToolError('x', { class: 'permanent' })
  expect([isToolError(error), isToolError(new Error('x')), error.code]).toEqual([true, false, 'tool_failed'])
  expect(() => Reflect.construct(ToolError, ['x', { class: 'fatal' }])).toThrow('transient, permanent or ambiguous')
  expect(() => Reflect.construct(ToolError, ['x', { class: 'permanent', code: 'nope' }])).toThrow('unknown code nope')
  for (const retryAfterMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => new ToolError('x', { class: 'transient', retryAfterMs })).toThrow('retryAfterMs')
  }
})
