// The fetch that the SDKs of providers are given: it limits the wait for the headers and the silence after them, and throws error
// answers whole, before an SDK reads (and in part forgets) them.
import { strictUtf8 } from './strict-utf8.ts'
import { watchedFetch } from './watched-fetch.ts'

/** No headers came in time. */
export class HeadersLate extends Error {
  constructor(headersMs: number) {
    super(`the model provider sent no headers within ${headersMs} ms`)
    this.name = 'HeadersLate'
  }
}

/** The provider answered with an error. */
export class HttpRefusal extends Error {
  readonly status: number
  readonly headers: Headers
  /** As text, at most 64 KiB, and as much of it as came. */
  readonly body: string

  constructor(status: number, headers: Headers, body: string) {
    super(`the model provider answered ${status}`)
    this.name = 'HttpRefusal'
    this.status = status
    this.headers = headers
    this.body = body
  }
}

const MAX_BODY = 65_536

/** The body as far as it comes: one that breaks off or falls silent still says what it said. */
const bodyOf = async (response: Response): Promise<string> => {
  if (!response.body) return ''
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  try {
    while (text.length < MAX_BODY) {
      const { done, value } = await reader.read()
      if (done) break
      text += decoder.decode(value, { stream: true })
    }
  } catch {
    return text
  } finally {
    await reader.cancel().catch(() => undefined)
  }
  return text
}

/** Throws HeadersLate and HttpRefusal; bodies fail with StreamStalled, or a TypeError where they are no UTF-8. */
export const providerFetch = ({ headersMs, chunkMs }: { headersMs: number; chunkMs: number }): typeof fetch => {
  const watched = strictUtf8(watchedFetch(chunkMs))
  return async (input, init) => {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(new HeadersLate(headersMs)), headersMs)
    const signal = init?.signal ? AbortSignal.any([init.signal, late.signal]) : late.signal
    let response: Response
    try {
      response = await watched(input, { ...init, signal })
    } finally {
      clearTimeout(timer)
    }
    if (!response.ok) throw new HttpRefusal(response.status, response.headers, await bodyOf(response))
    return response
  }
}
