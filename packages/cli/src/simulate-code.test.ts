// `stepfleet workflows simulate` of files of code: bundled and run in a thread, as an orchestrator does.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { main } from './program.ts'

let folder: string
let out: string
let err: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepfleet-simulate-'))
  out = ''
  err = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text)
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text)
    return true
  })
})

afterEach(async () => {
  vi.restoreAllMocks()
  process.exitCode = undefined
  await rm(folder, { recursive: true })
})

const file = async (name: string, text: string): Promise<string> => {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

const simulate = async (...args: string[]): Promise<unknown> => {
  process.exitCode = undefined
  await main(['workflows', 'simulate', ...args])
  return process.exitCode ?? 0
}

const example = (name: string): string => fileURLToPath(new URL(`../../../examples/code/${name}.ts`, import.meta.url))

const flow = (name: string, code: string): string =>
  `export const ${name} = defineWorkflow({ name: '${name}' }, async (run, input) => { ${code} })`
const IMPORT = `import { defineWorkflow } from 'stepfleet'\n`

test('an example, with mocks', async () => {
  const mocks = ['--mock', 'draft="Dear Ada"', '--mock', 'short="Hi"']
  expect(await simulate(example('greeting'), '--input', '{"name": "Ada"}', ...mocks, '--json')).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ output: { draft: 'Dear Ada', short: 'Hi' }, assumed: [], unused: [] })
})

test('a saga whose engine dies on its way is undone all the same', async () => {
  const faults = ['--fail', 'car=http_error', '--crash-after', 'flight', '--crash-after', 'hotel']
  expect(await simulate(example('trip'), '--input', '{"trip": "x"}', ...faults, '--json')).toBe(3)
  const { status, failure, path } = JSON.parse(out)
  expect([status, failure.code]).toEqual(['failed', 'http_error'])
  expect(path).toEqual(['flight', 'hotel', 'car', 'hotel/compensate-1', 'flight/compensate-1'])
})

test('a child in code', async () => {
  const parent = await file('parent.ts', IMPORT + flow('parent', `return run.child('go', { workflow: 'child' })`))
  const child = await file('child.ts', IMPORT + flow('child', `return run.tool('post', { tool: 'post' })`))
  expect(await simulate(parent, '--workflow', child, '--mock', 'go/post=7', '--json')).toBe(0)
  expect(JSON.parse(out).output).toBe(7)
})

test('what the thread refuses, at the top of the file too', async () => {
  const wrong = await file('clock.ts', `${IMPORT}const now = Date.now()\n${flow('clock', 'return now')}`)
  expect(await simulate(wrong)).toBe(1)
  expect(err).toContain('clock.ts: Error: Date.now is not there in the code of a workflow')
  expect(err).toContain('(clock.ts:2:')
})

test('a file with two workflows, with an import of node, with none', async () => {
  const refused: [string, string][] = [
    [`${IMPORT}${flow('one', '')}\n${flow('two', '')}`, 'this one exports one, two'],
    [`import { readFileSync } from 'node:fs'\nvoid readFileSync`, 'node:fs is not there'],
    ['export const x = 1', 'this one exports no workflow'],
  ]
  for (const [text, message] of refused) {
    err = ''
    expect(await simulate(await file('wrong.ts', text))).toBe(1)
    expect(err).toContain(message)
  }
})

test('code that computes for ever is ended', async () => {
  expect(await simulate(await file('spin.ts', IMPORT + flow('spin', 'for (;;) void run')), '--json')).toBe(3)
  expect(JSON.parse(out).failure.code).toBe('code_workflow_stalled')
})

test('wrong input, a wrong input schema, a file that is not there', async () => {
  expect(await simulate(example('greeting'), '--input', '{"name": 1}')).toBe(2)
  expect(err).toContain('input.name')
  const text = `${IMPORT}export const x = defineWorkflow({ name: 'x', input: { type: 'strnig' } }, () => null)`
  expect(await simulate(await file('schema.ts', text))).toBe(2)
  expect(err).toContain('input')
  expect(await simulate(join(folder, 'nowhere.ts'))).toBe(2)
})
