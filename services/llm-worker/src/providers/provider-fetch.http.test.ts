// The fetch that SDKs are given: the wait for headers, silence, and errors as they came.
import { afterEach, describe, expect, it } from 'vitest'
import { HeadersLate, providerFetch } from './provider-fetch.ts'
import { type RawServer, startRawServer } from './raw-server.fixture.ts'
import { StreamStalled } from './watched-fetch.ts'

let server: RawServer | undefined
afterEach(() => server?.stop())

const LIMITS = { headersMs: 5_000, chunkMs: 5_000 }

describe('headers', () => {
  it('that do not come end the call, on both sides', async () => {
    server = await startRawServer(() => undefined)
    await expect(providerFetch({ ...LIMITS, headersMs: 1_000 })(server.url)).rejects.toThrow(HeadersLate)
    await expect.poll(() => server?.aborted()).toBe(1)
  })

  it('stop the timer: the answer may take longer', async () => {
    server = await startRawServer((response) => {
      response.writeHead(200)
      response.write('a')
      setTimeout(() => response.end('b'), 1_200)
    })
    const response = await providerFetch({ ...LIMITS, headersMs: 1_000 })(server.url)
    expect(await response.text()).toBe('ab')
  })

  it('are not waited for when the caller aborts', async () => {
    server = await startRawServer(() => undefined)
    const abort = new AbortController()
    const pending = providerFetch(LIMITS)(server.url, { signal: abort.signal })
    await expect.poll(() => server?.requests.length).toBe(1)
    abort.abort(new Error('not wanted'))
    await expect(pending).rejects.toThrow('not wanted')
  })
})

describe('an error', () => {
  it('is thrown with its status, headers and body', async () => {
    server = await startRawServer((response) => {
      response.writeHead(429, { 'retry-after': '3' })
      response.end('{"error": "slow down"}')
    })
    const error = await providerFetch(LIMITS)(server.url).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'HttpRefusal', status: 429, body: '{"error": "slow down"}' })
    expect(error).toHaveProperty('headers')
  })

  it('that falls silent is thrown with what came of it', async () => {
    server = await startRawServer((response) => {
      response.writeHead(500)
      response.write('half')
    })
    const error = await providerFetch({ ...LIMITS, chunkMs: 60 })(server.url).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ status: 500, body: 'half' })
  })

  it('without an end is read only so far', async () => {
    server = await startRawServer((response) => {
      response.writeHead(500)
      const more = (): void => {
        if (!response.destroyed) response.write('x'.repeat(10_000), more)
      }
      more()
    })
    const error = await providerFetch(LIMITS)(server.url).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ status: 500, body: expect.stringMatching(/^x{65000}/) })
    await expect.poll(() => server?.aborted()).toBe(1)
  })
})

describe('an answer', () => {
  it('that falls silent fails', async () => {
    server = await startRawServer((response) => {
      response.writeHead(200)
      response.write('x')
    })
    const response = await providerFetch({ ...LIMITS, chunkMs: 60 })(server.url)
    await expect(response.text()).rejects.toThrow(StreamStalled)
  })

  it('with half a character in it fails', async () => {
    server = await startRawServer((response) => {
      response.writeHead(200)
      response.end(Buffer.from([0x61, 0xe2, 0x82, 0x62]))
    })
    const response = await providerFetch(LIMITS)(server.url)
    await expect(response.text()).rejects.toThrow(TypeError)
  })
})
