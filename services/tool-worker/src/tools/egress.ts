// The one egress function: every outgoing request of this worker passes here and reaches public addresses only.
import { lookup } from 'node:dns/promises'
import type { Socket } from 'node:net'
import ipaddr from 'ipaddr.js'
import { Agent, buildConnector, type Dispatcher, request as undiciRequest } from 'undici'

const MAX_REDIRECTS = 5
const CONNECT_TIMEOUT_MS = 10_000
/** More addresses than this are not tried one after another: the attempt's own timeout is near by then. */
const MAX_ADDRESSES = 4

/** The address, scheme or redirect is not allowed. Nothing was sent to it. */
export class EgressDenied extends Error {}
/** No connection came about: nothing of this request was sent. */
export class ConnectFailed extends Error {}
/** A connection was there and broke, or the other side broke the protocol. */
export class ExchangeFailed extends Error {}
/** The answer is over the cap. */
export class BodyTooLarge extends Error {}
/** More redirects than a sane server sends. */
export class TooManyRedirects extends Error {}

export interface EgressRequest {
  url: URL
  method: string
  headers: Record<string, string>
  body: string | null
  signal: AbortSignal
  /** A connection of its own: a kept one may die in the moment of sending, and nobody knows what arrived. */
  fresh: boolean
  maxBodyBytes: number
  /** Bodies of these statuses are cut off there; of others it is an error. */
  cuts?: (status: number) => boolean
  /** A server took the request, and sends us elsewhere for what came of it: whatever follows, it may have acted. */
  onTaken?: () => void
}

export interface EgressResponse {
  status: number
  /** Lower-case names; repeated headers joined by `, `. */
  headers: Record<string, string>
  body: Buffer
  /** Where the answer came from, after redirects. */
  url: URL
}

export interface Egress {
  /** @throws EgressDenied, ConnectFailed, ExchangeFailed, BodyTooLarge, TooManyRedirects, or the signal's reason */
  request(request: EgressRequest): Promise<EgressResponse>
  close(): Promise<void>
}

export interface EgressOptions {
  /** `host` or `host:port` allowed although private. */
  allow: readonly string[]
  /** Addresses of a name. For tests; the system's resolver by default. */
  resolve?: (hostname: string) => Promise<string[]>
}

/** Lower case, without brackets and the root's dot. */
const plainHost = (hostname: string): string =>
  hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')

/**
 * True for addresses of the public internet. IPv6 is held to 2000::/3, which is all that is given out: ipaddr.js
 * calls everything it has no name for `unicast`, `::127.0.0.1` too.
 */
export const isPublicAddress = (address: string): boolean => {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  if (parsed.range() !== 'unicast') return false
  return parsed.kind() === 'ipv4' || parsed.match(ipaddr.IPv6.parseCIDR('2000::/3'))
}

const systemResolve = async (hostname: string): Promise<string[]> => {
  const found = await lookup(hostname, { all: true, order: 'ipv4first' })
  return found.map(({ address }) => address)
}

interface Guard {
  /** Addresses that may be connected to, all of them checked. @throws EgressDenied, ConnectFailed */
  addresses(hostname: string, port: number): Promise<string[]>
}

const createGuard = (options: EgressOptions): Guard => {
  const allowed = new Set(options.allow.map((entry) => entry.toLowerCase()))
  const resolve = options.resolve ?? systemResolve
  const resolved = async (host: string): Promise<string[]> => {
    try {
      return await resolve(host)
    } catch (error) {
      throw new ConnectFailed(`the name ${host} cannot be resolved`, { cause: error })
    }
  }
  return {
    addresses: async (hostname, port) => {
      const host = plainHost(hostname)
      const written = host.includes(':') ? `[${host}]` : host
      const trusted = allowed.has(written) || allowed.has(`${written}:${port}`)
      const denied = (what: string) =>
        new EgressDenied(`${written}:${port} is not allowed: ${what}. STEPFLEET_EGRESS_ALLOW can allow it`)
      // connectors never ask the resolver about literals, so they are checked here
      if (ipaddr.isValid(host)) {
        if (!trusted && !isPublicAddress(host)) throw denied('not a public address')
        return [host]
      }
      if (!trusted && (host === 'localhost' || host.endsWith('.localhost'))) throw denied('this machine')
      const addresses = await resolved(host)
      if (addresses.length === 0) throw new ConnectFailed(`the name ${host} has no address`)
      // one private address among public ones is what a rebinding name looks like: all of them must pass
      if (!trusted && !addresses.every(isPublicAddress)) throw denied('the name leads to an address that is not public')
      return addresses
    },
  }
}

const portOf = (port: string, protocol: string): number => (port ? Number(port) : protocol === 'https:' ? 443 : 80)

