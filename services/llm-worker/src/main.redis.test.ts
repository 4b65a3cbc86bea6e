// The worker as a process, with a real Redis and the scripted model: what a kill and a SIGTERM in the middle of a call leave.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import {
  type CommandOf,
  commandSchema,
  formatOut,
  llmQueue,
  runKeys,
  shardKeys,
  type Task,
  taskId,
} from '@stepfleet/contracts'
import { connectRedis, createLogger, createPublisher, type Publisher, type RedisClient } from '@stepfleet/runtime'
import { type ScriptedModel, startScriptedModel } from '@stepfleet/scripted-model'
import { eventually, startRedis, type TestRedis } from '@stepfleet/testkit'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { llmInput, MODEL } from './task.fixture.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const logger = createLogger('test', 'silent')

let dir = ''
let redis: TestRedis
let model: ScriptedModel
let client: RedisClient
let publisher: Publisher
const children: ChildProcess[] = []

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'llm-worker-process-'))
  redis = await startRedis()
  model = await startScriptedModel({ ledger: join(dir, 'ledger.jsonl') })
  const settings = { STEPFLEET_REDIS_URL: redis.url, STEPFLEET_REDIS_CLUSTER: false, STEPFLEET_ALLOW_VOLATILE: false }
  client = connectRedis(settings, { name: 'test', logger })
  publisher = createPublisher(settings, logger)
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(async () => {
  await publisher.close()
  client.disconnect()
  await model.stop()
  await redis.stop()
  rmSync(dir, { recursive: true, force: true })
})

interface WorkerProcess {
  child: ChildProcess
  /** Lines of its log until it was ready. */
  logs: { msg?: string; provider?: string; setting?: string; providers?: string[] }[]
  healthUrl: string
  ended: Promise<number | null>
}

const startWorker = async (env: NodeJS.ProcessEnv = { ANTHROPIC_BASE_URL: model.url }): Promise<WorkerProcess> => {
  const child = spawn(process.execPath, ['--conditions=source', '--import', 'tsx', MAIN], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      STEPFLEET_REDIS_URL: redis.url,
      STEPFLEET_SPOOL_DIR: join(dir, 'spool'),
      STEPFLEET_DRAIN_MS: '10000',
      ...env,
    },
  })
  const logs: WorkerProcess['logs'] = []
  children.push(child)
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const port = await new Promise<number>((resolve, reject) => {
    void ended.then((code) => reject(new Error(`the worker left with ${code}`)))
    createInterface({ input: child.stdout }).on('line', (line) => {
      const log: { msg?: string; healthPort?: number } = JSON.parse(line)
      logs.push(log)
      if (log.msg === 'ready' && log.healthPort !== undefined) resolve(log.healthPort)
    })
  })
  return { child, logs, healthUrl: `http://127.0.0.1:${port}`, ended }
}

/** Puts a task out as the engine does, and publishes it. */
const dispatch = async (run: string, prompt: string, using = MODEL): Promise<Task> => {
  const task: Task = {
    kind: 'llm',
    ns: 'default',
    run,
    path: 'ask',
    attempt: 1,
    delivery: 1,
    effect: 'read',
    effectKey: `default/${run}/ask`,
    timeoutMs: 60_000,
    workflow: 'w',
    input: { value: JSON.parse(JSON.stringify(llmInput(prompt, { model: using }))) },
  }
  await client.hset(runKeys('default', run).out, 'ask', formatOut(1, 1))
  await publisher.publish([{ queue: llmQueue(using), id: taskId(task), priority: 3, payload: task }])
  return task
}

const outcomesOf = async (run: string): Promise<CommandOf<'outcome'>[]> => {
  const entries = await client.xrange(shardKeys(runKeys('default', run).shard).mailbox, '-', '+')
  return entries
    .flatMap(([, fields]) => fields.filter((field) => field.startsWith('{')))
    .map((text) => commandSchema.parse(JSON.parse(text)))
    .filter((command): command is CommandOf<'outcome'> => command.type === 'outcome' && command.run === run)
}

