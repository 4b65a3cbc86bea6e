// The Messages API as a client sees it: request, blocks, errors. What the real API refuses is refused here too.
import { z } from 'zod'
import type { Json, JsonObject } from './json.ts'

const json = z.custom<Json>((value) => value !== undefined, 'a JSON value is required')
const block = z.looseObject({ type: z.string() }).catchall(json)
export type Block = { type: string; [key: string]: Json }

const content = z.union([z.string(), z.array(block)])
const message = z.looseObject({ role: z.enum(['user', 'assistant', 'system']), content })

export const messagesRequestSchema = z.looseObject({
  model: z.string().min(1),
  max_tokens: z.int().positive(),
  messages: z.array(message).min(1),
  system: content.optional(),
  tools: z
    .array(
      z.looseObject({ name: z.string(), input_schema: z.looseObject({ type: z.literal('object') }).catchall(json) }),
    )
    .optional(),
  tool_choice: z.looseObject({ type: z.enum(['auto', 'any', 'tool', 'none']), name: z.string().optional() }).optional(),
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

export const STOP_REASONS = [
  'end_turn',
  'max_tokens',
  'stop_sequence',
  'tool_use',
  'pause_turn',
  'refusal',
  'model_context_window_exceeded',
] as const
export type StopReason = (typeof STOP_REASONS)[number]

/** The error type that belongs to an HTTP status. */
export const errorTypeOf = (status: number): string => {
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

/** The body of an error answer, and the data of an `error` event inside a stream. */
export const errorBody = (type: string, text: string, requestId: string): JsonObject => ({
  type: 'error',
  error: { type, message: text },
  request_id: requestId,
})

export const textOf = (value: string | readonly Block[] | undefined): string => {
  if (value === undefined) return ''
  if (typeof value === 'string') return value
  return value.map((part) => (part.type === 'text' && typeof part.text === 'string' ? part.text : '')).join('\n')
}

export const blocksOf = (value: string | readonly Block[]): readonly Block[] =>
  typeof value === 'string' ? [{ type: 'text', text: value }] : value
