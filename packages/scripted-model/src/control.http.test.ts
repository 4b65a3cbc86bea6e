// Rules, outages and limits at run time, over HTTP and through the handle, and the ledger read over HTTP.
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PROTOCOL_NAMES } from './answering/script.ts'
import { CONTROL_DOORS } from './control-http.ts'
import { seenBy, send } from './observe.fixture.ts'
import { type Fixture, startFixture } from './server.fixture.ts'

let model: Fixture
beforeEach(async () => {
  model = await startFixture()
})
afterEach(() => model.end())

interface Done {
  status: number
  body: unknown
}
const control = async (method: string, path: string, body?: unknown): Promise<Done> => {
  const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
  const response = await fetch(`${model.url}/_script${path}`, init)
  return { status: response.status, body: await response.json() }
}
const ask = (key = 'default/r1/ask', name = 'gpt-4.1'): Promise<string> =>
  seenBy(model.url, 'openai', { prompt: 'tea', key, model: name })

describe('a rule', () => {
  const flaky = { id: 'flaky', match: { step: 'ask' }, play: [{ do: 'fail=529', times: 2 }] }

  it('plays its calls for each key, is named in the ledger, and outlives a restart', async () => {
    expect(await control('POST', '/rules', flaky)).toMatchObject({ status: 200, body: [{ per: 'key', on: 'model' }] })
    expect(await ask()).toBe('529 server_error')
    model = await model.restart({ rules: [flaky] })
    expect([await ask(), await ask(), await ask('default/r2/ask')]).toEqual([
      '529 server_error',
      '200 stop',
      '529 server_error',
    ])
    expect(model.calls().map(({ rule, scope, fault }) => [rule, scope, fault])).toEqual([
      ['flaky', 'key:default/r1/ask', 'fail=529'],
      ['flaky', 'key:default/r1/ask', 'fail=529'],
      [undefined, undefined, undefined],
      ['flaky', 'key:default/r2/ask', 'fail=529'],
    ])
  })

  it('comes before the directives of the prompt, and can be taken back', async () => {
    model.setRule({ id: 'a', later: 'say=by rule' })
    const said = async (): Promise<unknown> =>
      (await send(model.url, 'openai', { prompt: '[[scripted: say=by prompt]]', stream: false })).json()
    const saying = (content: string): object => ({ choices: [{ message: { content } }] })
    expect(await said()).toMatchObject(saying('by rule'))
    expect(await control('DELETE', '/rules/a')).toMatchObject({ status: 200 })
    expect(await said()).toMatchObject(saying('by prompt'))
    expect(await control('DELETE', '/rules/a')).toMatchObject({ status: 404 })
  })

  it('that cannot be read is refused, and with it all that came along', async () => {
    const answer = await control('POST', '/rules', [flaky, { id: 'b', later: 'fial=1' }])
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining('fial') } })
    expect(await control('GET', '/rules')).toEqual({ status: 200, body: [] })
  })
})

describe('a script', () => {
  it('answers in the words of directives, call by call', async () => {
    await model.end()
    model = await startFixture({ script: ({ modelCall }) => (modelCall < 2 ? 'error=overloaded' : null) })
    expect([await ask('a'), await ask('b'), await ask('c'), await ask('d', 'other')]).toEqual([
      '503 engine_overloaded',
      '503 engine_overloaded',
      '200 stop',
      '503 engine_overloaded',
    ])
  })
})

describe('an outage', () => {
  it('is for all calls of its models, until it is over', async () => {
    await control('POST', '/outages', { model: 'gpt-*', on: true })
    expect([await ask('a'), await ask('b'), await ask('b', 'other')]).toEqual([
      '503 engine_overloaded',
      '503 engine_overloaded',
      '200 stop',
    ])
    await control('POST', '/outages', { model: 'gpt-*', on: false })
    expect(await ask('a')).toBe('200 stop')
  })

  it('comes before a script, with the fault that it names', async () => {
    await model.end()
    model = await startFixture({ script: () => ({ type: 'message', text: 'fine' }) })
    model.outage({ model: '*', on: true, fault: 'cut=headers' })
    expect(await ask()).toBe('torn down before the headers')
    model.reset()
    expect(await ask()).toBe('200 stop')
  })
})

