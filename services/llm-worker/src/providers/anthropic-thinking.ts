// What `thinking` of a step becomes for a Claude model: adaptive thinking with an effort, or a budget for models from before that.
import type Anthropic from '@anthropic-ai/sdk'
import { failure, type LlmInput } from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'

type Setting = LlmInput['settings']['thinking']

export interface ThinkingParams {
  thinking?: Anthropic.ThinkingConfigParam
  effort?: NonNullable<Anthropic.OutputConfig['effort']>
}

/**
 * Models before 4.6 know neither adaptive thinking nor (but for one) an effort; they answer 400 to both. All newer ones, also
 * those that are not out yet, are asked by effort. (platform.claude.com/docs, "Thinking" and "Effort", November 2026)
 */
const BUDGET_ONLY = /^claude-(3|(opus|sonnet|haiku)-4(-[015])?(-\d{8})?$)/

/** A level as a share of the room, where only a budget can say it. What is thought stays within max_tokens, as budgets of runs need it. */
const SHARES = { low: 0.25, medium: 0.5, high: 0.75 } as const
const LEAST_BUDGET = 1_024

const enabled = (budget: number, maxTokens: number): ThinkingParams => {
  if (budget < maxTokens) return { thinking: { type: 'enabled', budget_tokens: budget } }
  const message = `a thinking budget of ${budget} tokens leaves no room for an answer within max_tokens ${maxTokens}`
  throw new TaskFailure(failure('bad_request', message))
}

/** Throws TaskFailure `bad_request` for thinking that leaves no room for the answer. */
export const thinkingOf = (model: string, setting: Setting, maxTokens: number): ThinkingParams => {
  if (setting === undefined) return {}
  if (typeof setting === 'object') return enabled(setting.budget, maxTokens)
  if (!BUDGET_ONLY.test(model)) return { thinking: { type: 'adaptive' }, effort: setting }
  return enabled(Math.max(LEAST_BUDGET, Math.floor(maxTokens * SHARES[setting])), maxTokens)
}
