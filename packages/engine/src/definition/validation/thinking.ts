// Checks of thinking budgets: which models take one, and whether there is room for an answer behind it.
import { MAX_TOKENS, type Thinking } from '@stepfleet/contracts'
import type { Findings, Path } from './findings.ts'

interface ThinkingBody {
  thinking?: Thinking | undefined
  max_tokens?: number | undefined
}

/**
 * Models that take a budget: Gemini's, and Claude's before 4.7 (platform.claude.com/docs, "Thinking", November 2026). All others
 * take levels only: OpenAI's API, and what speaks like it, knows `reasoning_effort` alone.
 */
const TAKES_BUDGET = /^(gemini\/|anthropic\/(?!claude-(opus-4-[78]|(opus|sonnet|haiku|fable|mythos)-5)))/

/** One model that is called with the settings of the body at `path`. */
export const checkThinkingOf = (model: string, { thinking }: ThinkingBody, path: Path, findings: Findings): void => {
  if (typeof thinking !== 'object' || TAKES_BUDGET.test(model)) return
  const message = `${model} takes no thinking budget; write low, medium or high`
  findings.error([...path, 'thinking'], 'setting_not_supported', message, 'medium')
}

/** What is thought counts against `max_tokens`: a budget that fills it leaves nothing for the answer. */
export const checkThinkingBudget = (body: ThinkingBody, path: Path, findings: Findings): void => {
  const { thinking, max_tokens: room = MAX_TOKENS } = body
  if (typeof thinking !== 'object' || thinking.budget < room) return
  const message = `a thinking budget must be less than max_tokens, which is ${room}${body.max_tokens === undefined ? ' where nothing is said' : ''}`
  findings.error([...path, 'thinking', 'budget'], 'invalid_value', message)
}
