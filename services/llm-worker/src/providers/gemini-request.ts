// A request in our words as the parameters of Gemini's generateContent.
import {
  type Content,
  FunctionCallingConfigMode,
  type FunctionDeclaration,
  type GenerateContentConfig,
  type GenerateContentParameters,
  type Part,
  type ThinkingConfig,
  ThinkingLevel,
} from '@google/genai'
import {
  failure,
  type Json,
  MAX_TOKENS,
  type Thinking,
  type ToolResult,
  type ToolSpec,
  type ToolUse,
} from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import { z } from 'zod'
import { instructionOf } from '../output.ts'
import type { ModelMessage, ModelRequest } from './provider.ts'

type Answer = Extract<ModelMessage, { role: 'answer' }>

/** Content that the API itself answered earlier: its parts go back as they came, with the signatures of its thoughts. */
const ownContentSchema = z
  .array(z.looseObject({ role: z.literal('model'), parts: z.array(z.looseObject({})) }))
  .min(1)
  .transform((contents) => contents as unknown as Content[])

// The API wants a signature on calls of its newer models. This is its own word for "these are not yours".
const NO_SIGNATURE = 'skip_thought_signature_validator'

/** What another provider answered, in this one's words. */
const spoken = ({ text, toolUses }: Answer): Content[] => {
  const parts: Part[] = [
    ...(text === '' ? [] : [{ text }]),
    ...toolUses.map(({ id, name, input }, place) => ({
      functionCall: { id, name, args: argsOf(input) },
      ...(place === 0 ? { thoughtSignature: NO_SIGNATURE } : {}),
    })),
  ]
  return parts.length === 0 ? [] : [{ role: 'model', parts }]
}

const isObject = (value: Json): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const argsOf = (input: Json): Record<string, unknown> => (isObject(input) ? input : { value: input })

/** The results of an answer's calls: each names its call, and has its id only where the API gave one. */
const resultsOf = (results: readonly ToolResult[], toolUses: readonly ToolUse[], said: readonly Content[]): Content => {
  const calls = said.flatMap(({ parts }) => (parts ?? []).flatMap(({ functionCall }) => functionCall ?? []))
  return {
    role: 'user',
    parts: results.map(({ id, isError, content }) => {
      const place = toolUses.findIndex((use) => use.id === id)
      const given = calls[place]?.id
      return {
        functionResponse: {
          ...(given === undefined ? {} : { id: given }),
          name: calls[place]?.name ?? toolUses[place]?.name ?? '',
          response: isError ? { error: content } : { output: content },
        },
      }
    }),
  }
}

const contentsOf = (messages: readonly ModelMessage[]): Content[] => {
  const contents: Content[] = []
  let asked: { toolUses: readonly ToolUse[]; said: readonly Content[] } = { toolUses: [], said: [] }
  for (const message of messages) {
    switch (message.role) {
      case 'user':
        contents.push({ role: 'user', parts: [{ text: message.text }] })
        break
      case 'assistant':
        contents.push({ role: 'model', parts: [{ text: message.text }] })
        break
      case 'answer': {
        const own = ownContentSchema.safeParse(message.content)
        const said = own.success ? own.data : spoken(message)
        asked = { toolUses: message.toolUses, said }
        contents.push(...said)
        break
      }
      case 'results':
        contents.push(resultsOf(message.results, asked.toolUses, asked.said))
    }
  }
  return contents
}

const toolOf = ({ name, description, input }: ToolSpec): FunctionDeclaration => ({
  name,
  description,
  parametersJsonSchema: { ...(isObject(input) ? input : {}), type: 'object' },
})

const LEVELS = { low: ThinkingLevel.LOW, medium: ThinkingLevel.MEDIUM, high: ThinkingLevel.HIGH } as const

/** Models before 3 know budgets only: there a level is a share of the room. */
const BUDGET_ONLY = /^gemini-[12]\b/
const SHARES = { low: 0.25, medium: 0.5, high: 0.75 } as const

const thinkingOf = (model: string, setting: Thinking, maxTokens: number): ThinkingConfig => {
  if (typeof setting === 'object') return { thinkingBudget: setting.budget }
  if (BUDGET_ONLY.test(model)) return { thinkingBudget: Math.floor(maxTokens * SHARES[setting]) }
  return { thinkingLevel: LEVELS[setting] }
}

/** `cache` needs nothing: the API keeps what it has read by itself. */
const settingsOf = ({ model, settings }: ModelRequest): GenerateContentConfig => ({
  maxOutputTokens: settings.max_tokens ?? MAX_TOKENS,
  ...(settings.thinking === undefined
    ? {}
    : { thinkingConfig: thinkingOf(model, settings.thinking, settings.max_tokens ?? MAX_TOKENS) }),
  ...(settings.temperature === undefined ? {} : { temperature: settings.temperature }),
  ...(settings.top_p === undefined ? {} : { topP: settings.top_p }),
  ...(settings.top_k === undefined ? {} : { topK: settings.top_k }),
  ...(settings.stop === undefined ? {} : { stopSequences: settings.stop }),
})

const toolsOf = ({ tools, toolChoice }: ModelRequest): GenerateContentConfig =>
  tools.length === 0
    ? {}
    : {
        tools: [{ functionDeclarations: tools.map(toolOf) }],
        ...(toolChoice === 'none'
          ? { toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.NONE } } }
          : {}),
      }

/** Not every model takes a schema together with tools, so then it is in the system prompt, and only checked here. */
const formatOf = ({ tools, format }: ModelRequest): GenerateContentConfig =>
  format === null || tools.length > 0 ? {} : { responseMimeType: 'application/json', responseJsonSchema: format }

const systemOf = ({ system, tools, format }: ModelRequest): string => {
  const told = format !== null && tools.length > 0 ? instructionOf(format) : null
  return [system, told].filter((part) => part !== null).join('\n\n')
}

/** Throws TaskFailure `bad_request` for a model's name that the API cannot take. */
export const paramsOf = (request: ModelRequest): GenerateContentParameters => {
  const { model } = request
  // the name becomes part of the path
  if (/\.\.|[?&#/]/.test(model))
    throw new TaskFailure(failure('bad_request', `gemini has no model of the name ${model}`))
  const system = systemOf(request)
  return {
    model,
    contents: contentsOf(request.messages),
    config: {
      // each would send requests of its own
      automaticContinuation: false,
      automaticFunctionCalling: { disable: true },
      ...(system === '' ? {} : { systemInstruction: system }),
      ...settingsOf(request),
      ...toolsOf(request),
      ...formatOf(request),
    },
  }
}
