// How much the models take, and the check before a call: what surely does not fit is not sent.
//
// A model that is not here is not checked; its provider says no by itself. Numbers as of 2026-11-21, from:
// - Claude: the model pages, platform.claude.com/docs/en/models/<model>/overview, and "Context windows" there for older models
// - OpenAI: input and output together, as vercel.com/ai-gateway/models, openrouter.ai/openai and docs.litellm.ai/blog list them
// - Gemini: docs.cloud.google.com/gemini-enterprise-agent-platform/models/start/get-started-with-gemini-4 for 4, and
//   docs.oracle.com/en-us/iaas/Content/generative-ai/google-gemini-2-5-flash.htm and the like for 2.5
import { failure } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import { leastTokens, plainLength } from './estimate.ts'
import type { ModelRequest } from './provider.ts'

const MILLION = 1_000_000

/** Model → tokens. */
const WINDOWS: ReadonlyMap<string, number> = new Map([
  ['anthropic/claude-opus-5-5', MILLION],
  ['anthropic/claude-sonnet-5-5', MILLION],
  ['anthropic/claude-haiku-5-5', MILLION],
  ['anthropic/claude-fable-5-1', MILLION],
  ['anthropic/claude-mythos-5-1', MILLION],
  ['anthropic/claude-fable-5', MILLION],
  ['anthropic/claude-mythos-5', MILLION],
  ['anthropic/claude-opus-5', MILLION],
  ['anthropic/claude-sonnet-5', MILLION],
  ['anthropic/claude-opus-4-8', MILLION],
  ['anthropic/claude-opus-4-7', MILLION],
  ['anthropic/claude-opus-4-6', MILLION],
  ['anthropic/claude-sonnet-4-6', MILLION],
  ['anthropic/claude-opus-4-5', 200_000],
  ['anthropic/claude-sonnet-4-5', 200_000],
  ['anthropic/claude-haiku-4-5', 200_000],
  ['openai/gpt-6-sol', 1_050_000],
  ['openai/gpt-6-luna', 1_050_000],
  ['openai/gpt-5', 400_000],
  ['openai/gpt-5-mini', 400_000],
  ['openai/gpt-5.1', 400_000],
  ['openai/gpt-5.4-mini', 400_000],
  ['gemini/gemini-4-argon', 1_048_576],
  ['gemini/gemini-2.5-pro', 1_048_576],
  ['gemini/gemini-2.5-flash', 1_048_576],
])

/** `claude-haiku-4-5-20251001`, `gpt-5-2025-08-07` */
const SNAPSHOT = /-(\d{8}|\d{4}-\d{2}-\d{2})$/

/** Tokens that a model `<provider>/<model>` takes at most; null: not known. */
export const contextWindowOf = (model: string): number | null =>
  WINDOWS.get(model) ?? WINDOWS.get(model.replace(SNAPSHOT, '')) ?? null

/**
 * Throws TaskFailure `context_too_long` for a request that surely does not fit into the window of `<provider>/<model>`. What
 * may or may not fit is left to the provider, which counts for nothing.
 */
export const assertFitsContext = (model: string, request: ModelRequest): void => {
  const window = contextWindowOf(model)
  // a look at the length is enough for nearly all
  if (window === null || plainLength(request) <= window) return
  const tokens = leastTokens(request)
  if (tokens <= window) return
  const message = `the conversation is ${tokens} tokens or more, and ${model} takes ${window}; nothing was sent`
  throw new TaskFailure(failure('context_too_long', message, { details: { tokens, window, notSent: true } }))
}
