// Loading module tools from files.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { toolManifestSchema } from '@stepfleet/contracts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadTools, manifestsOf } from './registry.ts'

const STEPFLEET = import.meta.resolve('stepfleet')
const EXAMPLES = fileURLToPath(new URL('../../../../examples/tools', import.meta.url))

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stepfleet-tools-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const write = async (name: string, text: string): Promise<string> => {
  const file = join(dir, name)
  await writeFile(file, text.replace("'stepfleet'", JSON.stringify(STEPFLEET)))
  return file
}

const source = (name: string, more = "input: { type: 'object' }") =>
  `import { defineTool } from 'stepfleet'
   export const tool = defineTool({ name: '${name}', description: 'd', ${more}, effect: 'read', run: () => 1 })
   export { tool as default }`

test('the examples load, and their manifests are what workers publish', async () => {
  const registry = await loadTools([EXAMPLES])
  expect([...registry.keys()].sort()).toEqual([
    'calculator',
    'cancel_reservation',
    'charge',
    'lookup',
    'noop',
    'outbox',
    'reserve',
    'store_note',
  ])
  for (const manifest of manifestsOf(registry)) expect(toolManifestSchema.parse(manifest)).toEqual(manifest)
  expect(registry.get('outbox')?.tool.manifest).toMatchObject({ effect: 'once', timeoutMs: 30_000, secrets: [] })
  expect(registry.get('lookup')?.tool.manifest.spec.input).toMatchObject({ type: 'object', required: ['query'] })
})

test('a folder gives its own files, helpers and tests aside; a tool exported twice is one', async () => {
  await write('a.mjs', source('a'))
  await write('helper.js', 'export const x = 1')
  await write('a.test.mjs', 'throw new Error("must not be loaded")')
  await write('notes.txt', 'x')
  await mkdir(join(dir, 'deeper'))
  await write('deeper/b.mjs', source('b'))
  expect([...(await loadTools([dir])).keys()]).toEqual(['a'])
  expect([...(await loadTools([join(dir, 'deeper', 'b.mjs'), dir])).keys()]).toEqual(['b', 'a'])
})

test.each([
  ['x.mjs', 'export const x = 1', 'exports nothing made by defineTool'],
  ['x.mjs', 'export const x = {', 'tool file'],
  ['x.mjs', 'throw new Error("at load")', 'at load'],
  ['x.mjs', "import 'no-such-package-anywhere'", 'no-such-package-anywhere'],
  ['x.ts', source('x'), 'is .js or .mjs'],
  ['x.mjs', source('http'), 'belongs to a built-in tool'],
  ['x.mjs', source('x', "input: { type: 'object', properties: { a: { type: 'nonsense' } } }"), 'schema of x'],
  ['x.mjs', source('Bad Name'), 'defineTool(Bad Name)'],
])('%s with %s: an error that names file and reason', async (name, text, why) => {
  const file = await write(name, text)
  const failed = await loadTools([file]).then(
    () => null,
    (error: unknown) => error,
  )
  expect(failed).toBeInstanceOf(Error)
  expect(String(failed)).toContain(file)
  expect(String(failed)).toContain(why)
})

test('a missing path, an empty folder and a name used twice are errors', async () => {
  await expect(loadTools([join(dir, 'gone.mjs')])).rejects.toThrow('gone.mjs')
  await expect(loadTools([dir])).rejects.toThrow('holds no .js or .mjs file')
  const first = await write('a.mjs', source('same'))
  const second = await write('b.mjs', source('same'))
  await expect(loadTools([first, second])).rejects.toThrow(`${second}: a tool same is in ${first} already`)
  expect([...(await loadTools([first, first])).keys()]).toEqual(['same'])
})

test('two tools may use the same $id in their schemas', async () => {
  const input = "input: { $id: 'https://example.com/x', type: 'object' }"
  const files = [await write('a.mjs', source('a', input)), await write('b.mjs', source('b', input))]
  expect([...(await loadTools(files)).keys()]).toEqual(['a', 'b'])
})
