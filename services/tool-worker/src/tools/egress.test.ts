// The egress guard: what it lets through, and the published ways around such guards.
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import {
  BodyTooLarge,
  ConnectFailed,
  createEgress,
  type Egress,
  EgressDenied,
  type EgressOptions,
  type EgressRequest,
  ExchangeFailed,
  isPublicAddress,
  TooManyRedirects,
} from './egress.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

const serve = async (handler: RequestListener): Promise<{ port: number; host: string }> => {
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  const { port } = server.address() as AddressInfo
  return { port, host: `127.0.0.1:${port}` }
}

const egressWith = (options: Partial<EgressOptions> = {}): Egress => {
  const egress = createEgress({ allow: [], ...options })
  closers.push(() => egress.close())
  return egress
}

const get = (url: string, more: Partial<EgressRequest> = {}): EgressRequest => ({
  url: new URL(url),
  method: 'GET',
  headers: {},
  body: null,
  signal: AbortSignal.timeout(10_000),
  fresh: false,
  maxBodyBytes: 1_000_000,
  ...more,
})

test.each([
  ['8.8.8.8', true],
  ['2606:4700::1111', true],
  ['::ffff:8.8.8.8', true],
  ['127.0.0.1', false],
  ['10.0.0.1', false],
  ['172.16.0.1', false],
  ['192.168.1.1', false],
  ['169.254.169.254', false],
  ['100.64.0.1', false],
  ['0.0.0.0', false],
  ['255.255.255.255', false],
  ['224.0.0.1', false],
  ['198.18.0.1', false],
  ['192.0.2.1', false],
  ['::', false],
  ['::1', false],
  ['::ffff:127.0.0.1', false],
  ['::7f00:1', false],
  ['64:ff9b::7f00:1', false],
  ['2002:7f00:1::', false],
  ['fe80::1', false],
  ['fc00::1', false],
  ['fd00:ec2::254', false],
  ['ff02::1', false],
  ['not an address', false],
])('%s is public: %s', (address, expected) => {
  expect(isPublicAddress(address)).toBe(expected)
})

// a server listens on this port of 127.0.0.1: a payload that got through would be answered with 200
test.each([
  'http://127.0.0.1:PORT/',
  'http://127.1:PORT/',
  'http://2130706433:PORT/',
  'http://017700000001:PORT/',
  'http://0x7f000001:PORT/',
  'http://0177.0.0.1:PORT/',
  'http://0x7f.0.0.1:PORT/',
  'http://127.0.0.1.:PORT/',
  'http://127。0。0。1:PORT/',
  'http://①②⑦.⓪.⓪.①:PORT/',
  'http://0.0.0.0:PORT/',
  'http://0:PORT/',
  'http://[::1]:PORT/',
  'http://[::]:PORT/',
  'http://[::ffff:127.0.0.1]:PORT/',
  'http://[::ffff:7f00:1]:PORT/',
  'http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/',
  'http://[::127.0.0.1]:PORT/',
  'http://localhost:PORT/',
  'http://localhost.:PORT/',
  'http://LOCALHOST:PORT/',
  'http://app.localhost:PORT/',
  'http://169.254.169.254/latest/meta-data/',
])('%s is denied', async (payload) => {
  let hits = 0
  const { port } = await serve((_, response) => {
    hits += 1
    response.end('reached')
  })
  const attempt = egressWith().request(get(payload.replace('PORT', String(port))))
  await expect(attempt).rejects.toThrow(EgressDenied)
  expect(hits).toBe(0)
})

test('a name that leads to loopback, or to loopback among others, is denied', async () => {
  const { port } = await serve((_, response) => response.end('reached'))
  for (const addresses of [['127.0.0.1'], ['8.8.8.8', '127.0.0.1'], ['::1']]) {
    const egress = egressWith({ resolve: async () => addresses })
    await expect(egress.request(get(`http://rebind.example:${port}/`))).rejects.toThrow(EgressDenied)
  }
})

test('the address that was checked is the one connected to: the name is asked once', async () => {
  const { port } = await serve((_, response) => response.end('reached'))
  const answers = [['127.0.0.1'], ['8.8.8.8']]
  let asked = 0
  const egress = egressWith({ allow: [`name.example:${port}`], resolve: async () => answers[asked++] ?? [] })
  const response = await egress.request(get(`http://name.example:${port}/`))
  expect([response.body.toString(), asked]).toEqual(['reached', 1])
})

test('an allowed host is reached at its port alone; without a port at every port', async () => {
  const { port } = await serve((_, response) => response.end('hello'))
  const other = await serve((_, response) => response.end('other'))
  const egress = egressWith({ allow: [`127.0.0.1:${port}`] })
  expect((await egress.request(get(`http://127.0.0.1:${port}/`))).body.toString()).toBe('hello')
  await expect(egress.request(get(`http://127.0.0.1:${other.port}/`))).rejects.toThrow(EgressDenied)
  await expect(egress.request(get(`http://localhost:${port}/`))).rejects.toThrow(EgressDenied)
  const wide = egressWith({ allow: ['127.0.0.1'] })
  expect((await wide.request(get(`http://127.0.0.1:${other.port}/`))).body.toString()).toBe('other')
})

