// docs/guide/code-workflows.md and examples/code: what they show loads, and does what they say.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ThreadedCodeHost } from '@stepfleet/code-workflows'
import { createSchemaChecks } from '@stepfleet/schemas'
import { afterAll, expect, test } from 'vitest'
import { advanced, completed, firstCall, withFiles } from './code.fixture.ts'
import { loadWorkflows } from './load.ts'

const host = new ThreadedCodeHost({ logger: { info: () => undefined, warn: () => undefined } })
afterAll(() => host.close())
const checks = createSchemaChecks()
const load = (folder: string) => loadWorkflows({ folder, host, schemaError: (schema) => checks.compileError(schema) })

const rootFile = (path: string): string => fileURLToPath(new URL(`../../../../${path}`, import.meta.url))

test('the workflow of the guide', async () => {
  const page = readFileSync(rootFile('docs/guide/code-workflows.md'), 'utf8')
  const [, text = ''] = /```ts\n([\s\S]*?)```/.exec(page) ?? []
  const [loaded] = await withFiles({ 'triage.ts': text }, load)
  const call = firstCall(loaded?.bundle ?? { hash: '', text: '' }, { message: 'Where is my order?', rounds: 2 })
  const unsure = { text: 'A draft', sure: false }
  const answer = await advanced(host, {
    ...call,
    ended: [
      completed('answer_1', 3, unsure),
      completed('answer_2', 5, unsure),
      completed('read', 7, { approved: true }),
    ],
  })
  expect(answer.asked.map(({ name }) => name)).toEqual(['answer_1', 'answer_2', 'read', 'send'])
  const failed = { code: 'http_error', class: 'permanent', message: 'status 500' } as const
  const ended = [{ name: 'send', seq: 9, atMs: 1, result: { status: 'failed', failure: failed } as const }]
  expect((await advanced(host, { ...call, fromSeq: 7, ended })).state).toMatchObject({ output: { why: 'http_error' } })
})

test('the examples', async () => {
  const names = (await load(rootFile('examples/code'))).map(({ definition }) => definition.name)
  expect(names).toEqual(['greeting-code', 'trip-code'])
})
