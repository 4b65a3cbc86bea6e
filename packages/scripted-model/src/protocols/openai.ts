// OpenAI's Chat Completions: `POST /v1/chat/completions`, streamed as chunks or whole.
import type { ScriptedError, ScriptedUsage, ScriptRequest } from '../answering/script.ts'
import type { JsonObject } from '../json.ts'
import { readChat, wantsUsage } from './openai-request.ts'
import type { LimitState, Protocol } from './protocol.ts'
import { piecesOf, type Reply } from './reply.ts'

const STOPS: Protocol['stops'] = {
  end_turn: 'stop',
  max_tokens: 'length',
  stop_sequence: 'stop',
  tool_use: 'tool_calls',
  pause_turn: null,
  // a refusal is an ordinary end: what was refused stands in `refusal` instead of `content`
  refusal: 'stop',
  content_filter: 'content_filter',
  model_context_window_exceeded: null,
  malformed_tool_call: null,
  prompt_blocked: null,
}

const ERROR_TYPES: Record<number, { type: string; code: string | null }> = {
  401: { type: 'invalid_request_error', code: 'invalid_api_key' },
  403: { type: 'invalid_request_error', code: 'unsupported_country_region_territory' },
  404: { type: 'invalid_request_error', code: null },
  429: { type: 'requests', code: 'rate_limit_exceeded' },
}

const errorBody = (error: ScriptedError): JsonObject => {
  const known = ERROR_TYPES[error.status]
  const type = known?.type ?? (error.status >= 500 ? 'server_error' : 'invalid_request_error')
  return {
    error: {
      message: error.message,
      type: error.errorType ?? type,
      param: null,
      code: error.code ?? known?.code ?? null,
    },
  }
}

/** What was read from a cache is part of `prompt_tokens` here. */
const usageBody = ({ inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens }: ScriptedUsage): JsonObject => {
  const prompt = inputTokens + cacheReadTokens + cacheWriteTokens
  return {
    prompt_tokens: prompt,
    completion_tokens: outputTokens,
    total_tokens: prompt + outputTokens,
    prompt_tokens_details: { cached_tokens: cacheReadTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  }
}

/** Always the same second: an answer follows from its request, so that a repeat can be told from another answer. */
const CREATED = 1_795_000_000

const head = (request: ScriptRequest, object: string): JsonObject => ({
  id: `chatcmpl-${request.hash.slice(0, 24)}`,
  object,
  created: CREATED,
  model: request.model,
  service_tier: 'default',
  system_fingerprint: null,
})

const whole = (request: ScriptRequest, reply: Reply): JsonObject => {
  const refused = reply.stop === 'refusal'
  const calls = reply.toolUses.map(({ id, name, body }) => ({
    id: `call_${id}`,
    type: 'function',
    function: { name, arguments: body },
  }))
  return {
    ...head(request, 'chat.completion'),
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: refused || (reply.text === '' && calls.length > 0) ? null : reply.text,
          refusal: refused ? reply.text : null,
          annotations: [],
          ...(calls.length === 0 ? {} : { tool_calls: calls }),
        },
        logprobs: null,
        finish_reason: STOPS[reply.stop],
      },
    ],
    usage: usageBody(reply.usage),
  }
}

const data = (value: JsonObject): string => `data: ${JSON.stringify(value)}\n\n`

function* deltas(reply: Reply): Generator<JsonObject> {
  const field = reply.stop === 'refusal' ? 'refusal' : 'content'
  yield { role: 'assistant', content: reply.text === '' && reply.toolUses.length > 0 ? null : '', refusal: null }
  for (const piece of piecesOf(reply.text)) yield { [field]: piece }
  for (const [index, { id, name, body }] of reply.toolUses.entries()) {
    yield { tool_calls: [{ index, id: `call_${id}`, type: 'function', function: { name, arguments: '' } }] }
    for (const piece of piecesOf(body)) yield { tool_calls: [{ index, function: { arguments: piece } }] }
  }
}

const stream = (request: ScriptRequest, reply: Reply): { events: string[]; last: string } => {
  const usage = wantsUsage(request.body)
  const chunk = (delta: JsonObject, reason: string | null): string =>
    data({
      ...head(request, 'chat.completion.chunk'),
      choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }],
      ...(usage ? { usage: null } : {}),
    })
  const events = [...deltas(reply)].map((delta) => chunk(delta, null))
  events.push(chunk({}, STOPS[reply.stop]))
  if (usage)
    events.push(data({ ...head(request, 'chat.completion.chunk'), choices: [], usage: usageBody(reply.usage) }))
  return { events, last: 'data: [DONE]\n\n' }
}

const limitHeaders = ({ requests, tokens }: LimitState): Record<string, string> => {
  const headers: Record<string, string> = {}
  for (const [name, state] of Object.entries({ requests, tokens }))
    if (state) {
      headers[`x-ratelimit-limit-${name}`] = String(state.limit)
      headers[`x-ratelimit-remaining-${name}`] = String(state.remaining)
      headers[`x-ratelimit-reset-${name}`] = state.resetMs < 1000 ? `${state.resetMs}ms` : `${state.resetMs / 1000}s`
    }
  return headers
}

export const openai: Protocol = {
  name: 'openai',
  stops: STOPS,
  errors: {
    context_too_long: {
      status: 400,
      message:
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 210000 tokens. Please reduce the length of the messages.",
      code: 'context_length_exceeded',
    },
    model_not_found: {
      status: 404,
      message: 'The model does not exist or you do not have access to it.',
      code: 'model_not_found',
    },
    authentication_failed: { status: 401, message: 'Incorrect API key provided.' },
    permission_denied: { status: 403, message: 'You are not allowed to use this model.', code: 'permission_denied' },
    rate_limited: { status: 429, message: 'Rate limit reached for requests.' },
    quota_exhausted: {
      status: 429,
      message: 'You exceeded your current quota, please check your plan and billing details.',
      errorType: 'insufficient_quota',
      code: 'insufficient_quota',
    },
    overloaded: {
      status: 503,
      message: 'The engine is currently overloaded, please try again later.',
      code: 'engine_overloaded',
    },
    server_error: { status: 500, message: 'The server had an error while processing your request.' },
  },
  takes: (path) => path === '/v1/chat/completions',
  read: readChat,
  whole,
  stream,
  errorBody,
  errorEvent: (error) => data(errorBody(error)),
  errorHeaders: ({ retryAfterSeconds }): Record<string, string> =>
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
  headers: (requestId) => ({ 'x-request-id': requestId, 'openai-version': '2020-10-01' }),
  limitHeaders,
}
