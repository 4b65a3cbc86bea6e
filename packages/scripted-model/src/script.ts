// What a script is given and what it may answer. The default behaviour and the directives answer in the same words.
import type { Json, JsonObject } from './json.ts'
import type { MessagesRequest, StopReason } from './protocol.ts'

export interface ScriptedTool {
  name: string
  schema: JsonObject
}

/** One call as a script sees it. Everything but `call` follows from the request alone, so it survives a crash. */
export interface ScriptRequest {
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
  /** JSON Schema of the answer: from output_config, or from a fenced block in the system prompt; null: text. */
  schema: JsonObject | null
  maxTokens: number
  stopSequences: readonly string[]
  /** `<ns>/<run>/<step>`; for a client that sends none, `request:<hash>`. */
  effectKey: string
  /** `<ns>~<run>.<step>.<attempt>.<delivery>`, or null. */
  task: string | null
  /** Calls with this effect key before this one, since the ledger began. */
  call: number
  /** SHA-256 of the body. */
  hash: string
  body: MessagesRequest
}

export interface ScriptedToolUse {
  name: string
  input: Json
  /** Sent as the arguments instead of `input`, as it is: for arguments that are no JSON. */
  raw?: string
}

export interface ScriptedUsage {
  inputTokens: number
  outputTokens: number
  cacheReadTokens: number
  cacheWriteTokens: number
}

/**
 * `end`: the stream ends politely without its terminal event. `reset`: the connection is torn down mid-stream.
 * `silence`: nothing more comes, the connection stays open. `overloaded`: an `error` event inside the 200.
 */
export type StreamFault = 'end' | 'reset' | 'silence' | 'overloaded'

export type Answer = { latencyMs?: number } & (
  | {
      type: 'message'
      text: string
      toolUses?: readonly ScriptedToolUse[]
      /** Absent: `tool_use` with tool uses, else `end_turn`. */
      stop?: StopReason
      /** Half the answer is sent, then this. */
      fault?: StreamFault
      /** Milliseconds between two chunks. */
      chunkMs?: number
      /** Replaces the estimate (characters / 4). */
      usage?: Partial<ScriptedUsage>
    }
  | { type: 'error'; status: number; message: string; errorType?: string; retryAfterSeconds?: number }
  /** No byte is ever sent. */
  | { type: 'silence' }
  /** The connection is torn down before the headers. */
  | { type: 'reset' }
)
export type MessageAnswer = Extract<Answer, { type: 'message' }>

/** Null: this call is left to the directives and the default behaviour. */
export type Script = (request: ScriptRequest) => Answer | null
