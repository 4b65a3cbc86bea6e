// Health endpoints over a real socket on loopback.
import { afterEach, describe, expect, it } from 'vitest'
import { type Health, type Readiness, startHealth } from './health.ts'

let health: Health | null = null
afterEach(async () => {
  await health?.close()
  health = null
})

const get = async (ready: () => Promise<Readiness>, path: string, method = 'GET') => {
  health = await startHealth({ host: '127.0.0.1', port: 0, ready })
  const response = await fetch(`http://127.0.0.1:${health.port}${path}`, { method })
  return { status: response.status, body: await response.json() }
}

describe('/healthz', () => {
  it('answers 200 whatever readiness says', async () => {
    expect(await get(async () => ({ ready: false }), '/healthz')).toEqual({ status: 200, body: { status: 'ok' } })
  })
})

describe('/readyz', () => {
  it('answers 200 when ready', async () => {
    expect(await get(async () => ({ ready: true }), '/readyz')).toEqual({
      status: 200,
      body: { status: 'ready', ready: true },
    })
  })

  it('answers 503 and why when not', async () => {
    const answer = await get(async () => ({ ready: false, why: 'redis away' }), '/readyz?verbose')
    expect(answer).toEqual({ status: 503, body: { status: 'not_ready', ready: false, why: 'redis away' } })
  })

  it('answers 503 when the check throws', async () => {
    const answer = await get(() => Promise.reject(new Error('broken check')), '/readyz')
    expect(answer).toMatchObject({ status: 503, body: { why: 'broken check' } })
  })

  it('answers 503 when the check hangs', async () => {
    const answer = await get(() => new Promise(() => {}), '/readyz')
    expect(answer).toMatchObject({ status: 503, body: { why: 'no answer within 2000 ms' } })
  })
})

describe('anything else', () => {
  it('is 404 or 405', async () => {
    expect((await get(async () => ({ ready: true }), '/')).status).toBe(404)
    await health?.close()
    expect((await get(async () => ({ ready: true }), '/healthz', 'POST')).status).toBe(405)
  })

  it('a taken port rejects', async () => {
    health = await startHealth({ host: '127.0.0.1', port: 0, ready: async () => ({ ready: true }) })
    const second = startHealth({ host: '127.0.0.1', port: health.port, ready: async () => ({ ready: true }) })
    await expect(second).rejects.toThrow('EADDRINUSE')
  })
})
