// The built-in tool `http`: one HTTP request, its answer as the step's output.
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import { type Effect, type Json, jsonSchema, LIMITS, nearest } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import { z } from 'zod'
import { excerpt, refusalFailure, safeFailure, TakenBefore } from '../failure.ts'
import { BodyTooLarge, type Egress, type EgressResponse, isRedirect } from './egress.ts'

const FIELDS = ['url', 'method', 'query', 'headers', 'body', 'expect']
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const
/** What the worker or the connection says, never the caller. */
const RESERVED_HEADERS = new Set([
  'host',
  'content-length',
  'connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'expect',
])
/** The answer's headers that a workflow can use; cookies and the like stay out of the journal. */
const KEPT_HEADERS = ['content-type', 'etag', 'last-modified', 'link', 'location', 'retry-after', 'x-request-id']

const scalar = z.union([z.string(), z.number(), z.boolean()])
const status = z
  .int()
  .min(200)
  .max(599)
  .refine((code) => !isRedirect(code), 'redirects are followed, so none can be expected')

const httpInputSchema = z.strictObject({
  url: z
    .string()
    .refine((text) => URL.canParse(text), 'not a URL')
    .refine((text) => !URL.canParse(text) || new URL(text).username === '', 'credentials belong into `headers`'),
  method: z.enum(METHODS).default('GET'),
  /** Added to the URL's own query; a list repeats its name, null leaves it out. */
  query: z.record(z.string(), z.union([scalar, z.null(), z.array(scalar)])).default({}),
  headers: z
    .record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'not a header name'), scalar)
    .refine(
      (headers) => Object.values(headers).every((value) => /^[\t\x20-\x7e\x80-\xff]*$/.test(String(value))),
      'a header value is one line of Latin-1 text',
    )
    .default({}),
  /** A string is sent as it is, anything else as JSON. */
  body: jsonSchema.optional(),
  /** The statuses that count as success, instead of 2xx. */
  expect: z.union([status, z.array(status).min(1)]).optional(),
})
type HttpInput = z.infer<typeof httpInputSchema>

const invalid = (message: string): TaskFailure => new TaskFailure(safeFailure('tool_input_invalid', `http: ${message}`))

const unknownField = (key: string): string => {
  const near = nearest(key, FIELDS)
  return `unknown field ${key}${near ? `; did you mean ${near}?` : `; it takes ${FIELDS.join(', ')}`}`
}

const parseInput = (input: Json): HttpInput => {
  const parsed = httpInputSchema.safeParse(input)
  if (parsed.success) {
    const reserved = Object.keys(parsed.data.headers).find((name) => RESERVED_HEADERS.has(name.toLowerCase()))
    if (reserved !== undefined) throw invalid(`headers.${reserved}: this header is set by the worker`)
    if (parsed.data.body !== undefined && ['GET', 'HEAD'].includes(parsed.data.method)) {
      throw invalid(`body: ${parsed.data.method} takes no body; did you mean method: POST?`)
    }
    return parsed.data
  }
  const problems = parsed.error.issues.slice(0, 5).flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map(unknownField)
    return [`${issue.path.join('.') || 'with'}: ${issue.message}`]
  })
  throw invalid(problems.join('; '))
}

const urlOf = (input: HttpInput): URL => {
  const url = new URL(input.url)
  for (const [name, value] of Object.entries(input.query)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== null) url.searchParams.append(name, String(item))
    }
  }
  url.hash = ''
  return url
}

interface Outgoing {
  headers: Record<string, string>
  body: string | null
}

const outgoing = (input: HttpInput, call: HttpCall): Outgoing => {
  const own = Object.entries(input.headers).map(([name, value]) => [name.toLowerCase(), String(value)] as const)
  const isText = typeof input.body === 'string'
  const body = input.body === undefined ? null : isText ? String(input.body) : JSON.stringify(input.body)
  const type = isText ? 'text/plain; charset=utf-8' : 'application/json'
  const acts = call.effect !== 'read' && input.method !== 'GET'
  const headers = {
    accept: 'application/json, text/*;q=0.9, */*;q=0.5',
    'user-agent': 'stepfleet',
    ...(body === null ? {} : { 'content-type': type }),
    // https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
    ...(acts ? { 'idempotency-key': call.effectKey } : {}),
    ...Object.fromEntries(own),
  }
  return { headers, body }
}

const decoded = (response: EgressResponse): Buffer => {
  const limit = { maxOutputLength: LIMITS.payloadBytes }
  const encoding = (response.headers['content-encoding'] ?? '').trim().toLowerCase()
  if (response.body.length === 0) return response.body
  try {
    if (encoding === 'gzip' || encoding === 'x-gzip') return gunzipSync(response.body, limit)
    if (encoding === 'deflate') return inflateSync(response.body, limit)
    if (encoding === 'br') return brotliDecompressSync(response.body, limit)
    return response.body
  } catch (error) {
    if (error instanceof RangeError)
      throw new BodyTooLarge(`the unpacked answer is over ${limit.maxOutputLength} bytes`)
    throw new TaskFailure(safeFailure('tool_output_invalid', `http: the answer is not the ${encoding} it says it is`))
  }
}

