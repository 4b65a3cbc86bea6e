// The Messages API as a client sees it: request, blocks. What the real API refuses is refused here too.
import { z } from 'zod'
import type { Asked, ScriptedTool } from '../answering/script.ts'
import { isObject, type Json, type JsonObject, jsonObject } from '../json.ts'
import { refusal } from './anthropic-refuse.ts'
import { type Arrived, inputTokensOf, jsonOf, RequestError } from './protocol.ts'

const json = z.custom<Json>((value) => value !== undefined, 'a JSON value is required')
const block = z.looseObject({ type: z.string() }).catchall(json)
export type Block = { type: string; [key: string]: Json }

const content = z.union([z.string(), z.array(block)])
const message = z.looseObject({ role: z.enum(['user', 'assistant', 'system']), content })

const messagesRequestSchema = z.looseObject({
  model: z.string().min(1),
  max_tokens: z.int().positive(),
  messages: z.array(message).min(1),
  system: content.optional(),
  tools: z
    .array(
      z.looseObject({ name: z.string(), input_schema: z.looseObject({ type: z.literal('object') }).catchall(json) }),
    )
    .optional(),
  tool_choice: z
    .looseObject({
      type: z.enum(['auto', 'any', 'tool', 'none']),
      name: z.string().optional(),
      disable_parallel_tool_use: z.boolean().optional(),
    })
    .optional(),
  output_config: z
    .looseObject({
      format: z.looseObject({ type: z.literal('json_schema'), schema: z.record(z.string(), json) }).nullish(),
    })
    .optional(),
  stop_sequences: z.array(z.string()).optional(),
  stream: z.boolean().optional(),
  // gone since version 2026-10-21: named so that a request that still sends one is told so
  temperature: z.undefined({ error: 'Extra inputs are not permitted' }).optional(),
  top_p: z.undefined({ error: 'Extra inputs are not permitted' }).optional(),
  top_k: z.undefined({ error: 'Extra inputs are not permitted' }).optional(),
})
export type MessagesRequest = z.infer<typeof messagesRequestSchema>

export const blocksOf = (value: string | readonly Block[]): readonly Block[] =>
  typeof value === 'string' ? [{ type: 'text', text: value }] : value

const textOf = (value: string | readonly Block[] | undefined): string => {
  if (value === undefined) return ''
  if (typeof value === 'string') return value
  return value.map((part) => (part.type === 'text' && typeof part.text === 'string' ? part.text : '')).join('\n')
}

const blocksIn = (body: MessagesRequest, role: string): Block[][] =>
  body.messages.filter((each) => each.role === role).map((each) => [...blocksOf(each.content)])

/** The text of the tool results in the last message. */
const newestResults = (body: MessagesRequest): string[] => {
  const last = body.messages.at(-1)
  if (last?.role !== 'user') return []
  return blocksOf(last.content)
    .filter((part) => part.type === 'tool_result')
    .map((part) => resultText(part.content))
}

const resultText = (value: Json | undefined): string => {
  if (typeof value === 'string') return value
  if (!Array.isArray(value)) return ''
  return value.map((part) => (isObject(part) && typeof part.text === 'string' ? part.text : '')).join('\n')
}

const checkHeaders = ({ header }: Arrived): void => {
  if (!header('authorization')?.startsWith('Bearer ') && !header('x-api-key'))
    throw new RequestError(
      401,
      'authentication required: send Authorization: Bearer or x-api-key; any key will do here',
    )
  if (!header('anthropic-version')) throw new RequestError(400, 'anthropic-version: header is required')
}

/** Reads `POST /v1/messages`; throws RequestError for what the API would refuse. */
export const readMessages = (call: Arrived): Asked => {
  checkHeaders(call)
  const value = jsonOf(call.body)
  const result = messagesRequestSchema.safeParse(value)
  if (!result.success) {
    const [issue] = result.error.issues
    throw new RequestError(400, `${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'invalid'}`)
  }
  const why = refusal(result.data)
  if (why) throw new RequestError(400, why)
  return askedOf(result.data, jsonObject(value))
}

const askedOf = (data: MessagesRequest, body: JsonObject): Asked => {
  const assistant = blocksIn(data, 'assistant')
  return {
    model: data.model,
    turn: assistant.length + 1,
    toolTurns: assistant.filter((blocks) => blocks.some((part) => part.type === 'tool_use')).length,
    system: textOf(data.system),
    prompt: blocksIn(data, 'user')
      .map(textOf)
      .filter((text) => text.trim() !== '')
      .join('\n'),
    toolResults: newestResults(data),
    tools: (data.tools ?? []).map(({ name, input_schema }): ScriptedTool => ({ name, schema: input_schema })),
    toolChoice: data.tool_choice?.type ?? 'auto',
    forcedTool: data.tool_choice?.name ?? null,
    parallelTools: data.tool_choice?.disable_parallel_tool_use !== true,
    schema: data.output_config?.format?.schema ?? null,
    maxTokens: data.max_tokens,
    stopSequences: data.stop_sequences ?? [],
    stream: data.stream === true,
    inputTokens: inputTokensOf([body.system ?? '', body.messages, body.tools ?? []]),
    body,
  }
}
