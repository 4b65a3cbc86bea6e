// The outside of callbacks: a service of somebody else's, that is told of work and answers by HTTP when it likes.
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Told {
  /** Of the request. */
  key: string | undefined
  token: string
  complete: string
  fail: string
  heartbeat: string
  /** The body without the callback. */
  rest: unknown
}

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}

export class Outside {
  readonly told: Told[] = []
  /** What happens before it says that it has taken the work; the status of its answer. */
  take: (told: Told) => Promise<number> = async () => 202
  readonly #server: Server

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const { callback, ...rest } = JSON.parse(await bodyOf(request))
      const key = request.headers['idempotency-key']
      const told: Told = { ...callback, key: typeof key === 'string' ? key : undefined, rest }
      this.told.push(told)
      response.writeHead(await this.take(told)).end()
    })
  }

  static async open(): Promise<Outside> {
    const outside = new Outside()
    await new Promise<void>((resolve) => outside.#server.listen(0, '127.0.0.1', resolve))
    return outside
  }

  /** `127.0.0.1:<port>` */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Posts to one of the addresses it was told; the status and the body of the answer. */
  async answer(url: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(url, {
      method: 'POST',
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
