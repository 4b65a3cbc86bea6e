// The effect server over HTTP: what it writes down, what goes wrong with it, and repeats of a key.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Fixture, startFixture } from '../server.fixture.ts'

let model: Fixture
beforeEach(async () => {
  model = await startFixture()
})
afterEach(() => model.end())

interface Sent {
  scripted?: string
  key?: string
  body?: string
  method?: string
  path?: string
  signal?: AbortSignal
}
const call = ({ scripted, key, body = '{"amount":3}', method = 'POST', path = '/pay', signal }: Sent = {}) =>
  fetch(`${model.urls.effects}${path}${scripted === undefined ? '' : `?scripted=${encodeURIComponent(scripted)}`}`, {
    method,
    redirect: 'manual',
    headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) },
    ...(method === 'GET' ? {} : { body }),
    ...(signal ? { signal } : {}),
  })
const statuses = async (...sent: Sent[]): Promise<(number | string)[]> => {
  const all: (number | string)[] = []
  for (const each of sent)
    all.push(
      await call(each)
        .then(async (response) => {
          await response.text()
          return response.status
        })
        .catch(() => 'torn down'),
    )
  return all
}
const noted = (): [string, boolean, number][] =>
  model.effects().map(({ outcome, applied, status }) => [outcome, applied, status])

describe('a call', () => {
  it('is written down with all that it came with', async () => {
    const response = await call({ key: 'default/r1/pay' })
    expect(await response.json()).toEqual({ ok: true, effect: 1, key: 'default/r1/pay' })
    expect(model.effects()).toMatchObject([
      {
        kind: 'effect',
        n: 1,
        method: 'POST',
        path: '/effects/pay',
        key: 'default/r1/pay',
        headers: { 'idempotency-key': 'default/r1/pay', 'content-type': 'application/json' },
        body: '{"amount":3}',
        applied: true,
        outcome: 'answered',
        status: 200,
      },
    ])
    expect(model.calls()).toEqual([])
  })

  it('that reads has no effect', async () => {
    await statuses({ method: 'GET' })
    expect(noted()).toEqual([['answered', false, 200]])
  })

  it('is answered as told, in the query, in the body or by rule', async () => {
    const inBody = await call({ body: 'pay [[scripted: status=201 say=paid]]' })
    expect([inBody.status, await inBody.text(), inBody.headers.get('content-type')]).toEqual([
      201,
      'paid',
      'text/plain; charset=utf-8',
    ])
    model.setRule({ id: 'p', on: 'effect', match: { path: '*/pay', method: 'POST' }, play: [{ do: 'fail=503' }] })
    expect(await statuses({ key: 'a' }, { key: 'a' }, { key: 'b' }, { path: '/other' })).toEqual([503, 200, 503, 200])
    expect(model.effects().map(({ rule }) => rule)).toEqual([undefined, 'p', undefined, 'p', undefined])
  })

  it('with a directive that cannot be read is refused and written down', async () => {
    expect(await statuses({ scripted: 'fial=3' }, { scripted: 'status=302' }, { scripted: 'applied' })).toEqual([
      400, 400, 400,
    ])
    expect(noted()).toEqual(Array.from({ length: 3 }, () => ['rejected', false, 400]))
  })
})

