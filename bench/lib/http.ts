// A small HTTP client with keep-alive, so that the measuring costs as little of the machine as it can.
import { Agent, request as send } from 'node:http'

export interface Answer<T> {
  status: number
  body: T
}

export interface Api {
  readonly url: string
  get<T>(path: string): Promise<Answer<T>>
  post<T>(path: string, body: unknown): Promise<Answer<T>>
  close(): void
}

/** `timeoutMs`: of a call without any byte; a call that breaks or takes longer rejects. */
export const createApi = (url: string, timeoutMs = 90_000): Api => {
  const agent = new Agent({ keepAlive: true, maxSockets: 128, noDelay: true })
  const call = <T>(method: string, path: string, body?: unknown): Promise<Answer<T>> =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body)
      const headers =
        text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }
      const request = send(`${url}${path}`, { method, agent, headers, timeout: timeoutMs }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const whole = Buffer.concat(chunks).toString('utf8')
          try {
            resolve({ status: response.statusCode ?? 0, body: (whole === '' ? null : JSON.parse(whole)) as T })
          } catch (error) {
            reject(error)
          }
        })
      })
      request.on('error', reject)
      request.on('timeout', () => request.destroy(new Error(`${method} ${path} got no answer in ${timeoutMs} ms`)))
      request.end(text)
    })
  return {
    url,
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    close: () => agent.destroy(),
  }
}

/** The body, or an error that shows what was answered instead. */
export const expectOk = <T>(answer: Answer<T>): T => {
  if (answer.status >= 200 && answer.status < 300) return answer.body
  throw new Error(`HTTP ${answer.status}: ${JSON.stringify(answer.body).slice(0, 500)}`)
}

/** Registers a workflow definition. */
export const register = async (api: Api, definition: object): Promise<void> => {
  expectOk(await api.post('/v1/workflows', definition))
}

interface RunPage {
  items: { id: string; status: string }[]
  cursor: string | null
}

/** Runs that the list shows with these filters, all pages. */
export const countRuns = async (api: Api, query: string, most = 100_000): Promise<number> => {
  let count = 0
  let cursor: string | null = null
  do {
    const from: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page: RunPage = expectOk(await api.get<RunPage>(`/v1/runs?limit=200&${query}${from}`))
    count += page.items.length
    cursor = page.cursor
  } while (cursor !== null && count < most)
  return count
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Polls until true; throws what it waited for when the time is over. */
export const until = async (
  what: string,
  limitMs: number,
  check: () => Promise<boolean> | boolean,
  everyMs = 10,
): Promise<void> => {
  const end = performance.now() + limitMs
  for (;;) {
    if (await check()) return
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms for ${what}`)
    await pause(everyMs)
  }
}
