// What was collected of an answer, and what it is worth: an answer, or the failure that it ended with. Shared by providers whose
// streams differ.
import {
  costMicroUsd,
  type Failure,
  failure,
  type Json,
  type PriceList,
  type ToolUse,
  type Usage,
} from '@stepfleet/contracts'
import { TaskFailure } from '@stepfleet/runtime'
import { abortFailure } from '../failure.ts'
import type { ModelAnswer } from './provider.ts'

export interface Tokens {
  /** Without those read from or written to a cache. */
  inputTokens: number
  outputTokens: number
  cacheReadTokens: number
  cacheWriteTokens: number
}

export interface Collected {
  /** As the provider wants it back; empty: it said nothing. */
  content: Json[]
  text: string
  toolUses: ToolUse[]
  /** null: none was told. */
  tokens: Tokens | null
  /** True once the stream told why it stopped. */
  whole: boolean
  /** What the reason for stopping means when it is not a whole answer. */
  stopped: Failure | null
}

export interface Called {
  /** `<provider>/<model>` */
  model: string
  prices: PriceList
  /** A scripted server answered. */
  scripted: boolean
}

/** What was used as far as the provider told it; a call that broke off was paid for too. */
export const usageOf = (tokens: Tokens | null, { model, prices, scripted }: Called): Usage | undefined => {
  if (!tokens) return undefined
  const used = { model, ...tokens }
  return { ...used, microUsd: costMicroUsd(prices, used), ...(scripted ? { scripted: true } : {}) }
}

/** Of a server that never tells: the cost is unknown, not nothing. */
const untold = ({ model, scripted }: Called): Usage => ({
  model,
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  microUsd: null,
  ...(scripted ? { scripted: true } : {}),
})

/** Throws TaskFailure when the answer is cut, refused or malformed. */
export const answerOf = (collected: Collected, called: Called, signal: AbortSignal): ModelAnswer => {
  const { content, text, toolUses, tokens, whole, stopped } = collected
  const usage = usageOf(tokens, called)
  // an SDK may end an aborted stream without an error, so a missing end may be our own doing
  if (!whole) {
    const why = signal.aborted
      ? abortFailure(signal)
      : failure('stream_broken', 'the stream ended without a reason for stopping')
    throw new TaskFailure(why, usage)
  }
  if (stopped) throw new TaskFailure(stopped, usage)
  return { content, text, toolUses, usage: usage ?? untold(called) }
}

const SHOWN = 500

/** Arguments of a tool that are no JSON. They are never repaired: what a cut call meant, nobody knows. */
export const brokenArguments = (tool: string, raw: string): Failure =>
  failure('malformed_output', `the model asked for ${tool} with arguments that are no JSON`, {
    details: { tool, arguments: raw.slice(0, SHOWN), length: raw.length },
  })

/** The model stopped for a tool and named none. */
export const noToolAsked = (): Failure =>
  failure('malformed_output', 'the model stopped for a tool, but asked for none')

export const truncated = (): Failure =>
  failure('output_truncated', 'the answer did not fit into max_tokens; raise it, or ask for less')

export const refused = (why: string): Failure =>
  failure('refused_by_model', `the model refused to answer${why === '' ? '' : ` (${why.slice(0, SHOWN)})`}`)

/** Of a provider that names no call: told apart by the step (each turn has its own) and its place. */
export const madeUpId = (effectKey: string, place: number): string => {
  // FNV-1a: short, the same on every worker, and nothing depends on its strength
  let hash = 0x811c9dc5
  for (const char of effectKey) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0
  return `call_${hash.toString(36)}_${place}`
}
