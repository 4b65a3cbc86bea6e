// How the answer of an effect travels: at once, late, slowly, in half, or not at all.
import type { ServerResponse } from 'node:http'
import type { EffectLine, Ledger } from '../ledger.ts'
import { piecesOf } from '../protocols/reply.ts'
import { gone, pause, writeEnd, writePieces } from '../wire.ts'
import type { EffectDirective } from './directives.ts'
import type { StoredReply } from './replays.ts'

export interface Played {
  line: EffectLine
  directive: EffectDirective
  reply: StoredReply
  /** Milliseconds before an answer that names none. */
  latencyMs: number
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const headersOf = ({ line, directive, reply }: Played): Record<string, string> => ({
  'x-scripted': '1',
  'content-type': directive.malformed || isJson(reply.body) ? 'application/json' : 'text/plain; charset=utf-8',
  'content-length': String(Buffer.byteLength(reply.body)),
  ...(line.replayOf === undefined ? {} : { 'idempotent-replayed': 'true' }),
  ...(directive['retry-after'] === undefined ? {} : { 'retry-after': String(directive['retry-after']) }),
  ...(directive.redirect === undefined ? {} : { location: directive.redirect }),
})

/** Answers, and writes how it ended; `settled` is told when the work behind the answer is over. */
export const answerEffect = async (
  response: ServerResponse,
  ledger: Ledger,
  played: Played,
  settled: () => void,
): Promise<void> => {
  const { line, directive } = played
  const close = (outcome: EffectLine['outcome'], status: number): Promise<void> =>
    ledger.append({ ...line, atMs: Date.now(), outcome, status })
  await pause(response, directive.latency ?? played.latencyMs)
  settled()
  if (response.destroyed) return close('aborted', 0)
  if (directive.drop !== undefined) {
    await close(directive.drop === 'before' ? 'cut' : 'answered', 0)
    return void response.destroy()
  }
  if (directive.hang === 'headers') {
    await gone(response)
    return close('aborted', 0)
  }
  await send(response, played, close)
}

const send = async (
  response: ServerResponse,
  played: Played,
  close: (outcome: EffectLine['outcome'], status: number) => Promise<void>,
): Promise<void> => {
  const { directive, reply } = played
  const { 'content-length': length = '', ...headers } = headersOf(played)
  const half = directive.cut !== undefined || directive.hang === 'stream'
  // an answer that ends politely in its middle has no length that would give it away
  response.writeHead(reply.status, directive.cut === 'stream' ? headers : { ...headers, 'content-length': length })
  const pieces = piecesOf(half ? reply.body.slice(0, Math.ceil(reply.body.length / 2)) : reply.body)
  const pace = { trickleMs: directive.trickle }
  const there = await writePieces(response, half ? pieces : pieces.slice(0, -1), pace)
  if (!there) return close('aborted', reply.status)
  if (directive.hang === 'stream') {
    await gone(response)
    return close('aborted', reply.status)
  }
  if (half) {
    await close('cut', reply.status)
    if (directive.cut === 'stream') response.end()
    else response.destroy()
    return
  }
  await close(reply.status >= 400 ? 'failed' : 'answered', reply.status)
  await writeEnd(response, pieces.at(-1) ?? '', pace)
}
