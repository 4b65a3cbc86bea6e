// A request in our words as the body of Anthropic's Messages API.
import type Anthropic from '@anthropic-ai/sdk'
import { failure, type Json, type LlmInput, type ToolResult, type ToolSpec } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import { z } from 'zod'
import type { ModelMessage, ModelRequest } from './provider.ts'

type Params = Anthropic.MessageCreateParamsStreaming
type MessageParam = Anthropic.MessageParam

const DEFAULT_MAX_TOKENS = 4_096

/** Content that the API itself answered earlier: its blocks go back as they came, whatever they are. */
const ownContentSchema = z
  .array(z.looseObject({ type: z.string() }))
  .min(1)
  .transform((blocks) => blocks as unknown as Anthropic.ContentBlockParam[])

const resultOf = ({ id, isError, content }: ToolResult): Anthropic.ToolResultBlockParam => ({
  type: 'tool_result',
  tool_use_id: id,
  content,
  ...(isError ? { is_error: true } : {}),
})

const messageOf = (message: ModelMessage): MessageParam => {
  switch (message.role) {
    case 'user':
    case 'assistant':
      return { role: message.role, content: message.text }
    case 'answer':
      return { role: 'assistant', content: ownContentSchema.parse(message.content) }
    case 'results':
      return { role: 'user', content: message.results.map(resultOf) }
  }
}

const isObject = (value: Json): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const toolOf = ({ name, description, input }: ToolSpec): Anthropic.Tool => ({
  name,
  description,
  // the API wants an object at the root, which a schema may leave unsaid
  input_schema: { ...(isObject(input) ? input : {}), type: 'object' },
})

/** Settings that the API has not taken since version 2026-10-21. They are refused, never dropped in silence. */
const checkSettings = (settings: LlmInput['settings']): void => {
  const refused = (['temperature', 'top_p', 'top_k'] as const).filter((name) => settings[name] !== undefined)
  if (refused.length > 0)
    throw new TaskFailure(failure('bad_request', `models of anthropic do not take ${refused.join(', ')}`))
}

/** Throws TaskFailure `bad_request` for settings that the API does not take. */
export const paramsOf = (request: ModelRequest): Params => {
  const { model, system, messages, tools, toolChoice, format, settings } = request
  checkSettings(settings)
  return {
    model,
    max_tokens: settings.max_tokens ?? DEFAULT_MAX_TOKENS,
    messages: messages.map(messageOf),
    stream: true,
    ...(system === null ? {} : { system }),
    ...(settings.stop === undefined ? {} : { stop_sequences: settings.stop }),
    ...(tools.length === 0 ? {} : { tools: tools.map(toolOf) }),
    ...(tools.length > 0 && toolChoice === 'none' ? { tool_choice: { type: 'none' } } : {}),
    ...(format === null ? {} : { output_config: { format: { type: 'json_schema', schema: format } } }),
  }
}
