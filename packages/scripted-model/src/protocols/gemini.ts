// Gemini's API: `POST /v1beta/models/{model}:generateContent`, and `:streamGenerateContent?alt=sse` as chunks.
import type { ScriptedError, ScriptedUsage, ScriptRequest, StopReason } from '../answering/script.ts'
import { hashOf, type Json, type JsonObject } from '../json.ts'
import { isGeminiPath, readGenerate } from './gemini-request.ts'
import { estimate, type Protocol } from './protocol.ts'
import { argumentsOf, piecesOf, type Reply, type ReplyToolUse } from './reply.ts'

const STOPS: Protocol['stops'] = {
  end_turn: 'STOP',
  max_tokens: 'MAX_TOKENS',
  stop_sequence: 'STOP',
  tool_use: 'STOP',
  pause_turn: null,
  refusal: 'SAFETY',
  content_filter: 'PROHIBITED_CONTENT',
  model_context_window_exceeded: null,
  malformed_tool_call: 'MALFORMED_FUNCTION_CALL',
  // no reason of a candidate: there is none then, see `blocked`
  prompt_blocked: 'SAFETY',
}

const STATUS: Record<number, string> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

const RPC = 'type.googleapis.com/google.rpc'

const errorBody = (error: ScriptedError): JsonObject => {
  const details: Json[] = []
  if (error.code !== undefined)
    details.push({ '@type': `${RPC}.ErrorInfo`, reason: error.code, domain: 'googleapis.com' })
  if (error.retryAfterSeconds !== undefined)
    details.push({ '@type': `${RPC}.RetryInfo`, retryDelay: `${error.retryAfterSeconds}s` })
  const status = STATUS[error.status] ?? (error.status >= 500 ? 'INTERNAL' : 'FAILED_PRECONDITION')
  return {
    error: {
      code: error.status,
      message: error.message,
      status: error.errorType ?? status,
      ...(details.length > 0 ? { details } : {}),
    },
  }
}

/** What was read from a cache is part of `promptTokenCount` here. */
const usageBody = (usage: ScriptedUsage, outputTokens: number): JsonObject => {
  const prompt = usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens
  return {
    promptTokenCount: prompt,
    candidatesTokenCount: outputTokens,
    totalTokenCount: prompt + outputTokens,
    ...(usage.cacheReadTokens > 0 ? { cachedContentTokenCount: usage.cacheReadTokens } : {}),
  }
}

const partOf = ({ id, name }: ReplyToolUse, args: JsonObject, first: boolean): JsonObject => ({
  functionCall: { id, name, args },
  // the first call of an answer is signed; newer models refuse to go on without the signature
  ...(first ? { thoughtSignature: hashOf(id).slice(0, 32) } : {}),
})

interface Ending {
  calls: JsonObject[]
  stop: StopReason
}

/**
 * Arguments are an object here, so broken ones cannot be sent: calls with them are left out, and the answer ends with
 * MALFORMED_FUNCTION_CALL, or with MAX_TOKENS when that is what broke them.
 */
const endingOf = ({ toolUses, stop }: Reply): Ending => {
  const calls: JsonObject[] = []
  for (const use of toolUses) {
    const args = argumentsOf(use.body)
    if (!args) return stop === 'max_tokens' ? { calls, stop } : { calls: [], stop: 'malformed_tool_call' }
    calls.push(partOf(use, args, calls.length === 0))
  }
  return { calls, stop }
}

const finishOf = (stop: StopReason): JsonObject => ({
  finishReason: STOPS[stop],
  ...(stop === 'malformed_tool_call' ? { finishMessage: 'Malformed function call: the arguments are no JSON.' } : {}),
})

const chunkOf = (request: ScriptRequest, candidate: JsonObject, usage: JsonObject): JsonObject => ({
  candidates: [{ ...candidate, index: 0 }],
  usageMetadata: usage,
  modelVersion: request.model,
  responseId: request.hash.slice(0, 22),
})

/** The prompt itself was refused: there is no candidate that could have a reason for ending. */
const blocked = (request: ScriptRequest, { usage }: Reply): JsonObject => {
  const { candidates: _, ...chunk } = chunkOf(request, {}, usageBody(usage, 0))
  return { ...chunk, promptFeedback: { blockReason: STOPS.prompt_blocked } }
}

const contentOf = (parts: Json[]): JsonObject => ({ content: { parts, role: 'model' } })

const whole = (request: ScriptRequest, reply: Reply): JsonObject => {
  if (reply.stop === 'prompt_blocked') return blocked(request, reply)
  const { calls, stop } = endingOf(reply)
  const parts = [...(reply.text === '' ? [] : [{ text: reply.text }]), ...calls]
  const content = parts.length === 0 ? { content: { role: 'model' } } : contentOf(parts)
  return chunkOf(request, { ...content, ...finishOf(stop) }, usageBody(reply.usage, reply.usage.outputTokens))
}

const data = (value: JsonObject): string => `data: ${JSON.stringify(value)}\r\n\r\n`

const stream = (request: ScriptRequest, reply: Reply): { events: string[]; last: string } => {
  if (reply.stop === 'prompt_blocked') return { events: [], last: data(blocked(request, reply)) }
  const { calls, stop } = endingOf(reply)
  let sent = 0
  const parts: JsonObject[] = [...piecesOf(reply.text).map((text) => ({ text })), ...calls]
  const events = parts.map((part) => {
    sent += JSON.stringify(part).length
    const soFar = Math.min(reply.usage.outputTokens, estimate(sent))
    return data(chunkOf(request, contentOf([part]), usageBody(reply.usage, soFar)))
  })
  const usage = usageBody(reply.usage, reply.usage.outputTokens)
  return { events, last: data(chunkOf(request, { ...contentOf([{ text: '' }]), ...finishOf(stop) }, usage)) }
}

export const gemini: Protocol = {
  name: 'gemini',
  stops: STOPS,
  errors: {
    context_too_long: {
      status: 400,
      message: 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).',
    },
    model_not_found: {
      status: 404,
      message: 'The model is not found for API version v1beta, or is not supported for generateContent.',
    },
    authentication_failed: {
      status: 400,
      message: 'API key not valid. Please pass a valid API key.',
      code: 'API_KEY_INVALID',
    },
    permission_denied: { status: 403, message: 'Permission denied on resource.' },
    rate_limited: { status: 429, message: 'Resource has been exhausted (e.g. check quota).' },
    quota_exhausted: { status: 429, message: 'You exceeded your current quota, please check your plan and billing.' },
    overloaded: { status: 503, message: 'The model is overloaded. Please try again later.' },
    server_error: { status: 500, message: 'An internal error has occurred.' },
  },
  takes: isGeminiPath,
  read: readGenerate,
  whole,
  stream,
  errorBody,
  errorEvent: (error) => data(errorBody(error)),
  // the wait stands in the body (RetryInfo), not in a header
  errorHeaders: () => ({}),
  headers: () => ({}),
  limitHeaders: () => ({}),
}
