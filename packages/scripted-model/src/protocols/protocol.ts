// What a protocol is: it reads a request into neutral words, and writes a neutral answer as its own bytes.

import type { Asked, ErrorKind, ProtocolName, ScriptedError, ScriptRequest, StopReason } from '../answering/script.ts'
import type { Json, JsonObject } from '../json.ts'
import type { Reply } from './reply.ts'

/** A call before it is understood. */
export interface Arrived {
  path: string
  query: URLSearchParams
  /** One header, in lower case; null when it is missing or empty. */
  header: (name: string) => string | null
  body: string
}

/** What is left of a limit; 0 and 0 when it never fills again. */
export interface LimitState {
  requests: { limit: number; remaining: number; resetMs: number } | null
  tokens: { limit: number; remaining: number; resetMs: number } | null
}

export interface Protocol {
  readonly name: ProtocolName
  /** null: this protocol has no word for it. */
  readonly stops: Readonly<Record<StopReason, string | null>>
  readonly errors: Readonly<Record<ErrorKind, ScriptedError>>
  /** Whether a path is this protocol's. */
  takes(path: string): boolean
  /** Throws RequestError for what the real API refuses. */
  read(call: Arrived): Asked
  /** The whole answer, for a client that does not stream. */
  whole(request: ScriptRequest, reply: Reply): JsonObject
  /** The events of a stream; `last` is the one without which the stream has no end. */
  stream(request: ScriptRequest, reply: Reply): { events: string[]; last: string }
  errorBody(error: ScriptedError, requestId: string): JsonObject
  /** The same as an event inside a stream. */
  errorEvent(error: ScriptedError, requestId: string): string
  errorHeaders(error: ScriptedError): Record<string, string>
  headers(requestId: string): Record<string, string>
  limitHeaders(state: LimitState): Record<string, string>
}

/** A refusal of the request itself. */
export class RequestError extends Error {
  readonly status: number
  readonly errorType: string | undefined
  readonly code: string | undefined

  constructor(status: number, message: string, { errorType, code }: { errorType?: string; code?: string } = {}) {
    super(message)
    this.status = status
    this.errorType = errorType
    this.code = code
  }
}

/** JSON of a body; throws RequestError. */
export const jsonOf = (body: string, message = 'The request body is not valid JSON'): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    throw new RequestError(400, message)
  }
}

export const estimate = (characters: number): number => Math.ceil(characters / 4)

/** Tokens of what is sent along. */
export const inputTokensOf = (parts: readonly (Json | undefined)[]): number => estimate(JSON.stringify(parts).length)
