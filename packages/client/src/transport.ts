// One HTTP request to the API: addresses, headers, bodies, and how an answer becomes a value or an error.
import type { Json, Problem } from '@stepfleet/contracts'
import { localProblem, StepfleetError } from './error.ts'

export interface ClientOptions {
  /** Address of the API, for example `http://127.0.0.1:7400`. */
  url: string
  /** Default: `default`. */
  namespace?: string
  /** Default: the global fetch. */
  fetch?: typeof fetch
}

export interface Call {
  method: 'GET' | 'POST'
  /** Below `/v1`; each segment encoded already (see `segment`). */
  path: string
  query?: Record<string, string | number | readonly string[] | undefined>
  /** Sent as JSON. */
  body?: Json
  /** Sent as it is, instead of `body`. */
  text?: { text: string; type: string }
  headers?: Record<string, string>
  signal?: AbortSignal
}

export interface Answer {
  status: number
  body: unknown
}

/** A step path is one segment of a URL: `work/turn-1/llm` → `work%2Fturn-1%2Fllm`. */
export const segment = (text: string): string => encodeURIComponent(text)

export const address = (base: string, path: string, query: Call['query'] = {}): string => {
  const url = new URL(`${base.replace(/\/+$/, '')}/v1${path}`)
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue
    for (const one of typeof value === 'object' ? value : [value]) url.searchParams.append(name, String(one))
  }
  return url.href
}

const isProblem = (body: unknown): body is Problem =>
  typeof body === 'object' && body !== null && 'code' in body && 'title' in body && 'status' in body

const causeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message
  return cause instanceof Error && cause.message ? cause.message : error.message
}

const send = async (options: ClientOptions, call: Call): Promise<Response> => {
  const headers: Record<string, string> = { accept: 'application/json', ...call.headers }
  if (options.namespace) headers['x-stepfleet-namespace'] = options.namespace
  let body: string | undefined
  if (call.text) {
    headers['content-type'] = call.text.type
    body = call.text.text
  } else if (call.body !== undefined) {
    headers['content-type'] = 'application/json'
    body = JSON.stringify(call.body)
  }
  const target = address(options.url, call.path, call.query)
  const init: RequestInit = { method: call.method, headers }
  if (body !== undefined) init.body = body
  if (call.signal) init.signal = call.signal
  try {
    return await (options.fetch ?? fetch)(target, init)
  } catch (error) {
    if (call.signal?.aborted) throw error
    throw new StepfleetError(localProblem('unreachable', 0, `no answer from ${options.url} (${causeOf(error)})`), {
      cause: error,
    })
  }
}

const failed = (options: ClientOptions, status: number, body: unknown, text: string): StepfleetError =>
  isProblem(body)
    ? new StepfleetError(body)
    : new StepfleetError(
        localProblem('unexpected_answer', status, `${options.url} answered ${status}: ${text.slice(0, 200)}`),
      )

/** Throws StepfleetError for every status from 400 on and for a body that is no JSON. */
export const request = async (options: ClientOptions, call: Call): Promise<Answer> => {
  const response = await send(options, call)
  const text = await response.text().catch((error: unknown) => {
    if (call.signal?.aborted) throw error
    const title = `the answer of ${options.url} broke off (${causeOf(error)})`
    throw new StepfleetError(localProblem('unreachable', 0, title), { cause: error })
  })
  let body: unknown = null
  let parsed = text === ''
  try {
    if (!parsed) body = JSON.parse(text)
    parsed = true
  } catch {
    // told below, with the text as it came
  }
  if (!response.ok || !parsed) throw failed(options, response.status, body, text)
  return { status: response.status, body }
}
