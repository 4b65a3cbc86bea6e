// Anthropic's Messages API: `POST /v1/messages`, streamed as typed events or whole.
import type { ScriptedError, ScriptedUsage, ScriptRequest, StopReason } from '../answering/script.ts'
import type { Json, JsonObject } from '../json.ts'
import { readMessages } from './anthropic-request.ts'
import type { LimitState, Protocol } from './protocol.ts'
import { piecesOf, type Reply } from './reply.ts'

/** The error type that belongs to an HTTP status. */
const errorTypeOf = (status: number): string => {
  const known: Record<number, string> = {
    400: 'invalid_request_error',
    401: 'authentication_error',
    402: 'billing_error',
    403: 'permission_error',
    404: 'not_found_error',
    408: 'timeout_error',
    409: 'conflict_error',
    413: 'request_too_large',
    429: 'rate_limit_error',
    504: 'timeout_error',
    529: 'overloaded_error',
  }
  return known[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error')
}

const usageBody = (usage: ScriptedUsage, outputTokens: number): JsonObject => ({
  input_tokens: usage.inputTokens,
  output_tokens: outputTokens,
  cache_read_input_tokens: usage.cacheReadTokens,
  cache_creation_input_tokens: usage.cacheWriteTokens,
  cache_creation: null,
  inference_geo: null,
  output_tokens_details: null,
  server_tool_use: null,
  service_tier: 'standard',
  speed: null,
})

const stopDetails = (stop: StopReason): Json =>
  stop === 'refusal' ? { type: 'refusal', category: null, explanation: null } : null

const messageBody = (request: ScriptRequest, content: Json[], usage: JsonObject): JsonObject => ({
  id: `msg_${request.hash.slice(0, 24)}`,
  type: 'message',
  role: 'assistant',
  model: request.model,
  content,
  container: null,
  diagnostics: null,
  stop_reason: null,
  stop_sequence: null,
  stop_details: null,
  usage,
})

/** A content block, and its streamed part: text, or the JSON of tool arguments. */
interface Part {
  block: JsonObject
  field: 'text' | 'input'
  body: string
}

const partsOf = ({ text, toolUses }: Reply): Part[] => [
  ...(text === '' ? [] : [{ block: { type: 'text', text: '', citations: null }, field: 'text' as const, body: text }]),
  ...toolUses.map(
    ({ id, name, body }): Part => ({
      block: { type: 'tool_use', id: `toolu_${id}`, name, input: {}, caller: { type: 'direct' } },
      field: 'input',
      body,
    }),
  ),
]

/** Broken arguments can only be streamed: the API parses what it puts into a whole message, so an empty object stands there. */
const parsedInput = (body: string): Json => {
  try {
    return JSON.parse(body)
  } catch {
    return {}
  }
}

const whole = (request: ScriptRequest, reply: Reply): JsonObject => ({
  ...messageBody(
    request,
    partsOf(reply).map(
      ({ block, field, body }): JsonObject => ({
        ...block,
        [field]: field === 'text' ? body : parsedInput(body),
      }),
    ),
    usageBody(reply.usage, reply.usage.outputTokens),
  ),
  stop_reason: reply.stop,
  stop_sequence: reply.stopSequence,
  stop_details: stopDetails(reply.stop),
})

const event = (type: string, data: JsonObject): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`

function* blockEvents({ block, field, body }: Part, index: number): Generator<string> {
  yield event('content_block_start', { index, content_block: block })
  for (const piece of piecesOf(body)) {
    const delta: JsonObject =
      field === 'text' ? { type: 'text_delta', text: piece } : { type: 'input_json_delta', partial_json: piece }
    yield event('content_block_delta', { index, delta })
  }
  yield event('content_block_stop', { index })
}

function* events(request: ScriptRequest, reply: Reply): Generator<string> {
  yield event('message_start', { message: messageBody(request, [], usageBody(reply.usage, 1)) })
  yield event('ping', {})
  for (const [index, part] of partsOf(reply).entries()) yield* blockEvents(part, index)
  yield event('message_delta', {
    delta: {
      stop_reason: reply.stop,
      stop_sequence: reply.stopSequence,
      stop_details: stopDetails(reply.stop),
      container: null,
    },
    usage: {
      input_tokens: reply.usage.inputTokens,
      output_tokens: reply.usage.outputTokens,
      cache_read_input_tokens: reply.usage.cacheReadTokens,
      cache_creation_input_tokens: reply.usage.cacheWriteTokens,
      output_tokens_details: null,
      server_tool_use: null,
    },
  })
}

const errorBody = (error: ScriptedError, requestId: string): JsonObject => ({
  type: 'error',
  error: { type: error.errorType ?? errorTypeOf(error.status), message: error.message },
  request_id: requestId,
})

const limitHeaders = ({ requests, tokens }: LimitState): Record<string, string> => {
  const headers: Record<string, string> = {}
  for (const [name, state] of Object.entries({ requests, tokens }))
    if (state) {
      headers[`anthropic-ratelimit-${name}-limit`] = String(state.limit)
      headers[`anthropic-ratelimit-${name}-remaining`] = String(state.remaining)
      headers[`anthropic-ratelimit-${name}-reset`] = new Date(Date.now() + state.resetMs).toISOString()
    }
  return headers
}

export const anthropic: Protocol = {
  name: 'anthropic',
  stops: {
    end_turn: 'end_turn',
    max_tokens: 'max_tokens',
    stop_sequence: 'stop_sequence',
    tool_use: 'tool_use',
    pause_turn: 'pause_turn',
    refusal: 'refusal',
    content_filter: null,
    model_context_window_exceeded: 'model_context_window_exceeded',
    malformed_tool_call: null,
    prompt_blocked: null,
  },
  errors: {
    context_too_long: { status: 400, message: 'prompt is too long: 210000 tokens > 200000 maximum' },
    model_not_found: { status: 404, message: 'model: no model of this name' },
    authentication_failed: { status: 401, message: 'invalid x-api-key' },
    permission_denied: { status: 403, message: 'Your API key does not have permission to use the specified resource.' },
    rate_limited: { status: 429, message: 'This request would exceed the rate limit of your organization.' },
    quota_exhausted: { status: 402, message: 'Your credit balance is too low to access the API.' },
    overloaded: { status: 529, message: 'Overloaded' },
    server_error: { status: 500, message: 'Internal server error' },
  },
  takes: (path) => path === '/v1/messages',
  read: readMessages,
  whole,
  stream: (request, reply) => ({ events: [...events(request, reply)], last: event('message_stop', {}) }),
  errorBody,
  errorEvent: (error, requestId) => `event: error\ndata: ${JSON.stringify(errorBody(error, requestId))}\n\n`,
  errorHeaders: ({ retryAfterSeconds }): Record<string, string> =>
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
  headers: (requestId) => ({ 'request-id': requestId }),
  limitHeaders,
}
