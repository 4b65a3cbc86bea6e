// fetch with limits on silence and on size: a body that sends nothing for so long fails, and so does one without an end. The SDK's own timer ends with the headers, and its
// stream hides pings, so only here can a slow answer be told from a dead one.
//
// The signal is heeded here too: once the headers are there, fetch holds on to it by a weak reference only, and after a garbage
// collection an abort would end nothing (https://github.com/nodejs/undici/issues/3644).

/** The body sent nothing for too long. */
export class StreamStalled extends Error {
  constructor(silentMs: number) {
    super(`the model provider sent nothing for ${silentMs} ms in the middle of its answer`)
    this.name = 'StreamStalled'
  }
}

/** Bytes of an answer. The longest that models give are some 30 MiB, since each few characters are an event of their own. */
const MAX_ANSWER = 128 * 1024 * 1024

/** The body is longer than any answer. */
export class AnswerEndless extends Error {
  constructor() {
    super(`the answer of the model provider is over ${MAX_ANSWER / 1024 / 1024} MiB`)
    this.name = 'AnswerEndless'
  }
}

/** What ends the wait for a chunk: silence, or the signal. */
const endOfWait = (silentMs: number, signal: AbortSignal | null): { comes: Promise<never>; stop: () => void } => {
  let stop = (): void => {}
  const comes = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new StreamStalled(silentMs)), silentMs)
    const onAbort = (): void => reject(signal?.reason)
    stop = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort)
  })
  return { comes, stop }
}

const watched = (
  body: ReadableStream<Uint8Array>,
  silentMs: number,
  signal: AbortSignal | null,
): ReadableStream<Uint8Array> => {
  const reader = body.getReader()
  let bytes = 0
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { comes, stop } = endOfWait(silentMs, signal)
      try {
        const { done, value } = await Promise.race([reader.read(), comes])
        bytes += value?.byteLength ?? 0
        if (bytes > MAX_ANSWER) throw new AnswerEndless()
        if (done) controller.close()
        else controller.enqueue(value)
      } catch (error) {
        controller.error(error)
        // frees the connection; a body that is broken already rejects here too, which tells nothing new
        await reader.cancel(error).catch(() => undefined)
      } finally {
        stop()
      }
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

/**
 * A fetch whose bodies fail with StreamStalled after `silentMs` without a byte, with AnswerEndless when they are too long, and with
 * its reason when the signal aborts.
 */
export const watchedFetch =
  (silentMs: number): typeof fetch =>
  async (input, init) => {
    // an API does not redirect, and neither prompt nor key may follow to another host: a 3xx is an answer that is no success
    const response = await fetch(input, { ...init, redirect: 'manual' })
    if (!response.body) return response
    const { status, statusText, headers } = response
    return new Response(watched(response.body, silentMs, init?.signal ?? null), { status, statusText, headers })
  }
