// Puts an answer on the wire: as server-sent events in several chunks, or as one JSON message.

import type { ServerResponse } from 'node:http'
import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises'
import { hashOf, type Json, type JsonObject } from './json.ts'
import { errorBody, type StopReason } from './protocol.ts'
import type { MessageAnswer, ScriptedUsage, ScriptRequest } from './script.ts'

const CHUNK_CHARACTERS = 24

/** A content block, and its streamed part: text, or the JSON of tool arguments. */
interface Part {
  block: JsonObject
  field: 'text' | 'input'
  body: string
}

export interface Reply {
  parts: readonly Part[]
  stop: StopReason
  stopSequence: string | null
  usage: ScriptedUsage
  text: string
}

const estimate = (characters: number): number => Math.ceil(characters / 4)

const cutAtStopSequence = (text: string, sequences: readonly string[]): { text: string; hit: string | null } => {
  const hits = sequences.map((sequence) => ({ sequence, at: text.indexOf(sequence) })).filter(({ at }) => at >= 0)
  const first = hits.sort((a, b) => a.at - b.at)[0]
  return first ? { text: text.slice(0, first.at), hit: first.sequence } : { text, hit: null }
}

/** What the answer becomes on the wire; ids follow from the request, so a repeat has the same. */
export const replyOf = (request: ScriptRequest, answer: MessageAnswer): Reply => {
  const uses = answer.toolUses ?? []
  const { text, hit } = cutAtStopSequence(answer.text, request.stopSequences)
  const parts: Part[] =
    text === '' ? [] : [{ block: { type: 'text', text: '', citations: null }, field: 'text', body: text }]
  for (const [index, use] of uses.entries()) {
    const id = `toolu_${hashOf(`${request.hash}/${index}`).slice(0, 24)}`
    parts.push({
      block: { type: 'tool_use', id, name: use.name, input: {}, caller: { type: 'direct' } },
      field: 'input',
      body: use.raw ?? JSON.stringify(use.input),
    })
  }
  const { system, messages, tools } = request.body
  const usage: ScriptedUsage = {
    inputTokens: estimate(JSON.stringify([system ?? '', messages, tools ?? []]).length),
    outputTokens: Math.max(1, estimate(parts.reduce((sum, part) => sum + part.body.length, 0))),
    cacheReadTokens: 0,
    cacheWriteTokens: 0,
    ...answer.usage,
  }
  const stop = answer.stop ?? (hit === null ? (uses.length > 0 ? 'tool_use' : 'end_turn') : 'stop_sequence')
  return { parts, stop, stopSequence: stop === 'stop_sequence' ? hit : null, usage, text }
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

/** The whole message, for a client that does not stream. Throws when tool arguments are no JSON: only a stream can carry those. */
export const wholeMessage = (request: ScriptRequest, reply: Reply): JsonObject => {
  const content = reply.parts.map(
    ({ block, field, body }): JsonObject => ({ ...block, [field]: field === 'text' ? body : JSON.parse(body) }),
  )
  return {
    ...messageBody(request, content, usageBody(reply.usage, reply.usage.outputTokens)),
    stop_reason: reply.stop,
    stop_sequence: reply.stopSequence,
    stop_details: stopDetails(reply.stop),
  }
}

const event = (type: string, data: JsonObject): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`

/** The events of a reply but for its last one, `message_stop`, which must not leave before the ledger has the call. */
function* events(request: ScriptRequest, reply: Reply): Generator<string> {
  yield event('message_start', { message: messageBody(request, [], usageBody(reply.usage, 1)) })
  yield event('ping', {})
  for (const [index, { block, field, body }] of reply.parts.entries()) {
    yield event('content_block_start', { index, content_block: block })
    for (let at = 0; at < body.length; at += CHUNK_CHARACTERS) {
      const piece = body.slice(at, at + CHUNK_CHARACTERS)
      const delta: JsonObject =
        field === 'text' ? { type: 'text_delta', text: piece } : { type: 'input_json_delta', partial_json: piece }
      yield event('content_block_delta', { index, delta })
    }
    yield event('content_block_stop', { index })
  }
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

export const lastEvent = event('message_stop', {})
export const overloadedEvent = (requestId: string): string =>
  `event: error\ndata: ${JSON.stringify(errorBody('overloaded_error', 'Overloaded', requestId))}\n\n`

/** Writes the events, all or the first `share` of them; false when the client went away. */
export const writeEvents = async (
  response: ServerResponse,
  request: ScriptRequest,
  reply: Reply,
  options: { share: number; chunkMs: number },
): Promise<boolean> => {
  const all = [...events(request, reply)]
  const count = Math.max(1, Math.ceil(all.length * options.share))
  // without a pace the chunks go out in a few writes: the client sees several, the machine pays for few
  const size = options.chunkMs > 0 ? 1 : Math.max(1, Math.ceil(count / 4))
  for (let at = 0; at < count; at += size) {
    if (response.destroyed) return false
    if (at > 0) await (options.chunkMs > 0 ? sleep(options.chunkMs) : breathe())
    response.write(all.slice(at, Math.min(at + size, count)).join(''))
  }
  return !response.destroyed
}
