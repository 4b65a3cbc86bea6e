// Makes a call in each protocol with nothing but fetch, and tells in a few words what came back.
import type { ProtocolName } from './answering/script.ts'
import { isObject, type Json, type JsonObject } from './json.ts'
import { PERSON_SCHEMA } from './server.fixture.ts'

export const KEY = 'default/r1/step'
const TOOL = { name: 'lookup', schema: PERSON_SCHEMA }

export interface Sent {
  prompt: string
  with?: 'tools' | 'schema' | undefined
  stream?: boolean
  model?: string
  key?: string
}

interface Outgoing {
  path: string
  headers: Record<string, string>
  body: object
}

const anthropicCall = ({ prompt, with: extra, stream = true, model = 'claude-sonnet-5-5' }: Sent): Outgoing => ({
  path: '/v1/messages',
  headers: { 'x-api-key': 'any', 'anthropic-version': '2026-10-21' },
  body: {
    model,
    max_tokens: 1024,
    stream,
    messages: [{ role: 'user', content: prompt }],
    ...(extra === 'tools' ? { tools: [{ name: TOOL.name, input_schema: TOOL.schema }] } : {}),
    ...(extra === 'schema' ? { output_config: { format: { type: 'json_schema', schema: PERSON_SCHEMA } } } : {}),
  },
})

const openaiCall = ({ prompt, with: extra, stream = true, model = 'gpt-4.1' }: Sent): Outgoing => ({
  path: '/v1/chat/completions',
  headers: { authorization: 'Bearer any' },
  body: {
    model,
    stream,
    messages: [{ role: 'user', content: prompt }],
    ...(extra === 'tools'
      ? { tools: [{ type: 'function', function: { name: TOOL.name, parameters: TOOL.schema } }] }
      : {}),
    ...(extra === 'schema'
      ? { response_format: { type: 'json_schema', json_schema: { name: 'person', schema: PERSON_SCHEMA } } }
      : {}),
  },
})

