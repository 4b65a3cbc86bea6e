// The server over HTTP: the wire, agents, faults, scripts, and the ledger through restarts and a kill.
import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readLedger, readLines } from './ledger.ts'
import { type Fixture, startFixture } from './server.fixture.ts'

let model: Fixture
const children: ChildProcess[] = []

beforeEach(async () => {
  model = await startFixture()
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await model.end()
})

interface Sent {
  prompt?: string
  body?: object
  key?: string
  task?: string
  headers?: Record<string, string>
  signal?: AbortSignal
}

const post = (
  { prompt = 'Say something about tea', body = {}, key, task, headers = {}, signal }: Sent,
  url = model.url,
): Promise<Response> =>
  fetch(`${url}/v1/messages`, {
    method: 'POST',
    ...(signal ? { signal } : {}),
    headers: {
      'content-type': 'application/json',
      'anthropic-version': '2026-10-21',
      authorization: 'Bearer any',
      ...(key === undefined ? {} : { 'x-stepfleet-effect-key': key }),
      ...(task === undefined ? {} : { 'x-stepfleet-task': task }),
      ...headers,
    },
    body: JSON.stringify({
      model: 'claude-sonnet-5-5',
      max_tokens: 1024,
      messages: [{ role: 'user', content: prompt }],
      ...body,
    }),
  })

const TOOL = {
  name: 'lookup',
  description: 'Looks up',
  input_schema: { type: 'object', properties: { q: { type: 'string' } }, required: ['q'] },
}

interface Block {
  type: string
  id?: string
  name?: string
  text?: string
  input?: unknown
}
interface Message {
  content: Block[]
  stop_reason: string
  model: string
  usage: { input_tokens: number; output_tokens: number; cache_read_input_tokens: number }
  error?: { type: string; message: string }
}
const message = async (response: Response): Promise<Message> => JSON.parse(await response.text())
const eventsOf = (text: string): string[] => [...text.matchAll(/^event: (.+)$/gm)].map(([, name = '']) => name)

describe('the wire', () => {
  it('answers a whole message with usage, under the requested model', async () => {
    const answer = await message(await post({}))
    expect(answer).toMatchObject({
      model: 'claude-sonnet-5-5',
      stop_reason: 'end_turn',
      usage: { cache_read_input_tokens: 0 },
    })
    expect(answer.content[0]?.text).toContain('tea')
    expect(answer.usage.input_tokens).toBeGreaterThan(0)
  })

  it('streams the events in order, the text in several pieces', async () => {
    const response = await post({ body: { stream: true } })
    expect(response.headers.get('x-scripted')).toBe('1')
    const events = eventsOf(await response.text())
    expect(events.slice(0, 3)).toEqual(['message_start', 'ping', 'content_block_start'])
    expect(events.filter((name) => name === 'content_block_delta').length).toBeGreaterThan(2)
    expect(events.slice(-3)).toEqual(['content_block_stop', 'message_delta', 'message_stop'])
  })

  it('answers the same request the same way, ids included', async () => {
    const [first, second] = await Promise.all([post({}).then(message), post({}).then(message)])
    expect(first).toEqual(second)
  })

  it('cuts at a stop sequence', async () => {
    const answer = await message(
      await post({ prompt: '[[scripted: say=one END two]]', body: { stop_sequences: ['END'] } }),
    )
    expect(answer).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: 'END', content: [{ text: 'one ' }] })
  })

  it.each<[string, Sent, number, string]>([
    ['no key', { headers: { authorization: '' } }, 401, 'authentication_error'],
    ['no version', { headers: { 'anthropic-version': '' } }, 400, 'invalid_request_error'],
    ['temperature', { body: { temperature: 0.5 } }, 400, 'invalid_request_error'],
    ['no messages', { body: { messages: [] } }, 400, 'invalid_request_error'],
    ['an unknown directive', { prompt: '[[scripted: fial=529]]' }, 400, 'invalid_request_error'],
    [
      'an open output schema',
      { body: { output_config: { format: { type: 'json_schema', schema: { type: 'object' } } } } },
      400,
      'invalid_request_error',
    ],
    [
      'a bound in an output schema',
      { body: { output_config: { format: { type: 'json_schema', schema: { type: 'number', minimum: 1 } } } } },
      400,
      'invalid_request_error',
    ],
  ])('refuses %s, and the ledger says so', async (_name, sent, status, type) => {
    const response = await post(sent)
    expect(response.status).toBe(status)
    expect((await message(response)).error?.type).toBe(type)
    expect(model.calls()).toMatchObject([{ outcome: 'rejected', status }])
  })

  it.each([
    ['none', []],
    ['another one', [{ type: 'tool_result', tool_use_id: 'b', content: '' }]],
    ['two', [0, 1].map(() => ({ type: 'tool_result', tool_use_id: 'a', content: '' }))],
  ])('refuses a tool use with %s for a result', async (_name, results) => {
    const messages = [
      { role: 'user', content: 'go' },
      { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'lookup', input: {} }] },
      { role: 'user', content: [...results, { type: 'text', text: 'well?' }] },
    ]
    const response = await post({ body: { messages, tools: [TOOL] } })
    expect(response.status).toBe(400)
    expect((await message(response)).error?.message).toMatch(/tool_use/)
  })
})

