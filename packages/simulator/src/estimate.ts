// What a model call would use and cost, roughly: four characters a token, at the listed prices.
import { costMicroUsd, defaultPrices, type Event, type Json, type LlmInput, type Usage } from '@stepfleet/contracts'

const CHARS_PER_TOKEN = 4

const charsOf = (value: Json | undefined): number => {
  if (value === undefined) return 0
  return typeof value === 'string' ? value.length : JSON.stringify(value).length
}

const tokens = (chars: number): number => Math.max(1, Math.ceil(chars / CHARS_PER_TOKEN))

/** What the turns before this one said, and their tools. */
const historyChars = (input: LlmInput, events: readonly Event[]): number => {
  let chars = 0
  for (const seq of input.agent?.history ?? []) {
    const event = events[seq - 1]
    const output = event && 'output' in event ? event.output : undefined
    if (output && 'value' in output) chars += charsOf(output.value)
  }
  return chars
}

/** Usage of a call that was given `input` and answered `output`; `events` is the journal of its run. */
export const estimateUsage = (input: LlmInput, output: Json, events: readonly Event[]): Usage => {
  let chars = charsOf(input.system) + charsOf(input.output) + historyChars(input, events)
  for (const message of input.messages) chars += message.content.length
  for (const tool of input.agent?.tools ?? []) chars += tool.description.length + charsOf(tool.input)
  const usage = {
    model: input.model,
    inputTokens: tokens(chars),
    outputTokens: tokens(charsOf(output)),
    cacheReadTokens: 0,
    cacheWriteTokens: 0,
  }
  return { ...usage, microUsd: costMicroUsd(defaultPrices, usage) }
}
