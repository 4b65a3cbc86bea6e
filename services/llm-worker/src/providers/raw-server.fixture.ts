// For the tests of providers: a server that sends what a test writes, byte for byte, and tells what it saw.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

export interface RawServer {
  readonly url: string
  /** Bodies of the requests so far, parsed. */
  readonly bodies: Record<string, unknown>[]
  readonly requests: IncomingMessage[]
  /** How many requests ended because the client closed its connection. */
  aborted(): number
  stop(): Promise<void>
}

/** Plays `play` for each request, after its body has come. */
export const startRawServer = (play: (response: ServerResponse, call: number) => void): Promise<RawServer> => {
  const bodies: Record<string, unknown>[] = []
  const requests: IncomingMessage[] = []
  let aborted = 0
  const server = createServer(async (request, response) => {
    requests.push(request)
    response.on('close', () => {
      if (!response.writableFinished) aborted += 1
    })
    const body = await text(request)
    bodies.push(body === '' ? {} : JSON.parse(body))
    play(response, bodies.length)
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve({
        url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
        bodies,
        requests,
        aborted: () => aborted,
        stop: () =>
          new Promise((stopped) => {
            server.closeAllConnections()
            server.close(() => stopped())
          }),
      })
    })
  })
}

/** One event of a stream. */
export const sse = (data: object): string => `data: ${JSON.stringify(data)}\n\n`

/** A 200 whose stream is these events, and its end unless it stays `open`. */
export const stream = (response: ServerResponse, events: readonly string[], open = false): void => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(events.join(''))
  if (!open) response.end()
}
