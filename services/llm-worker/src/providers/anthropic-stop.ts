// What the reason that Anthropic's API gives for stopping means for the attempt.
import { type Failure, failure } from '@stepfleet/contracts'
import type { Collected } from './anthropic-stream.ts'
import { brokenArguments, noToolAsked, refused, truncated } from './collected.ts'

/** A whole answer, one that the API wants to go on with after it is sent back, or none. */
export type Stop = { kind: 'whole' } | { kind: 'paused' } | { kind: 'failed'; failure: Failure }

const WHOLE: Stop = { kind: 'whole' }
const failed = (why: Failure): Stop => ({ kind: 'failed', failure: why })

const refusal = ({ stopDetails }: Collected): Failure =>
  refused([stopDetails?.category, stopDetails?.explanation].filter((part) => part).join(': '))

/** The window is full: by what was sent, or by what was answered? The larger one is told, since that is what has to shrink. */
const windowFull = ({ tokens }: Collected): Failure => {
  const sent = tokens ? tokens.inputTokens + tokens.cacheReadTokens + tokens.cacheWriteTokens : 0
  return tokens && tokens.outputTokens > sent
    ? failure('output_truncated', 'the answer has filled the context window of the model; ask for less')
    : failure('context_too_long', 'the conversation and its answer do not fit into the context window of the model')
}

/** Only tools that the provider runs itself pause a turn. */
const paused = ({ content, toolUses }: Collected): Stop => {
  // ours have to be answered before anything else may be said
  if (toolUses.length > 0) return WHOLE
  if (content.length > 0) return { kind: 'paused' }
  return failed(failure('provider_error', 'the provider paused the turn (pause_turn) before it had said anything'))
}

/** A reason that the model itself has chosen: what it asks for has to be readable. */
const chosen = (collected: Collected): Stop => {
  const { stop, brokenToolUses, toolUses } = collected
  const [broken] = brokenToolUses
  if (broken) return failed(brokenArguments(broken.name, broken.raw))
  if (stop === 'pause_turn') return paused(collected)
  return stop === 'tool_use' && toolUses.length === 0 ? failed(noToolAsked()) : WHOLE
}

/** Nothing that was cut off is ever repaired or taken for an answer. */
export const stopOf = (collected: Collected): Stop => {
  const { stop } = collected
  switch (stop) {
    case 'end_turn':
    case 'stop_sequence':
    case 'tool_use':
    case 'pause_turn':
      return chosen(collected)
    case 'max_tokens':
      return failed(truncated())
    case 'refusal':
      return failed(refusal(collected))
    case 'model_context_window_exceeded':
      return failed(windowFull(collected))
    case null:
      return failed(failure('stream_broken', 'the stream ended without a reason for stopping'))
    default: {
      // newer than the SDK (what it knows has a case above, or this does not compile): it would come again
      const name: never = stop
      const message = `the provider stopped for a reason that is not known here: ${String(name)}`
      return failed(failure('provider_error', message, { class: 'permanent' }))
    }
  }
}
