// Writes an answer piece by piece, at the pace that was asked for, and notices when the client has gone.
import type { ServerResponse } from 'node:http'
import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises'
import { TORN_CHARACTER } from './answering/script.ts'

export interface Pace {
  /** Milliseconds between two pieces. */
  chunkMs?: number | undefined
  /** Milliseconds between two bytes. */
  trickleMs?: number | undefined
  /** Each TORN_CHARACTER becomes bytes that are no UTF-8. */
  tornUtf8?: boolean | undefined
}

export const gone = (response: ServerResponse): Promise<void> =>
  response.destroyed ? Promise.resolve() : new Promise((resolve) => response.once('close', () => resolve()))

/** Waits, but no longer than the client does: a server that stops must not wait for a slow answer. */
export const pause = async (response: ServerResponse, ms: number): Promise<void> => {
  if (ms <= 0 || response.destroyed) return
  const left = new AbortController()
  const leave = (): void => left.abort()
  response.once('close', leave)
  await sleep(ms, undefined, { signal: left.signal }).catch(() => {})
  response.off('close', leave)
}

/** The first two of the three bytes of a €. */
const HALF_CHARACTER = Buffer.from([0xe2, 0x82])

const bytesOf = (text: string, tornUtf8: boolean | undefined): Buffer => {
  if (!tornUtf8) return Buffer.from(text)
  const pieces = text.split(TORN_CHARACTER).map((piece) => Buffer.from(piece))
  return Buffer.concat(pieces.flatMap((piece, index) => (index === 0 ? [piece] : [HALF_CHARACTER, piece])))
}

const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.once('drain', done)
    response.once('close', done)
  })

/** Writes, and waits for a client that reads slowly. */
const write = async (response: ServerResponse, bytes: Uint8Array): Promise<void> => {
  if (!response.write(bytes) && !response.destroyed) await drained(response)
}

const trickle = async (response: ServerResponse, bytes: Buffer, ms: number): Promise<boolean> => {
  for (let at = 0; at < bytes.length; at += 1) {
    if (at > 0) await pause(response, ms)
    if (response.destroyed) return false
    await write(response, bytes.subarray(at, at + 1))
  }
  return !response.destroyed
}

/** Writes the pieces; false when the client went away. */
export const writePieces = async (
  response: ServerResponse,
  pieces: readonly string[],
  { chunkMs = 0, trickleMs = 0, tornUtf8 }: Pace,
): Promise<boolean> => {
  if (trickleMs > 0) return trickle(response, bytesOf(pieces.join(''), tornUtf8), trickleMs)
  // without a pace the chunks go out in a few writes: the client sees several, the machine pays for few
  const size = chunkMs > 0 ? 1 : Math.max(1, Math.ceil(pieces.length / 4))
  for (let at = 0; at < pieces.length; at += size) {
    if (at > 0) await (chunkMs > 0 ? pause(response, chunkMs) : breathe())
    if (response.destroyed) return false
    await write(response, bytesOf(pieces.slice(at, at + size).join(''), tornUtf8))
  }
  return !response.destroyed
}

/** The rest of an answer, and its end. */
export const writeEnd = async (response: ServerResponse, text: string, pace: Pace): Promise<void> => {
  const bytes = bytesOf(text, pace.tornUtf8)
  const trickleMs = pace.trickleMs ?? 0
  if (trickleMs === 0) {
    response.end(bytes)
    return
  }
  await pause(response, trickleMs)
  if (await trickle(response, bytes, trickleMs)) response.end()
}