const textOf = (response: EgressResponse): string => {
  const charset = /charset="?([^\s;"]+)/i.exec(response.headers['content-type'] ?? '')?.[1] ?? 'utf-8'
  const bytes = decoded(response)
  try {
    return new TextDecoder(charset).decode(bytes)
  } catch {
    // an unknown charset; TextDecoder itself never fails on bytes
    return new TextDecoder().decode(bytes)
  }
}

const isJson = (response: EgressResponse): boolean =>
  /^application\/([\w.-]+\+)?json\b/i.test(response.headers['content-type'] ?? '')

/** Parsed when it says it is JSON, else text; null when there is none. */
const bodyOf = (response: EgressResponse, what: string): Json => {
  const text = textOf(response)
  if (text === '') return null
  if (!isJson(response)) return text
  try {
    return JSON.parse(text)
  } catch {
    throw new TaskFailure(
      safeFailure('tool_output_invalid', `${what} answered ${response.status} with JSON that cannot be parsed`, {
        http: response.status,
        details: { body: excerpt(text) },
      }),
    )
  }
}

const succeeded = (input: HttpInput, code: number): boolean => {
  if (input.expect === undefined) return code >= 200 && code < 300
  return Array.isArray(input.expect) ? input.expect.includes(code) : input.expect === code
}

export interface HttpCall {
  /** The step's `with`, secrets resolved. */
  input: Json
  effect: Effect
  effectKey: string
  signal: AbortSignal
}

/** The body of a refusal, as far as it can be read: what is wrong with it must not hide the refusal. */
const refusalText = (response: EgressResponse): string => {
  try {
    return textOf(response)
  } catch {
    return response.body.toString()
  }
}

/**
 * Says of what fails once a server took the request, and sent us elsewhere for its result, that it may have happened: what is
 * asked for its result must not make it happen again.
 */
const onceTaken = async <T>({ effect }: HttpCall, send: (onTaken: () => void) => Promise<T>): Promise<T> => {
  let taken = false
  try {
    return await send(() => {
      taken = true
    })
  } catch (error) {
    throw taken && effect === 'once' ? new TakenBefore(error) : error
  }
}

interface Answered {
  response: EgressResponse
  what: string
}

const exchange = async (egress: Egress, call: HttpCall, onTaken: () => void): Promise<Answered> => {
  const input = parseInput(call.input)
  const { method } = input
  const url = urlOf(input)
  const response = await egress.request({
    url,
    method,
    ...outgoing(input, call),
    signal: call.signal,
    fresh: call.effect === 'once',
    maxBodyBytes: LIMITS.payloadBytes,
    cuts: (status) => !succeeded(input, status),
    onTaken,
  })
  const what = `${method} ${response.url.origin}${response.url.pathname}`
  if (!succeeded(input, response.status)) {
    const retryAfter = response.headers['retry-after']
    const refusal = { what, status: response.status, retryAfter, body: refusalText(response) }
    throw new TaskFailure(refusalFailure(refusal, Date.now()))
  }
  return { response, what }
}

/**
 * Sends the request; its answer is one of success.
 * @throws TaskFailure, TakenBefore, or an error of the egress
 */
export const sendHttp = (egress: Egress, call: HttpCall): Promise<Answered> =>
  onceTaken(call, (onTaken) => exchange(egress, call, onTaken))

/** Sends the request and answers `{ status, headers, body }`. Throws as `sendHttp`. */
export const callHttp = (egress: Egress, call: HttpCall): Promise<Json> =>
  onceTaken(call, async (onTaken) => {
    const { response, what } = await exchange(egress, call, onTaken)
    const kept = KEPT_HEADERS.flatMap((name) => {
      const value = response.headers[name]
      return value === undefined ? [] : [[name, value] as const]
    })
    return { status: response.status, headers: Object.fromEntries(kept), body: bodyOf(response, what) }
  })

/** The part of a URL that is there before any secret; with a whole host in it, or null. */
const visibleUrl = (url: Json | undefined): string | null => {
  if (typeof url === 'string') return url
  const parts = typeof url === 'object' && url !== null && !Array.isArray(url) ? url.$concat : undefined
  const first = Array.isArray(parts) ? parts[0] : undefined
  return typeof first === 'string' && /^https?:\/\/[^/?#]+[/?#]/.test(first) ? first : null
}

/** `http:<host>` of a `with` whose secrets are still markers; null when the host itself is hidden in one. */
export const httpDependency = (input: Json): string | null => {
  const given = typeof input === 'object' && input !== null && !Array.isArray(input) ? input.url : undefined
  const url = visibleUrl(given)
  return url !== null && URL.canParse(url) ? `http:${new URL(url).host}` : null
}
