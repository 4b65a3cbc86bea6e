// Loading a folder of code workflows: what becomes of a file, and what is refused with its place.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ThreadedCodeHost } from '@stepfleet/code-workflows'
import { createSchemaChecks } from '@stepfleet/schemas'
import { afterAll, expect, test } from 'vitest'
import { createMemoryStore } from '../store/memory-store.ts'
import { firstCall, withFiles } from './code.fixture.ts'
import { bundleText, readStored } from './definition.ts'
import { loadWorkflows } from './load.ts'
import { registerFolder } from './register.ts'

const host = new ThreadedCodeHost({ logger: { info: () => undefined, warn: () => undefined } })
afterAll(() => host.close())
const checks = createSchemaChecks()
const NONE = { hash: '', text: '' }
const schemaError = checks.compileError.bind(checks)
const load = (folder: string) => loadWorkflows({ folder, host, schemaError })

const flow = (name: string, code = '') =>
  `import { defineWorkflow } from 'stepfleet'\nexport const flow = defineWorkflow({ name: '${name}' }, async (run) => { ${code} })\n`

test('each file is a workflow; helpers below, tests and declarations are none', async () => {
  await withFiles(
    {
      'b.ts': `import { greeting } from './parts/greeting.ts'\n${flow('second', 'return greeting')}`,
      'a.mjs': flow('first'),
      'a.test.ts': 'throw new Error()',
      'types.d.ts': 'export type X = 1',
      'notes.md': 'none',
    },
    async (folder) => {
      mkdirSync(join(folder, 'parts'))
      writeFileSync(join(folder, 'parts', 'greeting.ts'), `export const greeting: string = 'hello'`)
      const loaded = await load(folder)
      expect(loaded.map(({ file, definition }) => [file, definition.name])).toEqual([
        ['a.mjs', 'first'],
        ['b.ts', 'second'],
      ])
      const bundle = loaded[1]?.bundle ?? NONE
      expect(await host.advance(firstCall(bundle))).toMatchObject({ state: { output: 'hello' } })
      // the same files elsewhere are the same version
      const again = await withFiles({ 'a.mjs': flow('first') }, load)
      expect(Buffer.from(again[0]?.bundle.text.split('base64,')[1] ?? '', 'base64').toString()).not.toContain('../')
      expect(again[0]?.hash).toBe(loaded[0]?.hash)
    },
  )
})

test('zod gives the schema, and reads the input for the code', async () => {
  const text = `
    import { defineWorkflow } from 'stepfleet'
    import { z } from 'zod'
    export const flow = defineWorkflow(
      { name: 'typed', description: 'With a schema', input: z.object({ topic: z.string().min(1), words: z.number().default(100) }) },
      async (run, input) => {
        const found = await run.llm('draft', { model: 'a/b', prompt: input.topic, output: z.object({ n: z.number().default(7) }) })
        return [input.words + 1, found.n]
      })`
  const [loaded] = await withFiles({ 'typed.ts': text }, load)
  expect(loaded?.definition).toMatchObject({
    name: 'typed',
    description: 'With a schema',
    input: { type: 'object', required: ['topic'], properties: { words: { default: 100 } } },
  })
  const bundle = loaded?.bundle ?? NONE
  const call = firstCall(bundle, { topic: 'tides' })
  const ended = [{ name: 'draft', seq: 4, atMs: 0, result: { status: 'completed', output: {} } as const }]
  const answer = await host.advance({ ...call, ended })
  expect(answer).toMatchObject({
    asked: [{ name: 'draft', step: { llm: { output: { type: 'object', properties: { n: { default: 7 } } } } } }],
    state: { status: 'returned', output: [101, 7] },
  })
  const wrong = await host.advance(firstCall(bundle, { topic: 7 }, 'wrong'))
  expect(wrong).toMatchObject({ state: { failure: { message: expect.stringContaining('input.topic: ') } } })
})

const refused: [string, string, string][] = [
  [
    'node:fs',
    `import { readFileSync } from 'node:fs'\nvoid readFileSync\n${flow('x')}`,
    'x.ts:1: node:fs is not there',
  ],
  ['a builtin without its prefix', `import * as os from 'os'\nvoid os\n${flow('x')}`, 'os is not there'],
  ['what is nowhere', `import nothing from './nothing.ts'\nvoid nothing\n${flow('x')}`, 'x.ts:1: Could not resolve'],
  [
    'what stepfleet has not in a thread',
    `import { createClient } from 'stepfleet'\nvoid createClient\n${flow('x')}`,
    'createClient',
  ],
  ['no workflow', 'export const a = 1', 'this one exports no workflow'],
  ['two', `${flow('x')}export const more = defineWorkflow({ name: 'y' }, () => 1)`, 'this one exports x, y'],
  ['a wrong name', flow('Not A Name'), 'defineWorkflow(Not A Name): name: '],
  ['an unknown option', flow('x').replace('{ name', '{ labels: {}, name'), 'there is no option labels'],
  ['no JSON Schema', flow('x').replace('{ name', "{ input: { type: 'nonsense' }, name"), 'input: not a JSON Schema'],
  ['what does not parse', 'export const = 1', 'x.ts:1: '],
]
test.each(refused)('refused: %s', async (_, text, message) => {
  await withFiles({ 'x.ts': text }, (folder) => expect(load(folder)).rejects.toThrow(message))
})

test('an import whose name is made at run time reaches nothing', async () => {
  const [loaded] = await withFiles({ 'x.ts': flow('x', `return Object.keys(await import(['node:fs'][0]))`) }, load)
  const bundle = loaded?.bundle ?? NONE
  const answer = await host.advance(firstCall(bundle))
  expect(answer).toMatchObject({ state: { status: 'threw', failure: { code: 'code_failed' } } })
})

test('everything that is wrong in the folder is said at once; a name may be there once', async () => {
  const files = { 'a.ts': flow('same'), 'b.ts': flow('same'), 'c.ts': 'export const = 1', 'd.ts': 'export const d = 1' }
  const error = await withFiles(files, (folder) => load(folder).catch((caught: unknown) => caught))
  expect(String(error).split('\n').slice(1)).toEqual([
    expect.stringContaining('c.ts: c.ts:1: '),
    expect.stringContaining('d.ts: a file exports one workflow'),
    'b.ts: workflow same is in a.ts already',
  ])
})

test('a version is made only when the content has changed, and its bundle lies apart', async () => {
  const store = createMemoryStore({ nowMs: () => 1 })
  const put = async (code: string) =>
    withFiles({ 'x.ts': flow('x', code) }, (folder) =>
      registerFolder({ folder, ns: 'default', store, host, schemas: checks }),
    )
  expect(await put('return 1')).toEqual([{ name: 'x', version: 1, created: true }])
  expect(await put('return 1')).toEqual([{ name: 'x', version: 1, created: false }])
  expect(await put('return 2')).toEqual([{ name: 'x', version: 2, created: true }])
  const stored = (await store.definition('default', 'x', 1))?.definition ?? null
  const { definition, code } = readStored(stored)
  expect(definition).toEqual({ name: 'x', steps: {} })
  expect(stored).toEqual({ name: 'x', code })
  expect(await bundleText(store, 'default', 'x', code?.hash ?? '')).toContain('sourceURL=')
  await expect(bundleText(store, 'default', 'x', 'other')).rejects.toThrow('is gone')
  const plain = { name: 'y', steps: { a: { value: 1 } } }
  expect(readStored(plain)).toEqual({ definition: plain, code: null })
})