/** Plays an agent by hand until the model answers; every tool use is answered. */
const playAgent = async (prompt: string): Promise<{ calls: number; uses: Block[][] }> => {
  const messages: object[] = [{ role: 'user', content: prompt }]
  const uses: Block[][] = []
  for (let calls = 1; ; calls += 1) {
    const answer = await message(await post({ body: { messages, tools: [TOOL, { ...TOOL, name: 'fetch_page' }] } }))
    const asked = answer.content.filter((block) => block.type === 'tool_use')
    if (asked.length === 0) return { calls, uses }
    uses.push(asked)
    messages.push({ role: 'assistant', content: answer.content })
    messages.push({
      role: 'user',
      content: asked.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: 'found it' })),
    })
  }
}

describe('agents', () => {
  it('call tools for some turns, with arguments that fit, then answer', async () => {
    const { calls, uses } = await playAgent('Find out about tea')
    expect(calls).toBeGreaterThan(2)
    expect(uses.flat().every(({ input }) => typeof Object(input).q === 'string')).toBe(true)
    expect(uses.some((turn) => turn.length === 2)).toBe(true)
    expect(new Set(uses.flat().map(({ id }) => id)).size).toBe(uses.flat().length)
  })

  it('make exactly the turns asked for', async () => {
    const { calls, uses } = await playAgent('Go [[scripted: turns=46 tool=lookup]]')
    expect(calls).toBe(47)
    expect(uses.flat().every(({ name }) => name === 'lookup')).toBe(true)
    expect(model.calls().map(({ turn }) => turn)).toEqual(Array.from({ length: 47 }, (_, index) => index + 1))
  })

  it('ask for several tools at once', async () => {
    const { uses } = await playAgent('Go [[scripted: turns=1 parallel=3]]')
    expect(uses.map((turn) => turn.length)).toEqual([3])
  })
})

