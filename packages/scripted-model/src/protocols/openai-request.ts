// OpenAI's Chat Completions as a client sends them. What the real API refuses is refused here too, in its words.
import { z } from 'zod'
import type { Asked } from '../answering/script.ts'
import { isObject, type Json, type JsonObject, jsonObject } from '../json.ts'
import { strictSchemaError } from './openai-strict.ts'
import { type Arrived, inputTokensOf, jsonOf, RequestError } from './protocol.ts'

const json = z.custom<Json>((value) => value !== undefined, 'a JSON value is required')
const schema = z.record(z.string(), json)
const content = z.union([
  z.string(),
  z.array(z.looseObject({ type: z.string(), text: z.string().optional(), refusal: z.string().optional() })),
])
const toolCall = z.looseObject({
  id: z.string().min(1),
  type: z.literal('function'),
  function: z.looseObject({ name: z.string(), arguments: z.string() }),
})
const message = z.discriminatedUnion('role', [
  z.looseObject({ role: z.enum(['system', 'developer']), content }),
  z.looseObject({ role: z.literal('user'), content }),
  z.looseObject({
    role: z.literal('assistant'),
    content: content.nullish(),
    refusal: z.string().nullish(),
    tool_calls: z.array(toolCall).min(1).optional(),
  }),
  z.looseObject({ role: z.literal('tool'), content, tool_call_id: z.string() }),
])
type Message = z.infer<typeof message>

const requestSchema = z.looseObject({
  model: z.string().min(1),
  messages: z.array(message).min(1),
  max_tokens: z.int().positive().nullish(),
  max_completion_tokens: z.int().positive().nullish(),
  tools: z
    .array(
      z.looseObject({
        type: z.literal('function'),
        function: z.looseObject({
          name: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/),
          parameters: schema.optional(),
          strict: z.boolean().nullish(),
        }),
      }),
    )
    .min(1)
    .optional(),
  tool_choice: z
    .union([
      z.enum(['auto', 'none', 'required']),
      z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: z.string() }) }),
    ])
    .optional(),
  parallel_tool_calls: z.boolean().optional(),
  response_format: z
    .discriminatedUnion('type', [
      z.looseObject({ type: z.literal('text') }),
      z.looseObject({ type: z.literal('json_object') }),
      z.looseObject({
        type: z.literal('json_schema'),
        json_schema: z.looseObject({
          name: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/),
          schema: schema.optional(),
          strict: z.boolean().nullish(),
        }),
      }),
    ])
    .optional(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
  n: z.literal(1).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
})
type ChatRequest = z.infer<typeof requestSchema>

const MAX_TOKENS = 16_384

const textOf = (value: z.infer<typeof content> | null | undefined): string => {
  if (typeof value === 'string') return value
  return (value ?? []).map((part) => part.text ?? '').join('\n')
}

const callsOf = (each: Message | undefined): string[] =>
  each?.role === 'assistant' ? (each.tool_calls ?? []).map(({ id }) => id) : []

/** Each message of tool calls is followed by one result for each of them, and no result stands anywhere else. */
const unpaired = (messages: readonly Message[]): string | null => {
  let open: string[] = []
  for (const [index, each] of messages.entries()) {
    if (each.role === 'tool') {
      if (!open.includes(each.tool_call_id))
        return `Invalid parameter: messages.[${index}]: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.`
      open = open.filter((id) => id !== each.tool_call_id)
      continue
    }
    if (open.length > 0) break
    open = callsOf(each)
  }
  if (open.length === 0) return null
  return `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${open.join(', ')}`
}

const strictError = ({ tools = [], response_format: format }: ChatRequest): string | null => {
  for (const { function: tool } of tools) {
    const why = tool.strict === true ? strictSchemaError(tool.parameters ?? {}) : null
    if (why) return `Invalid schema for function '${tool.name}': ${why}`
  }
  if (format?.type !== 'json_schema' || format.json_schema.strict !== true) return null
  const why = strictSchemaError(format.json_schema.schema ?? {})
  return why ? `Invalid schema for response_format '${format.json_schema.name}': ${why}` : null
}

