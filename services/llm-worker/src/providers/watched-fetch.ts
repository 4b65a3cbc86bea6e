// fetch with a limit on silence: a body that sends nothing for so long fails. The SDK's own timer ends with the headers, and its
// stream hides pings, so only here can a slow answer be told from a dead one.

/** The body sent nothing for too long. */
export class StreamStalled extends Error {
  constructor(silentMs: number) {
    super(`the model provider sent nothing for ${silentMs} ms in the middle of its answer`)
    this.name = 'StreamStalled'
  }
}

const watched = (body: ReadableStream<Uint8Array>, silentMs: number): ReadableStream<Uint8Array> => {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      let timer: NodeJS.Timeout | undefined
      const stalled = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new StreamStalled(silentMs)), silentMs)
      })
      try {
        const { done, value } = await Promise.race([reader.read(), stalled])
        if (done) controller.close()
        else controller.enqueue(value)
      } catch (error) {
        controller.error(error)
        // frees the connection; a body that is broken already rejects here too, which tells nothing new
        await reader.cancel(error).catch(() => undefined)
      } finally {
        clearTimeout(timer)
      }
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

/** A fetch whose bodies fail with StreamStalled after `silentMs` without a byte. */
export const watchedFetch =
  (silentMs: number): typeof fetch =>
  async (input, init) => {
    const response = await fetch(input, init)
    if (!response.body) return response
    const { status, statusText, headers } = response
    return new Response(watched(response.body, silentMs), { status, statusText, headers })
  }