/** A connector that checks, then connects to the very address it checked: the name is not looked up again. */
const guardedConnector = (guard: Guard): buildConnector.connector => {
  const connector = buildConnector({ timeout: CONNECT_TIMEOUT_MS })
  const connectTo = (options: buildConnector.Options, address: string): Promise<Socket> =>
    new Promise((resolve, reject) => {
      // `host` still has the name, from which TLS takes what it asks for and checks
      connector({ ...options, hostname: address }, (error, socket) => {
        if (socket) resolve(socket)
        else reject(error ?? new Error('no socket'))
      })
    })
  const connect = async (options: buildConnector.Options): Promise<Socket> => {
    const addresses = await guard.addresses(options.hostname, portOf(options.port, options.protocol))
    let last: unknown
    for (const address of addresses.slice(0, MAX_ADDRESSES)) {
      try {
        return await connectTo(options, address)
      } catch (error) {
        last = error
      }
    }
    const why = last instanceof Error ? last.message : String(last)
    throw new ConnectFailed(`no connection to ${options.host ?? options.hostname}: ${why}`, { cause: last })
  }
  return (options, callback) => {
    connect(options).then(
      (socket) => callback(null, socket),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null),
    )
  }
}

const headersOf = (raw: Dispatcher.ResponseData['headers']): Record<string, string> =>
  Object.fromEntries(
    Object.entries(raw).map(([name, value]) => [
      name.toLowerCase(),
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  )

const readBody = async (response: Dispatcher.ResponseData, maxBytes: number, cut: boolean): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response.body) {
    bytes += chunk.length
    chunks.push(chunk)
    if (bytes <= maxBytes) continue
    // leaving the loop destroys the stream, so nothing more is read
    if (cut) break
    throw new BodyTooLarge(`the answer is over ${maxBytes} bytes`)
  }
  return Buffer.concat(chunks)
}

/** What may follow to another origin. Anything else could carry a secret that was meant for the first. */
const PORTABLE = new Set(['accept', 'accept-language', 'content-type', 'idempotency-key', 'user-agent'])

/** 303, and 301 or 302 after a POST: what was asked for is done, and its result is elsewhere. */
const becomesGet = (method: string, status: number): boolean =>
  (status === 303 && method !== 'HEAD') || ((status === 301 || status === 302) && method === 'POST')

/**
 * The request that follows a redirect, by the rules of fetch (https://fetch.spec.whatwg.org/#http-redirect-fetch):
 * 303, and 301 or 302 after a POST, become a GET without a body. Other origins get portable headers only.
 */
const follow = (request: EgressRequest, status: number, location: string): EgressRequest => {
  if (!URL.canParse(location, request.url.href)) throw new EgressDenied('the redirect leads to no URL')
  const url = new URL(location, request.url)
  if (request.url.protocol === 'https:' && url.protocol === 'http:') {
    throw new EgressDenied(`the redirect to ${url.host} leaves https`)
  }
  const toGet = becomesGet(request.method, status)
  const kept = Object.entries(request.headers).filter(
    ([name]) => (url.origin === request.url.origin || PORTABLE.has(name)) && !(toGet && name === 'content-type'),
  )
  const headers = Object.fromEntries(kept)
  return { ...request, url, headers, ...(toGet ? { method: 'GET', body: null } : {}) }
}

/** Statuses that are followed when they name a location. */
export const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status)

const refuseScheme = (url: URL): void => {
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new EgressDenied(`${url.protocol} is not http or https`)
}

const KNOWN = [EgressDenied, ConnectFailed, BodyTooLarge, TooManyRedirects]

/** `sent` counts the requests that had reached a server before: a failed connection of a later hop is no clean failure. */
const wrap = (error: unknown, sent: number): unknown => {
  if (error instanceof ConnectFailed && sent > 0) return new ExchangeFailed(`${error.message} (after a redirect)`)
  if (KNOWN.some((known) => error instanceof known)) return error
  const why = error instanceof Error ? error.message : String(error)
  return new ExchangeFailed(`the connection broke: ${why}`, { cause: error })
}

export const createEgress = (options: EgressOptions): Egress => {
  const guard = createGuard(options)
  // the attempt's signal is the only clock of an exchange: undici's own limits would cut long answers short
  const common = { connect: guardedConnector(guard), headersTimeout: 0, bodyTimeout: 0 }
  const pooled = new Agent(common)
  const fresh = new Agent({ ...common, pipelining: 0 })

  const exchange = async (hop: EgressRequest): Promise<EgressResponse> => {
    refuseScheme(hop.url)
    const { method, headers, body, signal } = hop
    const dispatcher = hop.fresh ? fresh : pooled
    const response = await undiciRequest(hop.url, { dispatcher, method, headers, body, signal })
    return {
      status: response.statusCode,
      headers: headersOf(response.headers),
      body: await readBody(response, hop.maxBodyBytes, hop.cuts?.(response.statusCode) ?? false),
      url: hop.url,
    }
  }

  const request = async (first: EgressRequest): Promise<EgressResponse> => {
    let hop = first
    for (let sent = 0; sent <= MAX_REDIRECTS; sent += 1) {
      try {
        const response = await exchange(hop)
        const { location } = response.headers
        if (!isRedirect(response.status) || location === undefined) return response
        if (becomesGet(hop.method, response.status)) hop.onTaken?.()
        hop = follow(hop, response.status, location)
      } catch (error) {
        throw first.signal.aborted ? first.signal.reason : wrap(error, sent)
      }
    }
    throw new TooManyRedirects(`more than ${MAX_REDIRECTS} redirects`)
  }

  return {
    request,
    close: async () => {
      await Promise.all([pooled.destroy(), fresh.destroy()])
    },
  }
}