const geminiCall = ({ prompt, with: extra, stream = true, model = 'gemini-3-flash' }: Sent): Outgoing => ({
  path: `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
  headers: { 'x-goog-api-key': 'any' },
  body: {
    contents: [{ role: 'user', parts: [{ text: prompt }] }],
    ...(extra === 'tools'
      ? { tools: [{ functionDeclarations: [{ name: TOOL.name, parametersJsonSchema: TOOL.schema }] }] }
      : {}),
    ...(extra === 'schema'
      ? { generationConfig: { responseMimeType: 'application/json', responseJsonSchema: PERSON_SCHEMA } }
      : {}),
  },
})

const CALLS = { anthropic: anthropicCall, openai: openaiCall, gemini: geminiCall }

export const send = (url: string, protocol: ProtocolName, sent: Sent, signal?: AbortSignal): Promise<Response> => {
  const { path, headers, body } = CALLS[protocol](sent)
  return fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-stepfleet-effect-key': sent.key ?? KEY, ...headers },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  })
}

const member = (value: Json | undefined, ...path: (string | number)[]): Json | undefined => {
  let at = value
  for (const name of path) at = Array.isArray(at) ? at[Number(name)] : isObject(at) ? at[String(name)] : undefined
  return at
}
const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
const list = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : [])

/** What the events of an answer say, in the words of no protocol. */
interface Read {
  text: string
  /** Arguments of each tool call, as they came. */
  calls: string[]
  reason: string
  error: string
  ended: boolean
}

const joined = (pieces: [number, string][]): string[] => {
  const calls = new Map<number, string>()
  for (const [index, piece] of pieces) calls.set(index, (calls.get(index) ?? '') + piece)
  return [...calls.values()]
}

const READERS: Record<ProtocolName, (events: Json[], raw: string) => Read> = {
  anthropic: (events) => ({
    text: events.map((event) => text(member(event, 'delta', 'text'))).join(''),
    calls: joined(
      events
        .filter((event) => member(event, 'delta', 'type') === 'input_json_delta')
        .map((event) => [Number(member(event, 'index')), text(member(event, 'delta', 'partial_json'))]),
    ),
    reason: events.map((event) => text(member(event, 'delta', 'stop_reason'))).join(''),
    error: events.map((event) => text(member(event, 'error', 'type'))).join(''),
    ended: events.some((event) => member(event, 'type') === 'message_stop'),
  }),
  openai: (events, raw) => {
    const deltas = events.map((event) => member(event, 'choices', 0, 'delta'))
    const refused = deltas.map((delta) => text(member(delta, 'refusal'))).join('')
    const reason = events.map((event) => text(member(event, 'choices', 0, 'finish_reason'))).join('')
    return {
      text: deltas.map((delta) => text(member(delta, 'content'))).join('') + refused,
      calls: joined(
        deltas
          .flatMap((delta) => list(member(delta, 'tool_calls')))
          .map((part) => [Number(member(part, 'index')), text(member(part, 'function', 'arguments'))]),
      ),
      reason: refused === '' ? reason : `${reason} with refusal`,
      error: events
        .map((event) => text(member(event, 'error', 'code')) || text(member(event, 'error', 'type')))
        .join(''),
      ended: raw.includes('data: [DONE]'),
    }
  },
  gemini: (events) => {
    const parts = events.flatMap((event) => list(member(event, 'candidates', 0, 'content', 'parts')))
    const blocked = events.some((event) => member(event, 'promptFeedback') !== undefined) ? 'promptFeedback' : ''
    const reason = events.map((event) => text(member(event, 'candidates', 0, 'finishReason'))).join('') || blocked
    return {
      text: parts.map((part) => text(member(part, 'text'))).join(''),
      calls: parts.flatMap((part) => {
        const args = member(part, 'functionCall', 'args')
        return args === undefined ? [] : [JSON.stringify(args)]
      }),
      reason,
      error: events.map((event) => text(member(event, 'error', 'status'))).join(''),
      ended: reason !== '',
    }
  },
}

const eventsOf = (raw: string): Json[] =>
  [...raw.matchAll(/^data: (\{.*\})\r?$/gm)].map(([, data = '']): Json => JSON.parse(data))

const judged = (body: string): string => {
  let value: JsonObject
  try {
    value = JSON.parse(body)
  } catch {
    return 'no JSON'
  }
  if (body.includes('\uFFFD')) return 'torn UTF-8'
  if (body.length > 100_000) return `${body.length} bytes`
  if (!isObject(value) || typeof value.name !== 'string') return 'not of the schema'
  return value.mood === 'glad' || value.mood === 'sad' ? 'good' : 'outside the enum'
}

const errorWords = (protocol: ProtocolName, status: number, body: Json, retryAfter: string | null): string => {
  const error = isObject(body) ? body.error : undefined
  const word = text(member(error, protocol === 'gemini' ? 'status' : protocol === 'openai' ? 'code' : 'type'))
  const details = list(member(error, 'details'))
  const retry = details.map((detail) => text(member(detail, 'retryDelay'))).join('')
  const reason = details.map((detail) => text(member(detail, 'reason'))).join('')
  return [
    [String(status), word || text(member(error, 'type')), reason].filter((part) => part !== '').join(' '),
    ...(retryAfter === null ? [] : [`retry-after ${retryAfter}`]),
    ...(retry === '' ? [] : [`RetryInfo ${retry}`]),
  ].join(', ')
}

const answerWords = (read: Read, shaped: boolean): string => {
  const calls = read.calls.length === 0 ? '' : `${read.calls.length} × ${judged(read.calls[0] ?? '')}`
  const said = read.text.includes('\uFFFD') ? 'torn UTF-8' : shaped && read.text !== '' ? judged(read.text) : ''
  const nothing = read.text === '' && calls === '' && read.error === '' ? 'nothing' : ''
  return [read.reason, calls, said, nothing].filter((part) => part !== '').join(', ')
}

/** An answer that comes to its end, in words: `200 end_turn`, `429 rate_limit_error, retry-after 171`. */
export const seenBy = async (url: string, protocol: ProtocolName, sent: Sent): Promise<string> => {
  let response: Response
  try {
    response = await send(url, protocol, sent)
  } catch {
    return 'torn down before the headers'
  }
  if (!response.ok)
    return errorWords(protocol, response.status, JSON.parse(await response.text()), response.headers.get('retry-after'))
  const { raw, torn } = await rawOf(response)
  if (!torn && sent.stream === false) return wholeWords(raw)
  const read = READERS[protocol](torn ? [] : eventsOf(raw), raw)
  if (torn) return '200, torn down in the middle'
  const words = answerWords(read, sent.with === 'schema')
  if (read.error !== '') return `200, then the error ${read.error}`
  return read.ended ? `200 ${words}` : `200${read.reason === '' ? '' : ` ${read.reason}`}, no end`
}

const wholeWords = (raw: string): string => {
  try {
    JSON.parse(raw)
    return '200, whole'
  } catch {
    return '200, half'
  }
}

const rawOf = async (response: Response): Promise<{ raw: string; torn: boolean }> => {
  try {
    return { raw: await response.text(), torn: false }
  } catch {
    return { raw: '', torn: true }
  }
}

/**
 * An answer that never ends, in words, and how to go away from it. `meanwhile` lets the server do other work: what has
 * not come when that is done is not about to come.
 */
export const seenSoFar = async (
  url: string,
  protocol: ProtocolName,
  sent: Sent,
  meanwhile: () => Promise<void>,
): Promise<{ seen: string; leave: () => Promise<void> }> => {
  const abort = new AbortController()
  let status = 0
  let bytes = 0
  let over = false
  const reading = (async () => {
    const response = await send(url, protocol, sent, abort.signal)
    status = response.status
    for await (const piece of response.body ?? []) bytes += piece.length
    over = true
  })().catch(() => {})
  await meanwhile()
  const leave = async (): Promise<void> => {
    abort.abort()
    await reading
  }
  const came = bytes === 0 ? 'nothing' : bytes === 1 ? 'a byte' : 'a part'
  return { seen: over ? 'it ended' : status === 0 ? 'silence' : `${status}, ${came}, then silence`, leave }
}
