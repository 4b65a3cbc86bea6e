// docs/guide/testing.md: its workflow is simulated here, and its tests are these, to the letter.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { bundleWorkflow, type Workflow } from '@stepfleet/code-workflows'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { simulate } from './simulate.ts'

const guide = readFileSync(fileURLToPath(new URL('../../../docs/guide/testing.md', import.meta.url)), 'utf8')
const blocks = (language: string): string[] =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text)
const refund = parse(blocks('yaml')[0] ?? '')

/** The workflow of the other guide, as its reader would import it. */
const importTriage = async (): Promise<Workflow> => {
  const page = readFileSync(fileURLToPath(new URL('../../../docs/guide/code-workflows.md', import.meta.url)), 'utf8')
  const folder = mkdtempSync(join(tmpdir(), 'stepfleet-guide-'))
  try {
    writeFileSync(join(folder, 'triage.ts'), /```ts\n([\s\S]*?)```/.exec(page)?.[1] ?? '')
    const { text } = await bundleWorkflow(join(folder, 'triage.ts'))
    writeFileSync(join(folder, 'triage.mjs'), text)
    return (await import(/* @vite-ignore */ pathToFileURL(join(folder, 'triage.mjs')).href)).triage
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
const triage = await importTriage()

const options = {
  input: { order: '17' },
  mocks: {
    order: { total: 30 },
    letter: { subject: 'Your money', body: 'It is on its way.' },
    'tool:pay_back': 'paid',
    'tool:send_mail': 'sent',
    'tool:take_back': 'taken back',
  },
  people: { pay: { approved: true, by: 'ann', after: '2h' } },
}

const unsure = { text: 'Perhaps?', sure: false }

const doubtful = {
  input: { message: 'Where is my order?', rounds: 2 },
  mocks: { answer_1: unsure, answer_2: unsure, 'tool:outbox': 'sent' },
  people: { read: { approved: true, by: 'ann', after: '2h' } },
}

test('the money goes back a day later, once ann has approved', async () => {
  const run = await simulate(refund, options)
  expect(run).toMatchObject({ status: 'completed', output: 'Your money', unused: ['mocks.tool:take_back'] })
  expect(run.path).toEqual(['order', 'letter', 'cool_off', 'pay', 'mail'])
  expect(run.virtualMs).toBeGreaterThan(26 * 3_600_000)
})

test('a small order is not paid back', async () => {
  const run = await simulate(refund, { ...options, mocks: { ...options.mocks, order: { total: 0 } } })
  expect(run.steps.find((step) => step.path === 'pay')).toMatchObject({ status: 'skipped' })
  expect(run.path).not.toContain('mail')
})

test('the amount is what the order says', async () => {
  const paid: unknown[] = []
  const pay = ({ input }: { input: unknown }) => {
    paid.push(input)
    return 'paid'
  }
  await simulate(refund, { ...options, mocks: { ...options.mocks, 'tool:pay_back': pay } })
  expect(paid).toEqual([{ amount: 30 }])
})

test('without the mail the money is taken back', async () => {
  const faults = [{ fail: { step: 'mail', code: 'provider_error' as const, times: 3 } }]
  const run = await simulate(refund, { ...options, faults })
  expect(run).toMatchObject({ status: 'failed', failure: { code: 'provider_error' } })
  expect(run.path.at(-1)).toBe('pay/compensate-1')
})

test('nobody is paid twice when a worker dies with the money', async () => {
  const run = await simulate(refund, { ...options, faults: [{ loseWorker: { step: 'pay' } }] })
  expect(run.status).toBe('escalated')
  expect(run.waiting).toEqual([{ path: 'pay', why: expect.stringContaining('outcome_unknown') }])
})

test('an engine that dies changes nothing', async () => {
  const calm = await simulate(refund, options)
  const faults = calm.path.map((crashAfter) => ({ crashAfter }))
  const run = await simulate(refund, { ...options, faults })
  expect(run.events).toEqual(calm.events)
})

test('a rejected gate escalates nothing: the run fails, and nothing was paid', async () => {
  const run = await simulate(refund, { ...options, people: { pay: { approved: false, reason: 'fraud' } } })
  expect(run.path).not.toContain('pay')
  expect(run.steps.find((step) => step.path === 'pay')?.failure).toMatchObject({ code: 'gate_rejected' })
})

test('a person is asked when the model is not sure', async () => {
  const run = await simulate(triage, doubtful)
  expect(run).toMatchObject({ status: 'completed', output: { draft: 'Perhaps?', by: 'person' } })
  expect(run.path).toEqual(['answer_1', 'answer_2', 'read', 'send'])
})

test('a letter that cannot be sent is caught by the code', async () => {
  const faults = [{ fail: { step: 'send', code: 'not_found' as const } }]
  const run = await simulate(triage, { ...doubtful, faults })
  expect(run).toMatchObject({ status: 'completed', output: { by: 'nobody', why: 'not_found' } })
})

test('the code does the same again, wherever it is cut', async () => {
  const calm = await simulate(triage, doubtful)
  for (const crashAfter of calm.path) {
    const run = await simulate(triage, { ...doubtful, faults: [{ crashAfter }] })
    expect(run.events).toEqual(calm.events)
  }
})

test('the page shows these tests and no others', () => {
  const own = readFileSync(fileURLToPath(import.meta.url), 'utf8')
  const shown = blocks('ts').flatMap((text) => text.split(/^\n/m))
  const meant = shown.filter((part) => !/^(import|const refund)/.test(part))
  expect(meant.length).toBeGreaterThan(6)
  for (const part of meant) expect(own).toContain(part)
})
