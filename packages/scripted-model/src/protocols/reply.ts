// The answer on its way to the wire, still in no provider's words: cut at stop sequences, with ids and usage.

import type { MessageAnswer, ScriptedUsage, ScriptRequest, StopReason } from '../answering/script.ts'
import { hashOf, isObject, type Json, type JsonObject } from '../json.ts'
import { estimate } from './protocol.ts'

export interface ReplyToolUse {
  /** Follows from the request, so a repeat has the same. */
  id: string
  name: string
  /** What is sent as the arguments; perhaps no JSON. */
  body: string
}

export interface Reply {
  text: string
  toolUses: readonly ReplyToolUse[]
  stop: StopReason
  stopSequence: string | null
  usage: ScriptedUsage
}

const LEAST_CHUNK = 24
const MOST_CHUNKS = 4_000

/** A text in the pieces it is streamed in: short ones, but not millions. */
export const piecesOf = (text: string): string[] => {
  const size = Math.max(LEAST_CHUNK, Math.ceil(text.length / MOST_CHUNKS))
  return Array.from({ length: Math.ceil(text.length / size) }, (_, index) =>
    text.slice(index * size, (index + 1) * size),
  )
}

const cutAtStopSequence = (text: string, sequences: readonly string[]): { text: string; hit: string | null } => {
  const hits = sequences.map((sequence) => ({ sequence, at: text.indexOf(sequence) })).filter(({ at }) => at >= 0)
  const first = hits.sort((a, b) => a.at - b.at)[0]
  return first ? { text: text.slice(0, first.at), hit: first.sequence } : { text, hit: null }
}

export const replyOf = (request: ScriptRequest, answer: MessageAnswer): Reply => {
  const { text, hit } = cutAtStopSequence(answer.text, request.stopSequences)
  const toolUses = (answer.toolUses ?? []).map(
    (use, index): ReplyToolUse => ({
      id: hashOf(`${request.hash}/${index}`).slice(0, 24),
      name: use.name,
      body: use.raw ?? JSON.stringify(use.input),
    }),
  )
  const usage: ScriptedUsage = {
    inputTokens: request.inputTokens,
    outputTokens: Math.max(1, estimate(toolUses.reduce((sum, { body }) => sum + body.length, text.length))),
    cacheReadTokens: 0,
    cacheWriteTokens: 0,
    ...answer.usage,
  }
  const stop = answer.stop ?? (hit === null ? (toolUses.length > 0 ? 'tool_use' : 'end_turn') : 'stop_sequence')
  return { text, toolUses, stop, stopSequence: stop === 'stop_sequence' ? hit : null, usage }
}

/** Arguments as an object, or null when they are none: some protocols can carry no others. */
export const argumentsOf = (body: string): JsonObject | null => {
  try {
    const parsed: Json = JSON.parse(body)
    return isObject(parsed) ? parsed : null
  } catch {
    return null
  }
}
