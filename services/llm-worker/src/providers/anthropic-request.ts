// A request in our words as the body of Anthropic's Messages API.
//
// With `cache` the prompt is marked where the API shall keep what it has read. It takes four marks, and reads tools, system and
// messages in this order, so that the marks go from what changes least to what changes most: the tools, the system prompt, and the
// ends of the last two messages of our side. The last one is what the next turn begins with; the one before it is what this turn
// began with. That one is marked again because the API looks back from a mark over 20 blocks only, and a turn with many
// parallel tools adds more.
import type Anthropic from '@anthropic-ai/sdk'
import {
  failure,
  type Json,
  type LlmInput,
  MAX_TOKENS,
  type ToolResult,
  type ToolSpec,
  type ToolUse,
} from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import { z } from 'zod'
import { thinkingOf } from './anthropic-thinking.ts'
import type { ModelMessage, ModelRequest } from './provider.ts'

type Params = Anthropic.MessageCreateParamsStreaming
type MessageParam = Anthropic.MessageParam
type Marked = { cache_control?: Anthropic.CacheControlEphemeral }

const MARK: Marked = { cache_control: { type: 'ephemeral' } }
const markIf = (marked: boolean): Marked => (marked ? MARK : {})

/** Content that the API itself answered earlier: its blocks go back as they came, whatever they are. */
const ownContentSchema = z
  .array(z.looseObject({ type: z.string() }))
  // the API refuses empty text, which an operator may have put in the model's place
  .transform((blocks) => blocks.filter(({ type, text }) => !(type === 'text' && text === '')))
  .transform((blocks) => blocks as unknown as Anthropic.ContentBlockParam[])

/** The API takes only these in ids, and other providers may have made theirs of anything. */
const idOf = (id: string): string => id.replaceAll(/[^a-zA-Z0-9_-]/g, '_')

/** What another provider answered, in this one's words. */
const spoken = (text: string, toolUses: readonly ToolUse[]): Anthropic.ContentBlockParam[] => [
  ...(text === '' ? [] : [{ type: 'text' as const, text }]),
  ...toolUses.map(({ id, name, input }) => ({ type: 'tool_use' as const, id: idOf(id), name, input })),
]

/** Nothing at all for an answer that says nothing: the messages around it are then read as one. */
const said = (content: Anthropic.ContentBlockParam[]): MessageParam[] =>
  content.length === 0 ? [] : [{ role: 'assistant', content }]

const resultOf = ({ id, isError, content }: ToolResult, marked: boolean): Anthropic.ToolResultBlockParam => ({
  type: 'tool_result',
  tool_use_id: idOf(id),
  content,
  ...(isError ? { is_error: true } : {}),
  ...markIf(marked),
})

const messageOf = (message: ModelMessage, marked: boolean): MessageParam[] => {
  switch (message.role) {
    case 'assistant':
      return [{ role: 'assistant', content: message.text }]
    case 'user': {
      const { text } = message
      return [{ role: 'user', content: marked && text !== '' ? [{ type: 'text', text, ...MARK }] : text }]
    }
    case 'answer': {
      const own = ownContentSchema.safeParse(message.content)
      return said(own.success ? own.data : spoken(message.text, message.toolUses))
    }
    case 'results': {
      const last = message.results.length - 1
      return [{ role: 'user', content: message.results.map((result, at) => resultOf(result, marked && at === last)) }]
    }
  }
}

const messagesOf = (messages: readonly ModelMessage[], cached: boolean): MessageParam[] => {
  const ours = messages.flatMap(({ role }, at) => (role === 'user' || role === 'results' ? [at] : []))
  const marked = new Set(cached ? ours.slice(-2) : [])
  return messages.flatMap((message, at) => messageOf(message, marked.has(at)))
}

const isObject = (value: Json): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const toolOf = ({ name, description, input }: ToolSpec, marked: boolean): Anthropic.Tool => ({
  name,
  description,
  // the API wants an object at the root, which a schema may leave unsaid
  input_schema: { ...(isObject(input) ? input : {}), type: 'object' },
  ...markIf(marked),
})

/** Settings that the API has not taken since version 2026-10-21. They are refused, never dropped in silence. */
const checkSettings = (settings: LlmInput['settings']): void => {
  const refused = (['temperature', 'top_p', 'top_k'] as const).filter((name) => settings[name] !== undefined)
  if (refused.length > 0)
    throw new TaskFailure(failure('bad_request', `models of anthropic do not take ${refused.join(', ')}`))
}

const systemOf = (text: string, cached: boolean): NonNullable<Params['system']> =>
  cached ? [{ type: 'text', text, ...MARK }] : text

const toolsOf = (tools: readonly ToolSpec[], toolChoice: ModelRequest['toolChoice'], cached: boolean) => {
  if (tools.length === 0) return {}
  const last = tools.length - 1
  const declared = tools.map((tool, at) => toolOf(tool, cached && at === last))
  return { tools: declared, ...(toolChoice === 'none' ? { tool_choice: { type: 'none' as const } } : {}) }
}

/** Throws TaskFailure `bad_request` for settings that the API does not take. */
export const paramsOf = (request: ModelRequest): Params => {
  const { model, system, messages, tools, toolChoice, format, settings } = request
  checkSettings(settings)
  const cached = settings.cache === true
  const maxTokens = settings.max_tokens ?? MAX_TOKENS
  const { thinking, effort } = thinkingOf(model, settings.thinking, maxTokens)
  const output: Anthropic.OutputConfig = {
    ...(format === null ? {} : { format: { type: 'json_schema', schema: format } }),
    ...(effort === undefined ? {} : { effort }),
  }
  return {
    model,
    max_tokens: maxTokens,
    messages: messagesOf(messages, cached),
    stream: true,
    ...(system === null ? {} : { system: systemOf(system, cached) }),
    ...(settings.stop === undefined ? {} : { stop_sequences: settings.stop }),
    ...toolsOf(tools, toolChoice, cached),
    ...(thinking === undefined ? {} : { thinking }),
    ...(Object.keys(output).length === 0 ? {} : { output_config: output }),
  }
}

/** The same request, gone on with after the API has paused in the middle of its answer. */
export const continued = (params: Params, content: Json): Params => ({
  ...params,
  messages: [...params.messages, ...said(ownContentSchema.parse(content))],
})