describe('a fault', () => {
  it.each<[string, number | string, [string, boolean, number]]>([
    ['fail=503', 503, ['failed', false, 503]],
    ['fail=500 applied', 500, ['failed', true, 500]],
    ['drop=before', 'torn down', ['cut', false, 0]],
    ['drop=after', 'torn down', ['answered', true, 0]],
    ['cut=reset', 'torn down', ['cut', true, 200]],
    ['redirect=/effects/other', 307, ['answered', false, 307]],
    ['redirect=/effects/other status=302 applied', 302, ['answered', true, 302]],
    ['latency=5', 200, ['answered', true, 200]],
    ['trickle=1 say=slow', 200, ['answered', true, 200]],
  ])('%s', async (scripted, seen, entry) => {
    expect(await statuses({ scripted })).toEqual([seen])
    expect(noted()).toEqual([entry])
  })

  it('names what a client needs: where to go, how long to wait', async () => {
    const redirect = await call({ scripted: 'redirect=/effects/other' })
    expect(redirect.headers.get('location')).toBe('/effects/other')
    const busy = await call({ scripted: 'fail=429 retry-after=7 message=too many' })
    expect([busy.headers.get('retry-after'), await busy.json()]).toEqual(['7', { error: 'too many' }])
  })

  it('half an answer that ends politely is no JSON, nor is a malformed one', async () => {
    for (const scripted of ['cut=stream', 'malformed']) {
      const response = await call({ scripted })
      expect(response.headers.get('content-type')).toBe('application/json')
      await expect(response.json()).rejects.toThrow(SyntaxError)
    }
  })

  it('a huge answer has the size that was asked for', async () => {
    const response = await call({ scripted: 'bytes=3000000' })
    expect((await response.arrayBuffer()).byteLength).toBe(3_000_000)
  })

  it.each([
    ['hang', 0],
    ['hang=stream', 200],
  ])('%s leaves the client waiting, after the effect', async (scripted, status) => {
    const abort = new AbortController()
    const pending = call({ scripted, signal: abort.signal }).then((response) => response.text())
    const left = pending.catch(() => 'gone')
    await expect.poll(noted).toEqual([['begun', true, 0]])
    // other calls are answered while it waits
    expect(await statuses({ path: '/other' })).toEqual([200])
    abort.abort()
    expect(await left).toBe('gone')
    await expect.poll(() => noted()[0]).toEqual(['aborted', true, status])
  })

  it('happens as often as told for each key, also over a restart', async () => {
    const scripted = 'drop=after times=2'
    expect(await statuses({ scripted, key: 'a' })).toEqual(['torn down'])
    model = await model.restart()
    expect(await statuses({ scripted, key: 'a' }, { scripted, key: 'a' }, { scripted, key: 'b' })).toEqual([
      'torn down',
      200,
      'torn down',
    ])
  })
})

describe('a service that knows its keys', () => {
  const scripted = 'idempotent'

  it('answers a repeat with the first answer, and has one effect', async () => {
    const first = await (await call({ scripted, key: 'a' })).text()
    const again = await call({ scripted, key: 'a' })
    expect([await again.text(), again.headers.get('idempotent-replayed')]).toEqual([first, 'true'])
    expect(await statuses({ scripted, key: 'b' })).toEqual([200])
    expect(model.effects().map(({ applied, replayOf }) => [applied, replayOf])).toEqual([
      [true, undefined],
      [false, 1],
      [true, undefined],
    ])
  })

  it('knows what it answered when the answer was lost, also after a restart', async () => {
    model.setRule({ id: 'lost', on: 'effect', play: [{ do: 'drop=after' }] })
    expect(await statuses({ scripted, key: 'a' })).toEqual(['torn down'])
    model = await model.restart()
    const again = await call({ scripted, key: 'a' })
    expect(await again.json()).toEqual({ ok: true, effect: 1, key: 'a' })
    expect(model.effects().filter(({ applied }) => applied)).toHaveLength(1)
  })

  it('refuses a key with another body, and one that is under way', async () => {
    const abort = new AbortController()
    const slow = call({ scripted, key: 'a', body: '[[scripted: latency=600000]]', signal: abort.signal })
    const left = slow.catch(() => 'gone')
    await expect.poll(noted).toEqual([['begun', true, 0]])
    expect(await statuses({ scripted, key: 'a', body: '[[scripted: latency=600000]]' })).toEqual([409])
    expect(await statuses({ scripted, key: 'a', body: 'other' })).toEqual([422])
    abort.abort()
    expect(await left).toBe('gone')
    expect(model.effects().filter(({ applied }) => applied)).toHaveLength(1)
  })

  it('has an effect for each call without a key', async () => {
    expect(await statuses({ scripted }, { scripted })).toEqual([200, 200])
    expect(model.effects().map(({ applied }) => applied)).toEqual([true, true])
  })
})
