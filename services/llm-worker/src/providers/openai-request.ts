// A request in our words as the body of OpenAI's Chat Completions API.
import { failure, type Json, type LlmInput, MAX_TOKENS, type ToolSpec, type ToolUse } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import type { JsonSchema } from '@stepfleet/schemas'
import type OpenAI from 'openai'
import { z } from 'zod'
import { instructionOf } from '../output.ts'
import type { ModelMessage, ModelRequest } from './provider.ts'

type Params = OpenAI.Chat.ChatCompletionCreateParamsStreaming
type MessageParam = OpenAI.Chat.ChatCompletionMessageParam

/** Who is spoken to. */
export interface Dialect {
  /** `<provider>` in messages. */
  name: string
  /** OpenAI's own API, or one that only speaks like it. */
  compatible: boolean
}

/** Content that the API itself answered earlier: the message goes back as it came. */
const ownContentSchema = z
  .array(z.looseObject({ role: z.literal('assistant') }))
  .min(1)
  .transform((messages) => messages as unknown as MessageParam[])

/** What another provider answered, in this one's words. */
const spoken = (text: string, toolUses: readonly ToolUse[]): MessageParam[] =>
  text === '' && toolUses.length === 0
    ? []
    : [
        {
          role: 'assistant',
          content: text === '' ? null : text,
          ...(toolUses.length === 0
            ? {}
            : {
                tool_calls: toolUses.map(({ id, name, input }) => ({
                  id,
                  type: 'function',
                  function: { name, arguments: JSON.stringify(input) },
                })),
              }),
        },
      ]

const messagesOf = (message: ModelMessage): MessageParam[] => {
  switch (message.role) {
    case 'user':
    case 'assistant':
      return [{ role: message.role, content: message.text }]
    case 'answer': {
      const own = ownContentSchema.safeParse(message.content)
      return own.success ? own.data : spoken(message.text, message.toolUses)
    }
    case 'results':
      // the API has no word for an error
      return message.results.map(({ id, isError, content }) => ({
        role: 'tool',
        tool_call_id: id,
        content: isError ? `error: ${content}` : content,
      }))
  }
}

const isObject = (value: Json | undefined): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const toolOf = ({ name, description, input }: ToolSpec): OpenAI.Chat.ChatCompletionTool => ({
  type: 'function',
  function: { name, description, parameters: { ...(isObject(input) ? input : {}), type: 'object' } },
})

/** Whether the API can hold the model to the schema: every object closed, every property required, no `allOf` or `oneOf`. */
export const isStrict = (schema: Json): boolean => {
  if (Array.isArray(schema)) return schema.every(isStrict)
  if (!isObject(schema)) return true
  if ('allOf' in schema || 'oneOf' in schema) return false
  const properties = isObject(schema.properties) ? schema.properties : null
  if (properties) {
    const required = Array.isArray(schema.required) ? schema.required : []
    if (schema.additionalProperties !== false || !Object.keys(properties).every((key) => required.includes(key)))
      return false
  }
  const inner = [schema.items, schema.anyOf, ...Object.values(properties ?? {})]
  const definitions = isObject(schema.$defs) ? Object.values(schema.$defs) : []
  return [...inner, ...definitions].every((child) => child === undefined || isStrict(child))
}

const formatOf = (schema: JsonSchema): Params['response_format'] => ({
  type: 'json_schema',
  json_schema: { name: 'answer', schema, strict: isStrict(schema) },
})

const refusedSetting = (name: string, setting: string): TaskFailure =>
  new TaskFailure(failure('bad_request', `models of ${name} do not take ${setting}`))

/**
 * Settings that the API does not take are refused, never dropped in silence. `cache` needs nothing: these servers keep what they
 * have read by themselves.
 */
const settingsOf = (settings: LlmInput['settings'], { name, compatible }: Dialect): Partial<Params> => {
  const { max_tokens = MAX_TOKENS, temperature, top_p, top_k, stop, thinking } = settings
  if (top_k !== undefined) throw refusedSetting(name, 'top_k')
  if (typeof thinking === 'object') throw refusedSetting(name, 'thinking as a budget; give low, medium or high')
  return {
    // OpenAI's newer models refuse the older name, and servers that speak like it may know only that one
    ...(compatible ? { max_tokens } : { max_completion_tokens: max_tokens }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(top_p === undefined ? {} : { top_p }),
    ...(stop === undefined ? {} : { stop }),
    ...(thinking === undefined ? {} : { reasoning_effort: thinking }),
  }
}

// In Chat Completions these take no tools while they reason, and they reason unless they are told not to. (gpt-6-astra and gpt-6.1
// cannot be told: they refuse tools here.)
const TOOLS_WITHOUT_REASONING = /^gpt-(5\.6|6-sol|6-luna)/

const toolsOf = ({ model, tools, toolChoice, settings }: ModelRequest, { compatible }: Dialect): Partial<Params> =>
  tools.length === 0
    ? {}
    : {
        tools: tools.map(toolOf),
        ...(toolChoice === 'none' ? { tool_choice: 'none' } : {}),
        ...(!compatible && settings.thinking === undefined && TOOLS_WITHOUT_REASONING.test(model)
          ? { reasoning_effort: 'none' }
          : {}),
      }

/**
 * `held`: the schema goes into the request. A compatible server is also told it in the system prompt: some take the field and
 * do not look at it. Throws TaskFailure `bad_request` for settings that the API does not take.
 */
export const paramsOf = (request: ModelRequest, dialect: Dialect, held: boolean): Params => {
  const { model, messages, format } = request
  const told = format !== null && dialect.compatible ? instructionOf(format) : null
  const system = [request.system, told].filter((part) => part !== null).join('\n\n')
  return {
    model,
    messages: [
      ...(system === '' ? [] : [{ role: 'system' as const, content: system }]),
      ...messages.flatMap(messagesOf),
    ],
    stream: true,
    stream_options: { include_usage: true },
    ...settingsOf(request.settings, dialect),
    ...toolsOf(request, dialect),
    ...(format !== null && held ? { response_format: formatOf(format) } : {}),
  }
}