const outcomeOf = async (run: string): Promise<CommandOf<'outcome'>> =>
  eventually(async () => (await outcomesOf(run))[0], { what: `the outcome of ${run}` })

const callsOf = (run: string) => model.calls().filter((call) => call.run === run)

it('answers a task of a queue that appeared after it started, and stays ready', async () => {
  const { healthUrl } = await startWorker()
  await eventually(async () => (await fetch(`${healthUrl}/readyz`)).ok, { what: 'readiness' })
  await dispatch('r1', '[[scripted: say=Tea.]]')
  const { outcome } = await outcomeOf('r1')
  expect(outcome).toMatchObject({ path: 'ask', attempt: 1, result: { status: 'done', output: { value: 'Tea.' } } })
  expect(outcome.usage).toMatchObject({ model: MODEL, scripted: true })
  expect(callsOf('r1')).toMatchObject([{ outcome: 'answered', key: 'default/r1/ask', attempt: 1, delivery: 1 }])
  expect((await fetch(`${healthUrl}/readyz`)).status).toBe(200)
})

it('reports a failure with what the provider asked for', async () => {
  await startWorker()
  await dispatch('r2', '[[scripted: fail=503 retry-after=7]]')
  expect((await outcomeOf('r2')).outcome.result).toMatchObject({
    status: 'failed',
    failure: { code: 'overloaded', class: 'transient', http: 503, retryAfterMs: 7_000 },
  })
})

it('lets a call end before it leaves at SIGTERM', async () => {
  const { child, ended } = await startWorker()
  await dispatch('r3', '[[scripted: latency=700 say=Still here.]]')
  await eventually(() => callsOf('r3').length === 1, { what: 'the call' })
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
  expect((await outcomeOf('r3')).outcome.result).toEqual({ status: 'done', output: { value: 'Still here.' } })
})

it('killed in the middle of a call reports nothing, and the ledger shows the call', async () => {
  const { child, ended } = await startWorker()
  await dispatch('r4', '[[scripted: hang]]')
  await eventually(() => callsOf('r4')[0]?.outcome === 'begun', { what: 'the call' })
  child.kill('SIGKILL')
  await ended
  await eventually(() => callsOf('r4')[0]?.outcome === 'aborted', { what: 'the connection to close' })
  expect(await outcomesOf('r4')).toEqual([])
})

it('serves the providers that are set, each from its own queues, and says which it does not', async () => {
  const { logs } = await startWorker({
    GEMINI_BASE_URL: model.url,
    STEPFLEET_OPENAI_COMPATIBLE: `ollama=${model.url}/v1`,
  })
  expect(logs.find(({ msg }) => msg === 'ready')?.providers).toEqual(['gemini', 'ollama'])
  expect(logs.flatMap(({ provider, setting }) => (provider ? [[provider, setting]] : []))).toEqual([
    ['anthropic', 'ANTHROPIC_API_KEY'],
    ['openai', 'OPENAI_API_KEY'],
  ])
  await dispatch('r5', '[[scripted: say=Black tea.]]', 'gemini/gemini-3.8-flash')
  await dispatch('r6', '[[scripted: say=White tea.]]', 'ollama/qwen3:8b')
  for (const [run, text] of [
    ['r5', 'Black tea.'],
    ['r6', 'White tea.'],
  ] as const)
    expect((await outcomeOf(run)).outcome.result).toEqual({ status: 'done', output: { value: text } })
})

it('without a key for the real API does not start, and names the setting', async () => {
  const child = spawn(process.execPath, ['--conditions=source', '--import', 'tsx', MAIN], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  children.push(child)
  let errors = ''
  child.stderr.on('data', (data: Buffer) => {
    errors += data.toString()
  })
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(1)
  expect(errors).toContain('ANTHROPIC_API_KEY is missing')
})