/** Models that think count their thoughts too, so they take the newer limit only. */
const THINKS = /^(o\d|gpt-5)/

const refusal = (data: ChatRequest): string | null => {
  if (data.max_tokens != null && THINKS.test(data.model))
    return "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
  if (data.stream_options != null && data.stream !== true)
    return "The 'stream_options' parameter is only allowed when 'stream' is enabled."
  if (data.tool_choice !== undefined && !data.tools) return "'tool_choice' is only allowed when 'tools' are specified."
  if (data.response_format?.type === 'json_object' && !/json/i.test(JSON.stringify(data.messages)))
    return "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
  return unpaired(data.messages) ?? strictError(data)
}

/** Reads `POST /v1/chat/completions`; throws RequestError for what the API would refuse. */
export const readChat = (call: Arrived): Asked => {
  if (!call.header('authorization')?.startsWith('Bearer '))
    throw new RequestError(401, "You didn't provide an API key. Send Authorization: Bearer; any key will do here.")
  const value = jsonOf(call.body, 'We could not parse the JSON body of your request.')
  const result = requestSchema.safeParse(value)
  if (!result.success) {
    const [issue] = result.error.issues
    throw new RequestError(400, `Invalid value: '${issue?.path.join('.') || 'body'}': ${issue?.message ?? 'invalid'}`)
  }
  const why = refusal(result.data)
  if (why) throw new RequestError(400, why)
  return askedOf(result.data, jsonObject(value))
}

/** Results at the end of the conversation, behind the newest tool calls. */
const newestResults = (messages: readonly Message[]): string[] => {
  const last = messages.findLastIndex(({ role }) => role !== 'tool')
  return messages.slice(last + 1).map(({ content: value }) => textOf(value))
}

const choiceOf = ({ tool_choice: choice }: ChatRequest): Pick<Asked, 'toolChoice' | 'forcedTool'> => {
  if (typeof choice === 'object') return { toolChoice: 'tool', forcedTool: choice.function.name }
  return { toolChoice: choice === 'required' ? 'any' : (choice ?? 'auto'), forcedTool: null }
}

const schemaOf = ({ response_format: format }: ChatRequest): JsonObject | null => {
  if (format?.type === 'json_object') return { type: 'object' }
  return format?.type === 'json_schema' ? (format.json_schema.schema ?? {}) : null
}

const textsOf = (messages: readonly Message[], ...roles: Message['role'][]): string =>
  messages
    .filter(({ role }) => roles.includes(role))
    .map(({ content: value }) => textOf(value))
    .filter((text) => text.trim() !== '')
    .join('\n')

const askedOf = (data: ChatRequest, body: JsonObject): Asked => {
  const { messages } = data
  const assistant = messages.filter(({ role }) => role === 'assistant')
  const stops = data.stop ?? []
  return {
    model: data.model,
    turn: assistant.length + 1,
    toolTurns: assistant.filter((each) => callsOf(each).length > 0).length,
    system: textsOf(messages, 'system', 'developer'),
    prompt: textsOf(messages, 'user'),
    toolResults: newestResults(messages),
    tools: (data.tools ?? []).map(({ function: tool }) => ({ name: tool.name, schema: tool.parameters ?? {} })),
    ...choiceOf(data),
    parallelTools: data.parallel_tool_calls !== false,
    schema: schemaOf(data),
    maxTokens: data.max_completion_tokens ?? data.max_tokens ?? MAX_TOKENS,
    stopSequences: typeof stops === 'string' ? [stops] : stops,
    stream: data.stream === true,
    inputTokens: inputTokensOf([body.messages, body.tools ?? []]),
    body,
  }
}

/** Whether the stream ends with a chunk of usage. */
export const wantsUsage = ({ stream_options: options }: JsonObject): boolean =>
  isObject(options) && options.include_usage === true