describe('faults', () => {
  it('happen as often as told for each effect key, also over a restart', async () => {
    const prompt = '[[scripted: fail=529 times=2]] tea'
    const once = async (key: string): Promise<number> => (await post({ prompt, key })).status
    expect([await once('a'), await once('b'), await once('a')]).toEqual([529, 529, 529])
    model = await model.restart()
    expect([await once('a'), await once('b'), await once('b')]).toEqual([200, 529, 200])
    expect(model.calls().map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('carry retry-after', async () => {
    const response = await post({ prompt: '[[scripted: fail=429 retry-after=171]]' })
    expect(response.headers.get('retry-after')).toBe('171')
    expect((await message(response)).error?.type).toBe('rate_limit_error')
  })

  it('only in the turn they name', async () => {
    expect((await post({ prompt: '[[scripted: fail=500 turn=2]]' })).status).toBe(200)
  })

  it('end a stream without its end', async () => {
    const text = await (await post({ prompt: '[[scripted: cut=stream]] tea', body: { stream: true } })).text()
    expect(eventsOf(text)).not.toContain('message_stop')
    expect(model.calls()).toMatchObject([{ outcome: 'cut', fault: 'cut=stream' }])
  })

  it('put an error into a 200', async () => {
    const response = await post({ prompt: '[[scripted: fail=529 in=stream]] tea', body: { stream: true } })
    expect(response.status).toBe(200)
    expect(eventsOf(await response.text()).at(-1)).toBe('error')
  })

  it('leave a hanging client an aborted call in the ledger', async () => {
    const abort = new AbortController()
    const pending = post({ prompt: '[[scripted: hang]]', signal: abort.signal })
    await expect.poll(() => model.calls().map(({ outcome }) => outcome)).toEqual(['begun'])
    abort.abort()
    await expect(pending).rejects.toThrow()
    await expect.poll(() => model.calls().map(({ outcome }) => outcome)).toEqual(['aborted'])
  })
})

describe('a script', () => {
  it('answers what it wants to and leaves the rest', async () => {
    model = await model.restart({
      script: ({ prompt, call }) => (prompt === 'mine' ? { type: 'message', text: `call ${call}` } : null),
    })
    const texts = [
      await post({ prompt: 'mine', key: 'k' }),
      await post({ prompt: 'mine', key: 'k' }),
      await post({}),
    ].map(message)
    const [first, second, third] = (await Promise.all(texts)).map(({ content }) => content[0]?.text)
    expect([first, second]).toEqual(['call 0', 'call 1'])
    expect(third).toContain('tea')
  })
})

describe('the ledger', () => {
  it('names the step and has two lines for each call', async () => {
    await post({ key: 'default/r1/work/turn-2/llm', task: 'default~r1.work/turn-2/llm.3.1' })
    expect(readLines(model.ledger).map(({ n, outcome }) => [n, outcome])).toEqual([
      [1, 'begun'],
      [1, 'answered'],
    ])
    expect(model.calls()).toMatchObject([
      { ns: 'default', run: 'r1', step: 'work/turn-2/llm', attempt: 3, delivery: 1, status: 200 },
    ])
  })

  it('takes up after a torn line', async () => {
    await post({})
    await model.stop()
    appendFileSync(model.ledger, '{"n":2,"atMs":1')
    model = await model.restart()
    await post({})
    expect(readLedger(model.ledger).map(({ n, outcome }) => [n, outcome])).toEqual([
      [1, 'answered'],
      [2, 'answered'],
    ])
  })

  it('shows a call that a killed process left behind', async () => {
    const file = join(model.dir, 'process.jsonl')
    const child = spawn(process.execPath, [
      '--import',
      'tsx',
      fileURLToPath(new URL('./main.ts', import.meta.url)),
      '--ledger',
      file,
    ])
    children.push(child)
    const [line] = await new Promise<string[]>((resolve, reject) => {
      child.stdout.once('data', (data: Buffer) => resolve(data.toString().split('\n')))
      child.once('exit', (code) => reject(new Error(`main left with ${code}`)))
    })
    const ready: { ready: boolean; url: string } = JSON.parse(line ?? '')
    expect(ready.ready).toBe(true)
    const pending = post({ prompt: '[[scripted: latency=60000]] tea' }, ready.url)
    await expect.poll(() => readLedger(file).map(({ outcome }) => outcome)).toEqual(['begun'])
    child.kill('SIGKILL')
    await expect(pending).rejects.toThrow()
    expect(readLedger(file)).toMatchObject([{ outcome: 'begun', endedAtMs: null, status: 0 }])
  })
})