test('a redirect to a private address is denied', async () => {
  const secret = await serve((_, response) => response.end('secret'))
  const { host } = await serve((_, response) => response.writeHead(302, { location: `http://${secret.host}/` }).end())
  const egress = egressWith({ allow: [host] })
  await expect(egress.request(get(`http://${host}/`))).rejects.toThrow(EgressDenied)
})

test.each(['file:///etc/passwd', 'gopher://127.0.0.1/', 'http://'])('a redirect to %s is denied', async (location) => {
  const { host } = await serve((_, response) => response.writeHead(302, { location }).end())
  await expect(egressWith({ allow: [host] }).request(get(`http://${host}/`))).rejects.toThrow(EgressDenied)
})

test('a file URL is denied', async () => {
  await expect(egressWith().request(get('file:///etc/passwd'))).rejects.toThrow(EgressDenied)
})

test('five redirects are followed, a sixth is not', async () => {
  const { host } = await serve((request, response) => {
    const left = Number(request.url?.slice(1))
    if (left === 0) response.end('there')
    else response.writeHead(302, { location: `/${left - 1}` }).end()
  })
  const egress = egressWith({ allow: [host] })
  expect((await egress.request(get(`http://${host}/5`))).body.toString()).toBe('there')
  await expect(egress.request(get(`http://${host}/6`))).rejects.toThrow(TooManyRedirects)
})

test('another origin gets neither authorization nor own headers', async () => {
  const seen: unknown[] = []
  const target = await serve((request, response) => {
    seen.push(request.headers.authorization, request.headers['x-api-key'], request.headers.accept)
    response.end('ok')
  })
  const { host } = await serve((_, response) => response.writeHead(307, { location: `http://${target.host}/` }).end())
  const headers = { authorization: 'Bearer abcdef', 'x-api-key': 'abcdef', accept: 'text/plain' }
  await egressWith({ allow: [host, target.host] }).request(get(`http://${host}/`, { headers }))
  expect(seen).toEqual([undefined, undefined, 'text/plain'])
})

test('a POST becomes a GET after 303 and stays a POST with its body after 307', async () => {
  const seen: string[] = []
  const { host } = await serve((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      seen.push(`${request.method} ${request.url} ${body}`)
      if (request.url === '/done') response.end('ok')
      else response.writeHead(Number(request.url?.slice(1)), { location: '/done' }).end()
    })
  })
  const egress = egressWith({ allow: [host] })
  for (const status of [303, 307]) {
    await egress.request(get(`http://${host}/${status}`, { method: 'POST', body: 'x' }))
  }
  expect(seen).toEqual(['POST /303 x', 'GET /done ', 'POST /307 x', 'POST /done x'])
})

test('a refused connection is ConnectFailed; after a redirect it is ExchangeFailed', async () => {
  const gone = await serve(() => {})
  await closers.pop()?.()
  const { host } = await serve((_, response) => response.writeHead(303, { location: `http://${gone.host}/` }).end())
  const egress = egressWith({ allow: ['127.0.0.1'] })
  await expect(egress.request(get(`http://${gone.host}/`))).rejects.toThrow(ConnectFailed)
  await expect(egress.request(get(`http://${host}/`, { method: 'POST' }))).rejects.toThrow(ExchangeFailed)
})

test('a name without an address is ConnectFailed', async () => {
  const resolve = async (): Promise<string[]> => {
    throw new Error('ENOTFOUND')
  }
  await expect(egressWith({ resolve }).request(get('http://nowhere.example/'))).rejects.toThrow(ConnectFailed)
})

test('a connection that breaks in the answer is ExchangeFailed', async () => {
  const { host } = await serve((_, response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('half', () => response.socket?.destroy())
  })
  await expect(egressWith({ allow: [host] }).request(get(`http://${host}/`))).rejects.toThrow(ExchangeFailed)
})

test('an answer over the cap is refused', async () => {
  const { host } = await serve((_, response) => response.end('x'.repeat(1_001)))
  const egress = egressWith({ allow: [host] })
  await expect(egress.request(get(`http://${host}/`, { maxBodyBytes: 1_000 }))).rejects.toThrow(BodyTooLarge)
  expect((await egress.request(get(`http://${host}/`, { maxBodyBytes: 1_001 }))).body.length).toBe(1_001)
})

test('an abort rejects with its reason', async () => {
  const controller = new AbortController()
  const { host } = await serve(() => controller.abort('enough'))
  const attempt = egressWith({ allow: [host] }).request(get(`http://${host}/`, { signal: controller.signal }))
  await expect(attempt).rejects.toBe('enough')
})

test('TLS asks for the name, not for the pinned address', async () => {
  let hello = ''
  const server = createTcpServer((socket) => {
    socket.once('data', (data) => {
      hello = data.toString('latin1')
      socket.destroy()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => new Promise((resolve) => server.close(() => resolve())))
  const { port } = server.address() as AddressInfo
  const egress = egressWith({ allow: [`name.example:${port}`], resolve: async () => ['127.0.0.1'] })
  await expect(egress.request(get(`https://name.example:${port}/`))).rejects.toThrow(ConnectFailed)
  expect(hello).toContain('name.example')
})