describe('a limit', () => {
  it.each(PROTOCOL_NAMES)('refuses calls of %s, says for how long, and counts them', async (protocol) => {
    await control('POST', '/limits', { model: 'm', requests: 1 })
    const sent = { prompt: 'tea', model: 'm' }
    const first = await send(model.url, protocol, sent)
    await first.text()
    expect(first.status).toBe(200)
    expect(await seenBy(model.url, protocol, sent)).toMatch(/^429 .*(retry-after|RetryInfo) (59|60)s?$/)
    expect(await control('GET', '/limits')).toMatchObject({
      body: [{ model: 'm', calls: 2, violations: { requests: 1 }, peak: { requests: 2 } }],
    })
    expect(model.calls().map(({ outcome, fault }) => [outcome, fault])).toEqual([
      ['answered', undefined],
      ['failed', 'limit=requests'],
    ])
  })

  it('tells what is left, as each API does', async () => {
    model.setLimit({ model: '*', requests: 5, tokens: 10_000 })
    const headersOf = async (protocol: 'anthropic' | 'openai'): Promise<Headers> =>
      (await send(model.url, protocol, { prompt: 'tea', stream: false })).headers
    const openai = await headersOf('openai')
    expect(openai.get('x-ratelimit-remaining-requests')).toBe('4')
    expect(openai.get('x-ratelimit-limit-tokens')).toBe('10000')
    const anthropic = await headersOf('anthropic')
    expect(anthropic.get('anthropic-ratelimit-requests-remaining')).toBe('3')
    expect(Date.parse(anthropic.get('anthropic-ratelimit-tokens-reset') ?? '')).toBeGreaterThan(Date.now() - 1000)
  })

  it('of calls at the same time lets the next in when one has ended', async () => {
    model.setLimit({ model: '*', concurrency: 1 })
    const abort = new AbortController()
    const held = send(model.url, 'openai', { prompt: '[[scripted: hang]]' }, abort.signal).catch(() => 'gone')
    await expect.poll(() => model.calls().map(({ outcome }) => outcome)).toEqual(['begun'])
    expect(await ask()).toBe('429 rate_limit_exceeded, retry-after 1')
    abort.abort()
    expect(await held).toBe('gone')
    await expect.poll(() => ask()).toBe('200 stop')
    expect(model.limits()).toMatchObject([{ peak: { concurrency: 2 } }])
  })
})

describe('the ledger over HTTP', () => {
  it('is filtered by any field, and by what came after', async () => {
    await ask('default/r1/a')
    await ask('default/r1/b', 'other')
    expect(await control('GET', '/calls')).toMatchObject({ body: [{ n: 1 }, { n: 2 }] })
    expect(await control('GET', '/calls?model=other&outcome=answered')).toMatchObject({
      body: [{ n: 2, model: 'other' }],
    })
    expect(await control('GET', '/calls?after=1')).toMatchObject({ body: [{ n: 2 }] })
    expect(await control('GET', '/calls?model=none')).toEqual({ status: 200, body: [] })
    expect(await control('GET', '/calls?after=x')).toMatchObject({ status: 400 })
  })

  it('is the file', async () => {
    await ask()
    const text = await (await fetch(`${model.url}/_script/ledger`)).text()
    expect(text).toBe(readFileSync(model.ledger, 'utf8'))
    expect(text.trim().split('\n')).toHaveLength(2)
  })
})

it('a door that is not there names those that are', async () => {
  const { status, body } = await control('PUT', '/rules')
  expect(status).toBe(404)
  for (const door of CONTROL_DOORS) expect(JSON.stringify(body)).toContain(door)
})
