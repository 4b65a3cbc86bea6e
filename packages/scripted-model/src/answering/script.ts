// What is asked and what is answered, in words that belong to no provider. Scripts, rules, directives and the default
// behaviour all answer in them; each protocol turns them into its own bytes.
import type { Json, JsonObject } from '../json.ts'

export const PROTOCOL_NAMES = ['anthropic', 'openai', 'gemini'] as const
export type ProtocolName = (typeof PROTOCOL_NAMES)[number]

/** Why an answer ended. A protocol has no word for some of them: asking for one there is a 400. */
export const STOP_REASONS = [
  'end_turn',
  'max_tokens',
  'stop_sequence',
  'tool_use',
  'pause_turn',
  'refusal',
  'content_filter',
  'model_context_window_exceeded',
  'malformed_tool_call',
  'prompt_blocked',
] as const
export type StopReason = (typeof STOP_REASONS)[number]

/** Errors that every provider has and each words in its own way. */
export const ERROR_KINDS = [
  'context_too_long',
  'model_not_found',
  'authentication_failed',
  'permission_denied',
  'rate_limited',
  'quota_exhausted',
  'overloaded',
  'server_error',
] as const
export type ErrorKind = (typeof ERROR_KINDS)[number]

export interface ScriptedTool {
  name: string
  schema: JsonObject
}

/** What a protocol reads out of a request. */
export interface Asked {
  model: string
  /** From 1: assistant messages in the conversation, plus one. */
  turn: number
  /** Assistant messages that asked for tools. */
  toolTurns: number
  system: string
  /** All user text, tool results left out. Directives are still in it. */
  prompt: string
  /** Text of the newest tool results, in order. */
  toolResults: readonly string[]
  tools: readonly ScriptedTool[]
  toolChoice: 'auto' | 'any' | 'tool' | 'none'
  /** The tool that `toolChoice: 'tool'` names. */
  forcedTool: string | null
  /** False: the client takes one tool call at a time. */
  parallelTools: boolean
  /** JSON Schema of the answer, or from a fenced block in the system prompt; null: text. */
  schema: JsonObject | null
  maxTokens: number
  stopSequences: readonly string[]
  stream: boolean
  /** Estimated: characters divided by four. */
  inputTokens: number
  /** As it came, in the words of the protocol. */
  body: JsonObject
}

/** One call as a script sees it. Everything but the counts follows from the request alone, so it survives a crash. */
export interface ScriptRequest extends Asked {
  protocol: ProtocolName
  /** `<ns>/<run>/<step>`; for a client that sends none, `request:<hash>`. */
  effectKey: string
  /** Path of the step, from the task or the effect key; null for a client that sends neither. */
  step: string | null
  run: string | null
  /** `<ns>~<run>.<step>.<attempt>.<delivery>`, or null. */
  task: string | null
  /** Calls with this effect key before this one, since the ledger began. */
  call: number
  /** Calls of this model before this one, since the ledger began. */
  modelCall: number
  /** SHA-256 of the body. */
  hash: string
}

export interface ScriptedToolUse {
  name: string
  input: Json
  /** Sent as the arguments instead of `input`, as it is: for arguments that are no JSON. */
  raw?: string
}

/** Tokens. What was read from a cache or written to it is not part of `inputTokens`. */
export interface ScriptedUsage {
  inputTokens: number
  outputTokens: number
  cacheReadTokens: number
  cacheWriteTokens: number
}

/** An error in the words of all protocols; `errorType` and `code` replace what the status stands for in its protocol. */
export interface ScriptedError {
  status: number
  message: string
  errorType?: string
  code?: string
  retryAfterSeconds?: number
}

/** One of the errors that each protocol words in its own way. */
export interface KnownError {
  kind: ErrorKind
  retryAfterSeconds?: number
}

/**
 * `end`: the answer ends politely without its end. `reset`: the connection is torn down in the middle. `silence`:
 * nothing more comes, the connection stays open. `overloaded`: the protocol's overload error inside the 200.
 * `drop`: the ledger has the call as answered, but the connection is torn down before the first byte.
 * An error: the same inside the 200.
 */
export type StreamFault = 'end' | 'reset' | 'silence' | 'overloaded' | 'drop' | ScriptedError | KnownError

/** Stands for a torn character in an answer with `tornUtf8`: two of the three bytes of a €. Of Unicode's private area. */
export const TORN_CHARACTER = '\uE000'

export type Answer = { latencyMs?: number } & (
  | {
      type: 'message'
      text: string
      toolUses?: readonly ScriptedToolUse[]
      /** Absent: `tool_use` with tool uses, else `end_turn`. */
      stop?: StopReason
      /** A part of the answer is sent, then this. */
      fault?: StreamFault
      /** How much is sent before the fault, 0 to 1; absent: half. 0: the headers only. */
      share?: number
      /** Milliseconds between two chunks. */
      chunkMs?: number
      /** Milliseconds between two bytes; then chunks do not matter. */
      trickleMs?: number
      /** Milliseconds between the headers and the first chunk. */
      firstTokenMs?: number
      /** Each TORN_CHARACTER is sent as bytes that are no UTF-8. */
      tornUtf8?: boolean
      /** Replaces the estimate (characters / 4). */
      usage?: Partial<ScriptedUsage>
    }
  | ({ type: 'error' } & ScriptedError)
  | ({ type: 'known_error' } & KnownError)
  /** No byte is ever sent. */
  | { type: 'silence' }
  /** The connection is torn down before the headers. */
  | { type: 'reset' }
)
export type MessageAnswer = Extract<Answer, { type: 'message' }>

/**
 * Text: directives without their brackets, `fail=429 retry-after=1`; '' is a well-behaved answer. Null: this call is
 * left to the rules, the directives of its prompt and the default behaviour.
 */
export type Script = (request: ScriptRequest) => Answer | string | null
