// /healthz: the process answers. /readyz: it does its work (503 with the reason when not).
import { createServer, type Server, type ServerResponse } from 'node:http'

export interface Readiness {
  ready: boolean
  why?: string
}

export interface HealthOptions {
  host: string
  /** 0: any free port */
  port: number
  /** A rejection counts as not ready, with its message. */
  ready: () => Promise<Readiness>
}

export interface Health {
  port: number
  close(): Promise<void>
}

/** A readiness check that hangs must not look like one that is slow for ever. */
const READY_LIMIT_MS = 2_000

const answer = (response: ServerResponse, status: number, body: object): void => {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

const checked = async (ready: HealthOptions['ready']): Promise<Readiness> => {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<Readiness>((resolve) => {
    timer = setTimeout(resolve, READY_LIMIT_MS, { ready: false, why: `no answer within ${READY_LIMIT_MS} ms` })
  })
  try {
    return await Promise.race([ready(), limit])
  } catch (error) {
    return { ready: false, why: error instanceof Error ? error.message : String(error) }
  } finally {
    clearTimeout(timer)
  }
}

const listen = (server: Server, port: number, host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : port)
    })
  })

/** Rejects when the port is taken. */
export const startHealth = async (options: HealthOptions): Promise<Health> => {
  const server = createServer(async (request, response) => {
    const path = request.url?.split('?')[0]
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, { error: 'only GET' })
    if (path === '/healthz') return answer(response, 200, { status: 'ok' })
    if (path !== '/readyz') return answer(response, 404, { error: 'only /healthz and /readyz' })
    const state = await checked(options.ready)
    return answer(response, state.ready ? 200 : 503, { status: state.ready ? 'ready' : 'not_ready', ...state })
  })
  const port = await listen(server, options.port, options.host)
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
