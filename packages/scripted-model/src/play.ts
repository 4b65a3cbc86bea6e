// Plays an answer on an open connection, and writes into the ledger how the call ended before its last byte leaves.
import type { ServerResponse } from 'node:http'
import { DirectiveError } from './answering/bracket.ts'
import type {
  Answer,
  KnownError,
  MessageAnswer,
  ScriptedError,
  ScriptRequest,
  StreamFault,
} from './answering/script.ts'
import type { Ledger, LedgerLine } from './ledger.ts'
import type { Protocol } from './protocols/protocol.ts'
import { piecesOf, type Reply, replyOf } from './protocols/reply.ts'
import { gone, pause, writeEnd, writePieces } from './wire.ts'

/** A call that reached the ledger. */
export interface Call {
  protocol: Protocol
  request: ScriptRequest
  line: LedgerLine
  response: ServerResponse
  requestId: string
  ledger: Ledger
  /** Milliseconds before an answer that names none. */
  latencyMs: number
  /** What the limits of the model say, in headers. */
  limits: Record<string, string>
}

export const sendJson = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void => {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
  })
  response.end(text)
}

/** Throws DirectiveError for an answer that the protocol has no words for. */
export const checkAnswer = (protocol: Protocol, answer: Answer): void => {
  if (answer.type === 'message' && answer.stop !== undefined && protocol.stops[answer.stop] === null)
    throw new DirectiveError(`scripted: \`stop=${answer.stop}\` has no meaning in the protocol of ${protocol.name}`)
}

/** The second line of a call, which is given back. */
const close = async (
  call: Call,
  outcome: LedgerLine['outcome'],
  more: Partial<LedgerLine> = {},
): Promise<LedgerLine> => {
  const line = { ...call.line, ...more, atMs: Date.now(), outcome }
  await call.ledger.append(line)
  return line
}

const headersOf = (call: Call): Record<string, string> => ({
  'x-scripted': '1',
  ...call.protocol.headers(call.requestId),
  ...call.limits,
})

const knownError = (protocol: Protocol, { kind, retryAfterSeconds }: KnownError): ScriptedError => ({
  ...protocol.errors[kind],
  ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
})

const playError = async (call: Call, error: ScriptedError): Promise<LedgerLine> => {
  const line = await close(call, 'failed', { status: error.status })
  const headers = { ...headersOf(call), ...call.protocol.errorHeaders(error) }
  sendJson(call.response, error.status, call.protocol.errorBody(error, call.requestId), headers)
  return line
}

/** The error that a fault puts into a 200, or null when it is no error. */
const errorIn = (protocol: Protocol, fault: StreamFault): ScriptedError | null => {
  if (fault === 'overloaded') return protocol.errors.overloaded
  if (typeof fault === 'string') return null
  return 'kind' in fault ? knownError(protocol, fault) : fault
}

const playFault = async (call: Call, fault: StreamFault, reply: Reply): Promise<LedgerLine> => {
  const { response, protocol, requestId } = call
  const paid = { status: 200, inputTokens: reply.usage.inputTokens }
  if (fault === 'silence') {
    await gone(response)
    return close(call, 'aborted', paid)
  }
  const error = errorIn(protocol, fault)
  const line = await close(call, error ? 'failed' : 'cut', paid)
  if (error) response.end(protocol.errorEvent(error, requestId))
  else if (fault === 'end') response.end()
  else response.destroy()
  return line
}

/** What is written: pieces, and the last one without which the answer has no end. */
const writing = ({ protocol, request }: Call, reply: Reply): { pieces: string[]; last: string } => {
  if (!request.stream) {
    const pieces = piecesOf(JSON.stringify(protocol.whole(request, reply)))
    return { pieces: pieces.slice(0, -1), last: pieces.at(-1) ?? '' }
  }
  const { events, last } = protocol.stream(request, reply)
  return { pieces: events, last }
}

/** A whole answer that nothing happens to: it has a length. */
const isPlain = ({ stream }: ScriptRequest, { fault, trickleMs, firstTokenMs, tornUtf8 }: MessageAnswer): boolean =>
  !stream && fault === undefined && trickleMs === undefined && firstTokenMs === undefined && tornUtf8 !== true

const HALF = 0.5

const playMessage = async (call: Call, answer: MessageAnswer): Promise<LedgerLine> => {
  const { request, response } = call
  const reply = replyOf(request, answer)
  const paid = {
    status: 200,
    inputTokens: reply.usage.inputTokens,
    outputTokens: reply.usage.outputTokens,
    text: reply.text.slice(0, 200),
  }
  if (answer.fault === 'drop') {
    const line = await close(call, 'answered', paid)
    response.destroy()
    return line
  }
  const error = answer.fault === undefined ? null : errorIn(call.protocol, answer.fault)
  // an answer in one piece has no inside that an error could stand in
  if (error && !request.stream) return playError(call, error)
  if (isPlain(request, answer)) {
    const line = await close(call, 'answered', paid)
    sendJson(response, 200, call.protocol.whole(request, reply), headersOf(call))
    return line
  }
  const { pieces, last } = writing(call, reply)
  const type = request.stream ? { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' } : JSON_TYPE
  response.writeHead(200, { ...headersOf(call), ...type })
  response.flushHeaders()
  await pause(response, answer.firstTokenMs ?? 0)
  const share = answer.fault ? (answer.share ?? HALF) : 1
  const pace = request.stream ? answer : { ...answer, chunkMs: 0 }
  const there = await writePieces(response, pieces.slice(0, Math.ceil(pieces.length * share)), pace)
  if (!there) return close(call, 'aborted', paid)
  if (answer.fault) return playFault(call, answer.fault, reply)
  const line = await close(call, 'answered', paid)
  await writeEnd(response, last, pace)
  return line
}

const JSON_TYPE = { 'content-type': 'application/json' }

/** Plays the answer to its end, also when that is the client's going away; gives the last line of the call. */
export const play = async (call: Call, answer: Answer): Promise<LedgerLine> => {
  const { response } = call
  await pause(response, answer.latencyMs ?? call.latencyMs)
  if (response.destroyed) return close(call, 'aborted')
  switch (answer.type) {
    case 'message':
      return playMessage(call, answer)
    case 'error':
      return playError(call, answer)
    case 'known_error':
      return playError(call, knownError(call.protocol, answer))
    case 'silence':
      await gone(response)
      return close(call, 'aborted')
    case 'reset': {
      const line = await close(call, 'cut')
      response.destroy()
      return line
    }
  }
}
