// What a model provider does for the worker: one call, one answer. It keeps nothing between calls.
import type { Json, LlmInput, ToolResult, ToolSpec, ToolUse, Usage } from '@stepfleet/contracts'

export type ModelMessage =
  | { role: 'user'; text: string }
  /** Written by the user of the workflow. */
  | { role: 'assistant'; text: string }
  /**
   * What a provider itself answered, kept opaque and sent back unchanged. Another provider may have answered it (a fallback in the
   * middle of an agent): who cannot read its content says it again with `text` and `toolUses`.
   */
  | { role: 'answer'; content: Json; text: string; toolUses: readonly ToolUse[] }
  /** Answers every tool use of the answer before it, in its order. */
  | { role: 'results'; results: ToolResult[] }

export interface ModelRequest {
  /** Without the provider: `claude-sonnet-5-5`. */
  model: string
  system: string | null
  messages: readonly ModelMessage[]
  tools: readonly ToolSpec[]
  /** `none`: tools stay declared, since the conversation uses them, but this answer may not. */
  toolChoice: 'auto' | 'none'
  /** A JSON Schema of an object, in the subset that the provider can hold the model to; null: text. */
  format: { [key: string]: Json } | null
  settings: LlmInput['settings']
  /** For the record of the other side. */
  effectKey: string
  taskId: string
}

export interface ModelAnswer {
  /** The provider's own content, opaque. */
  content: Json
  /** All text of the answer. */
  text: string
  toolUses: ToolUse[]
  usage: Usage
}

export interface ModelProvider {
  /** The name before the `/` of a model. */
  readonly name: string
  /**
   * One streamed call. Aborting the signal ends it within a moment; its reason is a Failure. Throws TaskFailure, with the
   * usage as far as the provider told it, and nothing else.
   */
  call(request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer>
}

/** Usage of two calls of one attempt. An unknown price makes the sum unknown. */
export const addUsage = (a: Usage | undefined, b: Usage | undefined): Usage | undefined => {
  if (!a || !b) return a ?? b
  return {
    model: b.model,
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
    cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
    microUsd: a.microUsd === null || b.microUsd === null ? null : a.microUsd + b.microUsd,
    ...(a.scripted || b.scripted ? { scripted: true } : {}),
  }
}
