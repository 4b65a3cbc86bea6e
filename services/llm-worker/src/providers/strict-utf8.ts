// fetch that fails on bytes that are no UTF-8. SDKs decode leniently: a character that was cut in two on the way would
// come out as U+FFFD inside an answer that looks whole.

const checked = (): TransformStream<Uint8Array, Uint8Array> => {
  // with `stream` a character may lie across two chunks
  const decoder = new TextDecoder('utf-8', { fatal: true })
  return new TransformStream({
    transform: (chunk, controller) => {
      decoder.decode(chunk, { stream: true })
      controller.enqueue(chunk)
    },
    flush: () => {
      decoder.decode()
    },
  })
}

/** Bodies of successful answers fail with a TypeError at the first byte that is no UTF-8, or at an end in the middle of a character. */
export const strictUtf8 =
  (inner: typeof fetch): typeof fetch =>
  async (input, init) => {
    const response = await inner(input, init)
    if (!response.body || !response.ok) return response
    const { status, statusText, headers } = response
    return new Response(response.body.pipeThrough(checked()), { status, statusText, headers })
  }
