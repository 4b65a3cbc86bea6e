// What a model call will probably use, before it is made; and what a limit counts of what it did use.
import type { LlmInput, Usage } from '@stepfleet/contracts'
import type { Tokens } from './port.ts'

/** English prose has about 4 characters a token, code and JSON about 3: rather too many than too few. */
const CHARACTERS_PER_TOKEN = 3.5
/** Output of a call that names no `max_tokens`, of a model that was not seen yet. */
const FIRST_OUTPUT = 1_000
/** How fast what was seen replaces what was thought. */
const WEIGHT = 1 / 8

/** What providers count against a limit: what was read from their cache is free. */
export const countedTokens = (usage: Usage): Tokens => ({
  input: whole(usage.inputTokens + usage.cacheWriteTokens),
  output: whole(usage.outputTokens),
})

/** Some providers tell odd numbers: a fraction, or less than nothing. */
const whole = (count: number): number => (Number.isFinite(count) ? Math.max(0, Math.ceil(count)) : 0)

export interface TokenEstimates {
  estimate(input: LlmInput): Tokens
  /** Tells what a call for which so much was estimated has used. */
  learn(input: LlmInput, used: Tokens): void
}

interface Seen {
  /** Input tokens used for each that its text looks like; above 1 for agents, whose history is not in the task. */
  ratio: number
  output: number
}

const lookOf = ({ system, messages, agent, output }: LlmInput): number => {
  const texts = messages.reduce((sum, { content }) => sum + content.length, system?.length ?? 0)
  const schemas = JSON.stringify([agent?.tools ?? [], output ?? {}]).length
  return Math.max(1, (texts + schemas) / CHARACTERS_PER_TOKEN)
}

/** A step's calls and an agent's turns differ too much to be one. */
const kindOf = ({ model, agent }: LlmInput): string => `${agent ? 'agent' : 'step'} ${model}`

/**
 * Estimates of this process, from the text and from what calls of the model have used so far. `max_tokens` is a bound,
 * not an estimate: taken as one, it would leave most of a limit of output tokens unused.
 */
export const createTokenEstimates = (): TokenEstimates => {
  const seen = new Map<string, Seen>()
  return {
    estimate: (input) => {
      const { ratio, output } = seen.get(kindOf(input)) ?? { ratio: 1, output: FIRST_OUTPUT }
      const most = input.settings.max_tokens ?? Number.POSITIVE_INFINITY
      return { input: Math.ceil(lookOf(input) * ratio), output: Math.ceil(Math.min(output, most)) }
    },
    learn: (input, used) => {
      const ratio = used.input / lookOf(input)
      const before = seen.get(kindOf(input)) ?? { ratio, output: used.output }
      seen.set(kindOf(input), {
        ratio: before.ratio + (ratio - before.ratio) * WEIGHT,
        output: before.output + (used.output - before.output) * WEIGHT,
      })
    },
  }
}
